"""`stresscube optimise`: the best policy of a box by gradients, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from stresscube.cli.as_json import emit
from stresscube.cli.console import console
from stresscube.cli.scenario import load_scenario
from stresscube.cli.tables import Column, table_of
from stresscube.decide.question import LIMIT
from stresscube.errors import StresscubeError
from stresscube.optimise import Effort, Optimum
from stresscube.optimise import optimise as find
from stresscube.optimise.goal import Judged
from stresscube.optimise.optimise import Tell, silent
from stresscube.optimise.rewritten import text_of
from stresscube.text import count, label, listing, uncertain
from stresscube.wording import header_lines, with_errors

AN_AXIS = 16
"""Values of each number in the grid that the work is compared with."""


@dataclass(frozen=True, slots=True)
class OptimiseOptions:
    """What was asked for on the command line."""

    scenario: Path
    maximise: str | None = None
    minimise: str | None = None
    subject_to: tuple[str, ...] | None = None
    over: tuple[str, ...] = ()
    case: str = "worst"
    confidence: float = 0.95
    effort: Effort = field(default_factory=Effort)
    out: Path | None = None
    paths: int | None = None
    seed: int | None = None
    settings: tuple[str, ...] = ()
    threads: int | None = None
    trust: bool = False
    quiet: bool = False
    as_json: bool = False


def optimise(options: OptimiseOptions) -> None:
    """Find a policy, print it with what stands behind it, and write the scenario that has it."""
    scenario = load_scenario(options.scenario, options.paths, options.seed, options.settings)
    if options.out is not None and not options.out.absolute().parent.is_dir():
        raise StresscubeError(f"-o {options.out}: there is no folder {options.out.parent}")
    with_bar = not options.quiet and console(stderr=True).is_terminal
    with _Bar() if with_bar else _Lines(quiet=options.quiet) as tell:
        found = find(
            scenario,
            maximise=options.maximise,
            minimise=options.minimise,
            subject_to=(LIMIT,) if options.subject_to is None else options.subject_to,
            over=options.over,
            case=options.case,
            confidence=options.confidence,
            effort=options.effort,
            threads=options.threads,
            trust=options.trust,
            tell=tell,
        )
    if options.out is not None:
        _write(found, options.out)
    if options.as_json:
        emit(document(found))
        return
    out = console()
    print_optimum(found, out)
    if options.out is not None:
        out.print(escape(f"{options.out}: the scenario with this policy"), soft_wrap=True)


def document(found: Optimum) -> dict[str, Any]:
    """Return what was found as JSON has it."""
    asked = found.question
    return {
        "name": found.scenario.name,
        "question": {
            "maximise" if asked.larger else "minimise": str(asked.goal),
            "subject_to": [str(it) for it in asked.constraints],
            "case": asked.case,
            "confidence": asked.confidence,
        },
        "box": {it.key: {"low": it.low, "high": it.high, "besides": it.besides}
                for it in found.box.ranges},
        "market": dict(found.markets),
        "standing": found.standing,
        "policy": found.policy,
        "found": _row(found, found.confirmed, found.found),
        "neighbours": [
            _row(found, found.confirmed, k)
            for k in range(len(found.confirmed.policies))
            if k != found.found
        ],
        "starts": [
            {"began": began, "came_to": came, **_row(found, found.heats, k)}
            for k, (began, came) in enumerate(zip(found.began, found.came, strict=False))
        ],
        "paths": found.paths,
        "policy_steps": {**found.spent, "all": sum(found.spent.values())},
        "grid": {"policies": AN_AXIS ** len(found.box.ranges), "policy_steps": _grid(found)},
        "seeds": found.seeds,
    }  # fmt: skip


def _row(found: Optimum, judged: Judged, row: int) -> dict[str, Any]:
    return {
        "policy": judged.policies[row],
        "goal": judged.goal[row],
        "goal_se": judged.goal_se[row],
        "standing": judged.standing(row, found.question),
        "confidence": judged.sure[row],
        "constraints": [
            {
                "constraint": str(it),
                "value": judged.values[place, row],
                "value_se": judged.values_se[place, row],
                "bound": judged.bounds[place, row],
            }
            for place, it in enumerate(found.question.constraints)
        ],
    }


def print_optimum(found: Optimum, out: Console) -> None:
    """Print the question, the policy with its certainty, its neighbours, the starts, the work."""
    asked = found.question
    aim = "maximise" if asked.larger else "minimise"
    limits = " and ".join(map(str, asked.constraints))
    line = f"{aim} {asked.goal}" + (f" subject to {limits}" if limits else "")
    out.print(f"[bold]{escape(str(found.scenario.name))}[/]: {escape(line)}", soft_wrap=True)
    out.print(escape(f"over {', '.join(map(str, found.box.ranges))}"), soft_wrap=True)
    if found.markets:
        markets = "; ".join(f"{key} = {listing(values)}" for key, values in found.markets.items())
        where = "at the worst" if asked.case == "worst" else "as the mean"
        out.print(escape(f"{where} over {markets}"), soft_wrap=True)
    out.print()
    out.print(f"[bold]{escape(_first(found))}[/]", soft_wrap=True)
    for text in _facts(found):
        out.print(escape(f"  {text}"), soft_wrap=True)
    out.print()
    out.print("it and its best neighbours, run exactly on the same paths")
    out.print(_table(found, found.confirmed, _order(found)))
    out.print("where each start came to, run exactly on other paths")
    out.print(_table(found, found.heats, range(len(found.heats.policies))))
    for text in _work(found):
        out.print(escape(text), style="dim", soft_wrap=True)


def _policy(policy: Mapping[str, float]) -> str:
    return ", ".join(f"{key} = {label(value, 4)}" for key, value in policy.items())


def _first(found: Optimum) -> str:
    policy = _policy(found.policy)
    if found.standing == "shown":
        return f"found {policy}"
    if found.standing == "estimated":
        return f"found {policy}, not shown to keep the constraints"
    return f"found no policy that keeps the constraints; the nearest: {policy}"


def _facts(found: Optimum) -> list[str]:
    it, row, asked = found.confirmed, found.found, found.question
    value, error = uncertain(float(it.goal[row]), float(it.goal_se[row]))
    lines = [f"{asked.goal} {value} ± {error} on {found.paths:,} paths that no choice has seen"]
    for place, constraint in enumerate(asked.constraints):
        number, spread = uncertain(float(it.values[place, row]), float(it.values_se[place, row]))
        side = "at most" if constraint.below else "at least"
        lines.append(
            f"{constraint}: {number} ± {spread}, {side} {it.bounds[place, row]:.3g} with "
            f"{asked.confidence:.6g} confidence"
        )
    if asked.constraints:
        lines.append(f"all hold with {it.sure[row]:.4g} confidence, for this policy by itself")
    return lines


def _order(found: Optimum) -> list[int]:
    """Found first, then neighbours that keep the constraints by the estimates, best first."""
    it, sign = found.confirmed, 1.0 if found.question.larger else -1.0
    others = [k for k in range(len(it.policies)) if k != found.found and it.kept[k]]
    return [found.found, *sorted(others, key=lambda k: -sign * float(it.goal[k]))[:6]]


def _table(found: Optimum, judged: Judged, rows: Sequence[int]) -> Table:
    def cells(values: Any, errors: Any) -> list[str]:
        at = list(rows)
        return with_errors(values[at].tolist(), errors[at].tolist(), " ± ")

    columns = [
        Column(header_lines(key), [label(judged.policies[k][key], 4) for k in rows])
        for key in found.box.keys
    ]
    columns.append(
        Column(header_lines(str(found.question.goal)), cells(judged.goal, judged.goal_se), "bold")
    )
    for place, it in enumerate(found.question.constraints):
        column = cells(judged.values[place], judged.values_se[place])
        columns.append(Column(header_lines(str(it.term)), column))
    if found.question.constraints:
        sure = [f"{judged.sure[k]:.3f}" for k in rows]
        columns.append(Column("confi-\ndence", sure))
    return table_of(columns)


def _grid(found: Optimum) -> int:
    """Policy-steps of a grid on the paths that the policy is confirmed on."""
    confirming = found.spent["confirming"] / len(found.confirmed.policies)
    return round(AN_AXIS ** len(found.box.ranges) * confirming)


def _work(found: Optimum) -> list[str]:
    spent, grid = sum(found.spent.values()), _grid(found)
    stages = ", ".join(f"{stage} {count(number)}" for stage, number in found.spent.items())
    policies = AN_AXIS ** len(found.box.ranges)
    return [
        f"{count(spent)} policy-steps ({stages}); a grid of {policies:,} policies on "
        f"{found.paths:,} paths: {count(grid)}, {grid / spent:.3g} times as many.",
        "± one standard error. A step with its gradient counts as "
        f"{2 + 2 * len(found.box.ranges)} plain ones.",
    ]


def _write(found: Optimum, file: Path) -> None:
    text = text_of(found.scenario, found.policy, found.markets)
    head = f"# {found.scenario.source} with the policy that `stresscube optimise` found.\n\n"
    try:
        file.write_text(head + text, encoding="utf-8")
    except OSError as fault:
        raise StresscubeError(f"-o {file}: cannot be written: {fault.strerror}") from fault


class _Lines:
    """A line for each stage, for logs."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._last = quiet, ""

    def __enter__(self) -> Tell:
        return silent if self._quiet else self._tell

    def __exit__(self, *_: object) -> None: ...

    def _tell(self, words: str, _share: float) -> None:
        if words != self._last:
            console(stderr=True).print(escape(words))
        self._last = words


class _Bar:
    """A live bar."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            console=console(stderr=True),
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("", total=1.0)

    def __enter__(self) -> Tell:
        self._progress.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _tell(self, words: str, share: float) -> None:
        self._progress.update(self._task, description=words, completed=share)
