"""A policy that was found, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stresscube.advice import certain
from stresscube.cli.tables import Column, in_one, print_fitting, table_of
from stresscube.metrics.paired import paired_error
from stresscube.optimise import Optimum
from stresscube.optimise.goal import Judged
from stresscube.optimise.search import cost
from stresscube.text import count, label, listing, uncertain
from stresscube.wording import header_lines, with_errors

AN_AXIS = 16
"""Values of each number in the grid that the work is compared with."""
NEIGHBOURS = 6
"""Neighbours that are shown."""


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
            {"began": began, "came_to": came}
            for began, came in zip(found.began, found.came, strict=True)
        ],
        "heats": [_row(found, found.heats, k) for k in range(len(found.heats.policies))],
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
    confirmed = _tables(found, found.confirmed, _order(found), found.found)
    print_fitting(confirmed, out)
    out.print("what each start came to, run exactly on other paths")
    rows = range(len(found.heats.policies))
    print_fitting(_tables(found, found.heats, rows, None), out)
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
        lines.append(
            f"all hold with {certain(float(it.sure[row]))} confidence, for this policy by itself"
        )
    return lines


def _order(found: Optimum) -> list[int]:
    """Found first, then neighbours that keep the constraints by the estimates, best first."""
    it, sign = found.confirmed, 1.0 if found.question.larger else -1.0
    others = [k for k in range(len(it.policies)) if k != found.found and it.kept[k]]
    return [found.found, *sorted(others, key=lambda k: -sign * float(it.goal[k]))[:NEIGHBOURS]]


def _tables(
    found: Optimum, judged: Judged, rows: Sequence[int], best: int | None
) -> Iterator[tuple[Table, list[str]]]:
    """Yield the table, each time narrower, and what it lacks.

    best: the row that others are compared with.
    """
    further = ["began_at" if best is None else "difference_to_found"]
    for lacking in ([], further):
        for sign in (" ± ", "±"):
            yield _table(found, judged, rows, best, sign, more=not lacking), lacking
    yield _table(found, judged, rows, best, "±", more=False, together=True), further


def _table(
    found: Optimum,
    judged: Judged,
    rows: Sequence[int],
    best: int | None,
    sign: str,
    *,
    more: bool,
    together: bool = False,
) -> Table:
    """A row for each policy. more: with differences to the best, or where it began."""
    at = list(rows)

    def cells(values: Any, errors: Any, *, blank: bool = False) -> list[str]:
        return with_errors(values[at].tolist(), errors[at].tolist(), sign, blank_first=blank)

    numbers = {key: [label(judged.policies[k][key], 4) for k in at] for key in found.box.keys}
    columns = [Column("began at", _began(found), "dim")] if more and best is None else []
    columns += (
        [in_one(numbers)]
        if together
        else [Column(header_lines(k), it) for k, it in numbers.items()]
    )
    columns.append(
        Column(header_lines(str(found.question.goal)), cells(judged.goal, judged.goal_se), "bold")
    )
    if more and best is not None and judged.batches is not None:
        error = paired_error(judged.batches, judged.batches[best])
        its = cells(judged.goal - judged.goal[best], error, blank=True)
        columns.append(Column(header_lines("difference_to_found"), its))
    for place, it in enumerate(found.question.constraints):
        its = cells(judged.values[place], judged.values_se[place])
        columns.append(Column(header_lines(str(it.term)), its))
    if found.question.constraints:
        sure = [certain(float(judged.sure[k])).replace("over ", ">") for k in at]
        columns.append(Column("confi-\ndence", sure))
    return table_of(columns)


def _began(found: Optimum) -> list[str]:
    """Where the start of each heat began, in the order of the numbers."""
    each = len(found.heats.policies) // len(found.began)
    words = [", ".join(label(value, 3) for value in it.values()) for it in found.began]
    return [word for word in words for _ in range(each)]


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
        f"{cost(len(found.box.ranges))} plain ones.",
    ]
