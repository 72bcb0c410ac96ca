"""`stresscube optimise`: the best policy of a box by gradients, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from rich.markup import escape

from stresscube.cli.as_json import emit
from stresscube.cli.console import console
from stresscube.cli.optimum import document, print_optimum
from stresscube.cli.scenario import load_scenario
from stresscube.cli.telling import telling
from stresscube.decide.question import LIMIT
from stresscube.errors import StresscubeError
from stresscube.optimise import Effort, Optimum
from stresscube.optimise import optimise as find
from stresscube.optimise.rewritten import text_of


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
    with telling(quiet=options.quiet) as tell:
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


def _write(found: Optimum, file: Path) -> None:
    text = text_of(found.scenario, found.policy, found.markets)
    head = f"# {found.scenario.source} with the policy that `stresscube optimise` found.\n\n"
    try:
        file.write_text(head + text, encoding="utf-8")
    except OSError as fault:
        raise StresscubeError(f"-o {file}: cannot be written: {fault.strerror}") from fault
