"""From the files that a scenario names to the history that its paths are cut from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from stresscube.history import Funding, History, HistoryError, from_frame, read, read_funding
from stresscube.history.align import coarser, length, part
from stresscube.history.funding import known_before, on_bars
from stresscube.history.names import of_file
from stresscube.scenario.checks import problems
from stresscube.scenario.dotted import resolve
from stresscube.scenario.faults import Fault, ScenarioError
from stresscube.scenario.market import Market, Replay
from stresscube.scenario.policy import Scenario
from stresscube.scenario.replay_checks import idle
from stresscube.scenario.units import format_duration, whole_multiple, years
from stresscube_kernels.pack_replay import stride_steps, warm_bars, window_count
from stresscube_kernels.replay import MOST_BARS
from stresscube_kernels.spec import HistorySpec, ReplaySpec, SimulationSpec

Signature = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, eq=False)
class Tape:
    """One's own data, ready for `sc.run(scenario, tape=...)`: bars, and funding where there is any.

    notes: what was found in them.
    """

    history: History
    funding: Funding | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found, a sentence each."""
        return self.history.notes + (self.funding.notes if self.funding else ())


def tape_from(
    frame: Any,
    *,
    funding: str | Path | Sequence[str | Path] | None = None,
    assets: Sequence[str] | None = None,
    venues: Sequence[str | None] | None = None,
) -> Tape:
    """A tape of one's own data: a DataFrame of bars in any layout that files may have, or a list.

    frame: pandas, or anything with `to_pandas` (polars, pyarrow); times in a column or the index.
    funding: files of prints. assets, venues: which series are the legs, where that is not clear.
    Its `notes` say what was found. Raises HistoryError for what are no bars of two assets.

    >>> tape = sc.tape_from(frame)
    >>> sc.run(scenario, "mine.run", tape=tape)
    """
    prints = None if funding is None else read_funding(funding)
    return Tape(from_frame(frame, assets=assets, venues=venues), prints)


def on_tape(scenario: Scenario, tape: Tape) -> Scenario:
    """The scenario with its market replaced by a tape, cut as its [market.replay] says."""
    replay = scenario.market.replay or Replay()
    assets = tape.history.assets
    changes = {"source": "replay", "replay": replay, "assets": assets}
    changed = scenario.model_copy(
        update={"market": scenario.market.model_copy(update=changes), "tape": tape}
    )
    found = [Fault(scenario.source, p.key, p.value, p.sentence) for p in problems(changed)]
    for name, values in scenario.sweep.items():
        if (sentence := idle(changed.market, resolve(scenario, name))) is not None:
            found.append(Fault(scenario.source, f"sweep.{name}", list(values), sentence))
    if found:
        raise ScenarioError(found)
    return changed


def anywhere(scenario: Scenario) -> Scenario:
    """The scenario for a process with another current folder: the data lie where they lie here."""
    if not scenario.market.reads_files:
        return scenario
    return scenario.model_copy(update={"source": str(Path(scenario.source).absolute())})


@dataclass(frozen=True, eq=False)
class Recorded:
    """What a scenario's paths are cut from.

    tape: as read. history: in bars of the simulation's step. spec: its numbers, for kernels.
    fingerprint: of the bytes read and of those numbers.
    """

    tape: Tape
    history: History
    spec: HistorySpec
    fingerprint: dict[str, str]


def recorded(scenario: Scenario) -> Recorded:
    """The history of a replayed scenario, read once. Raises ScenarioError for what is wrong."""
    replay = scenario.market.replay or Replay()
    step = scenario.simulation.step
    tape = scenario.tape
    if tape is None:
        if not replay.files:
            raise fault(scenario, "market.replay.files", "is missing; name the files of bars")
        folder = Path(scenario.source).parent
        files = _signature(scenario, folder, replay.files, "market.replay.files")
        funding = _signature(scenario, folder, replay.funding, "market.replay.funding")
        try:
            tape = _read(files, scenario.market.assets)
        except HistoryError as error:
            raise fault(scenario, "market.replay.files", str(error)) from None
        try:
            tape = Tape(tape.history, _read_funding(funding)) if funding else tape
        except HistoryError as error:
            raise fault(scenario, "market.replay.funding", str(error)) from None
    bar = tape.history.step_hours
    if whole_multiple(step, bar) is None:
        sentence = f"must be a whole number of the history's bars of {format_duration(bar)}"
        raise fault(scenario, "simulation.step", sentence)
    try:
        return _prepared(tape.history, tape.funding, step, replay.start, replay.end)
    except HistoryError as error:
        raise fault(scenario, "market.replay", str(error)) from None


def replay_spec(scenario: Scenario, market: Market) -> ReplaySpec:
    """A replayed market at one point of the sweep.

    Raises ScenarioError where the history is too short for a path, or holds fewer windows than
    there are paths.
    """
    replay = market.replay or Replay()
    spec = ReplaySpec(
        history=recorded(scenario).spec,
        method=replay.method,
        stride=years(replay.stride),
        block_length=years(replay.block_length),
        ranges=replay.ranges,
        coincidence=replay.coincidence,
        slippage_multiplier=replay.slippage_multiplier,
        variance_half_life=years(replay.variance_half_life),
        signal_half_life=years(market.signal_half_life),
        spread_half_life=years(replay.spread_half_life),
    )
    _fits(scenario, replay, spec)
    return spec


def _fits(scenario: Scenario, replay: Replay, spec: ReplaySpec) -> None:
    """Whether every path has bars of its own to be cut from."""
    simulation = scenario.simulation
    steps = whole_multiple(simulation.horizon, simulation.step) or 1
    count, warm = len(spec.history.close), warm_bars(spec)
    usable, step = count - warm, format_duration(simulation.step)
    held = f"the history has {count:,} bars of {step}, of which {warm:,} only begin the averages"
    if usable > MOST_BARS:
        raise fault(scenario, "market.replay.files", f"{held}; at most {MOST_BARS:,} can be used")
    if replay.method == "bootstrap":
        if usable < 2:
            raise fault(scenario, "market.replay.files", f"{held}; take a longer one")
        return
    numbers = SimulationSpec(steps, spec.history.step, 0)
    windows = window_count(spec, numbers)
    if windows == 0:
        raise fault(scenario, "simulation.horizon", f"is longer than what is recorded: {held}")
    if windows < simulation.paths:
        stride = format_duration(stride_steps(spec, numbers) * simulation.step)
        raise fault(
            scenario,
            "simulation.paths",
            f"must be at most {windows:,}, the windows that the history holds, each {stride} after "
            "the other; take fewer, a shorter market.replay.stride, or "
            'market.replay.method = "bootstrap"',
        )


def fault(scenario: Scenario, key: str, sentence: str) -> ScenarioError:
    """What is wrong with a key, once the data are known."""
    value: Any = scenario
    for word in key.split("."):
        value = getattr(value, word)
    if isinstance(value, Replay | None):
        return ScenarioError([Fault(scenario.source, "", None, f"{key}: {sentence}")])
    shown = format_duration(value) if isinstance(value, float) else value
    return ScenarioError([Fault(scenario.source, key, shown, sentence)])


def _signature(scenario: Scenario, folder: Path, names: Sequence[str], key: str) -> Signature:
    """Files with what tells whether they have changed since they were read."""
    found: list[tuple[str, int, int]] = []
    for name in names:
        path = folder / name
        try:
            stat = path.stat()
        except OSError as error:
            raise fault(scenario, key, f"{path}: {error.strerror or error}") from None
        found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(found)


@lru_cache(maxsize=4)
def _read(files: Signature, assets: tuple[str, str]) -> Tape:
    legs = [of_file(asset) for asset in assets]
    names = [asset or given for (asset, _), given in zip(legs, assets, strict=True)]
    venues = [venue for _, venue in legs]
    return Tape(read([path for path, _, _ in files], assets=names, venues=venues))


@lru_cache(maxsize=4)
def _read_funding(files: Signature) -> Funding:
    return read_funding([path for path, _, _ in files])


@lru_cache(maxsize=4)
def _prepared(
    history: History, funding: Funding | None, step: float, start: str | None, end: str | None
) -> Recorded:
    """A history in the simulation's steps, with its funding, as numbers."""
    whole = history
    nanoseconds = np.timedelta64(round(step * 3600e9), "ns")
    history = coarser(part(history, start, end), nanoseconds)
    spec = HistorySpec(history.close, years(step), history.low, history.high)
    if funding:
        paid, due = on_bars(funding, history)
        spec = replace(spec, rates=paid, due=due, known=known_before(funding, history))
    prints = {"market.replay.funding": funding.hash} if funding else {}
    total = hashlib.sha256()
    for column in (spec.close, spec.low, spec.high, spec.rates, spec.due, spec.known):
        total.update(b"" if column is None else np.ascontiguousarray(column).tobytes())
    fingerprint = {"files": whole.hash, **prints, "bars": total.hexdigest()}
    return Recorded(Tape(whole, funding), history, spec, fingerprint)


def described(recorded: Recorded) -> str:
    """What there is, in one line: legs, bars and period."""
    history = recorded.history
    first, last = (str(time.astype("datetime64[m]")).replace("T", " ") for time in history.period)
    ranges = "lows and highs" if history.low is not None else "closes only"
    return (
        f"{' and '.join(history.assets)}, {len(history):,} bars of {length(history.step)} from "
        f"{first} to {last}, {ranges}"
    )
