"""Running the studies of claims: ordinary run folders, which a second call finds complete."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from stresscube.backends import choose
from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Study
from stresscube.claims.compose import with_market
from stresscube.errors import StresscubeError
from stresscube.plan import make_plan
from stresscube.runner import Progress, Silent, run
from stresscube.scenario import Scenario, loads
from stresscube.store.reader import open_run
from stresscube_kernels.contract import Shape
from stresscube_kernels.numba_lines import helpers, lines, operand
from stresscube_kernels.programs import programs

NOT_HERE = "no such file (run in the root of the source tree, or name the folder of the claims)"


@dataclass(frozen=True, slots=True)
class How:
    """Where scenarios lie, where runs go, and how they are run.

    paths: instead of each scenario's. progress: makes what is told of each run.
    """

    scenarios: Path
    runs: Path
    paths: int | None = None
    backend: str = "auto"
    threads: int | None = None
    progress: Callable[[], Progress] = Silent


def scenario_text(claim: Claim, study: Study, folder: Path) -> str:
    """Return the scenario of a study as TOML, a file that runs by itself.

    Raises StresscubeError if a file of it is not there.
    """
    text = _read(folder / (study.file or f"{claim.name}.toml"))
    if study.market.file is not None:
        text = with_market(text, _read(folder / study.market.file))
    return text


def load_study(claim: Claim, study: Study, folder: Path, paths: int | None = None) -> Scenario:
    """Return the scenario of a study. Raises ScenarioError, StresscubeError."""
    settings = [*study.settings]
    settings += [f"simulation.paths={paths}"] if paths is not None else []
    return loads(
        scenario_text(claim, study, folder), f"{claim.name} ({study.market.value})", settings
    )


@dataclass(frozen=True, slots=True)
class Stamp:
    """Digests by which a page can be seen to be out of date.

    scenario: of what a study asks; comments and descriptions change no number, and do not count.
    step: of the steps of market and account that it runs, as they are traced: of every line that
    computes something, but not of the loops that a backend puts around them.
    """

    scenario: str
    step: str


def stamp(claim: Claim, study: Study, folder: Path) -> Stamp:
    """Return the digests of a study. Raises ScenarioError, StresscubeError."""
    plan = make_plan(load_study(claim, study, folder))
    return Stamp(asked(claim, study, folder), _short("".join(map(traced, plan.codes))))


def asked(claim: Claim, study: Study, folder: Path) -> str:
    """Return the digest of what a study asks. Raises StresscubeError if a file is not there."""
    content = tomllib.loads(scenario_text(claim, study, folder))
    content.pop("description", None)
    return _short(json.dumps([content, study.settings], sort_keys=True))


def _short(words: str) -> str:
    return hashlib.sha256(words.encode()).hexdigest()[:12]


@lru_cache(maxsize=256)
def traced(code: Shape) -> str:
    """Return the lines of all traced functions of a code, and what they hand on."""
    made = programs(code)
    words = [helpers(made.all)]
    for program in made.all:
        words += lines(program)
        words += [f"{name} = {operand(value)}" for name, value in program.outputs]
    return "\n".join(words)


def run_study(claim: Claim, study: Study, how: How, name: str = "") -> Cube:
    """Run a study with its variants, or go on with their runs, and open them.

    The folder is named after the plan, so another scenario, code or number of paths never meets
    an old run. Raises as `runner.run` does.
    """
    name = name or study.market.value
    scenario = load_study(claim, study, how.scenarios, how.paths)
    plan = make_plan(scenario, choose(how.backend))
    how.runs.mkdir(parents=True, exist_ok=True)
    folder = run(
        scenario,
        how.runs / f"{claim.name}-{name}-{plan.hash[:8]}.run",
        backend=how.backend,
        threads=how.threads,
        progress=how.progress(),
    )
    summary = open_run(folder)["summary"].to_dataset().load()
    variants = {
        word: run_study(claim, variant, how, f"{name}-{word}") for word, variant in study.variants
    }
    return Cube(summary, scenario, study.market, variants)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise StresscubeError(f"{os.fspath(path)}: {NOT_HERE}") from None
