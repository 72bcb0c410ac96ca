"""Draws of a market's numbers that are not known: from a file of them to one market for each."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from stresscube.scenario.dotted import BadKey, replaced, resolve
from stresscube.scenario.faults import Fault, ScenarioError, quoted
from stresscube.scenario.leaf import Leaf, Wrong
from stresscube.scenario.leaves import Duration, Real, Shares
from stresscube.scenario.market import Market, Uncertainty
from stresscube.scenario.market_checks import problems
from stresscube.scenario.policy import Scenario
from stresscube.scenario.reading import read_text

KEY = "market.uncertainty"
DRAWN = ("regimes", "volatility_regimes", "correlation_regimes", "funding_regimes", "parameters")
"""Tables of the market whose numbers may be drawn: what holds for all paths alike is not."""
MOST_BYTES = 2**26
SHARE = re.compile(r"(market\.\w+\.[^.]+)\.next\.([^.]+)")
"""A probability of a chain: all of a state's are drawn together, as they sum to 1."""
Path_ = tuple[str | int, ...]


@dataclass(frozen=True, eq=False)
class Draws:
    """A file of draws, read. rows: for each, what it puts where. hash: sha256 of the file."""

    source: str
    rows: tuple[Mapping[Path_, Any], ...]
    hash: str


def fingerprint(scenario: Scenario) -> dict[str, str]:
    """What a run's numbers depend on besides the scenario's text: the content of its draws."""
    return {f"{KEY}.file": drawn(scenario).hash} if scenario.market.uncertainty else {}


def drawn(scenario: Scenario) -> Draws:
    """The draws that a scenario names.

    Raises ScenarioError for a file that cannot be read, and with all faults of its values at once.
    """
    asked = scenario.market.uncertainty or Uncertainty(file="")
    path = Path(scenario.source).parent / asked.file
    try:
        stat = path.stat()
    except OSError as error:
        sentence = f"{path}: {error.strerror or error}"
        raise ScenarioError([Fault(scenario.source, f"{KEY}.file", asked.file, sentence)]) from None
    if stat.st_size > MOST_BYTES or not path.is_file():
        sentence = f"{path} is no table of draws, a CSV file of at most {MOST_BYTES:,} bytes"
        raise ScenarioError([Fault(scenario.source, f"{KEY}.file", asked.file, sentence)])
    plain = scenario.model_copy(update={"source": "", "text": "", "overrides": ()})
    read = _read(str(path), stat.st_mtime_ns, stat.st_size, Once(plain))
    if len(read.rows) < asked.draws:
        sentence = f"must be at most {len(read.rows):,}, the rows of {path}"
        raise ScenarioError([Fault(scenario.source, f"{KEY}.draws", asked.draws, sentence)])
    return read


def market_of(scenario: Scenario, market: Market, draw: int) -> Market:
    """The market with a draw's numbers in it."""
    for place, value in drawn(scenario).rows[draw].items():
        market = replaced(market, place[1:], value)
    return market


def markets(scenario: Scenario, market: Market) -> tuple[Market, ...]:
    """The markets of all draws that are asked for, or of the only one.

    Raises ScenarioError with everything that contradicts something else in one of them.
    """
    asked = market.uncertainty or Uncertainty(file="")
    rows = range(asked.draws) if asked.draw is None else [_only(scenario, asked.draw)]
    found = {row: market_of(scenario, market, row) for row in rows}
    _check(scenario, found)
    return tuple(found.values())


def holds(scenario: Scenario, row: Mapping[str, str]) -> bool:
    """Whether a scenario may hold a draw. row: dotted keys and values, as a file has them."""
    faults: list[Fault] = []
    places = _places("", list(row), scenario, faults)
    found = _row("", 0, list(row.values()), list(row), places, faults)
    market = scenario.market
    for place, value in found.items():
        market = replaced(market, place[1:], value)
    contradictions = problems(scenario.model_copy(update={"market": market}))
    return not faults and next(contradictions, None) is None


def _only(scenario: Scenario, value: float) -> int:
    """The number of the only draw that a scenario takes.

    Raises ScenarioError where it is none.
    """
    count = (scenario.market.uncertainty or Uncertainty(file="")).draws
    if value != int(value) or value >= count:
        sentence = f"must be a whole number below {KEY}.draws ({count})"
        raise ScenarioError([Fault(scenario.source, f"{KEY}.draw", value, sentence)])
    return int(value)


def _check(scenario: Scenario, found: Mapping[int, Market]) -> None:
    """Whether the keys of each draw fit together."""
    first: dict[tuple[str, str], int] = {}
    for number, market in found.items():
        for problem in problems(scenario.model_copy(update={"market": market})):
            first.setdefault((problem.key, problem.sentence), number)
    if first:
        source = drawn(scenario).source
        faults = [_said(source, f"row {n + 1}, {key}", s) for (key, s), n in first.items()]
        raise ScenarioError(faults)


class Once:
    """A scenario that a cache tells from others by what it says."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._said = repr(scenario.market) + repr(sorted(scenario.sweep))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Once) and self._said == other._said

    def __hash__(self) -> int:
        return hash(self._said)


@lru_cache(maxsize=4)
def _read(path: str, changed: int, size: int, once: Once) -> Draws:
    """A file as it was when it was `changed`."""
    text = read_text(Path(path))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    table = list(csv.reader(io.StringIO("\n".join(lines)), skipinitialspace=True))
    if len(table) < 2:
        raise ScenarioError(
            [Fault(path, "", None, "must have a line of keys, and then a line for each draw")]
        )
    keys, *values = table
    faults = list(_ragged(path, keys, values))
    places = _places(path, keys, once.scenario, faults)
    rows = [_row(path, n, row, keys, places, faults) for n, row in enumerate(values)]
    if faults:
        raise ScenarioError(_fewer(faults))
    return Draws(path, tuple(rows), hashlib.sha256(text.encode()).hexdigest())


def _ragged(path: str, keys: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[Fault]:
    for key in {key for key in keys if keys.count(key) > 1}:
        yield _said(path, key, "is the key of two columns; each key once")
    for number, row in enumerate(rows):
        if len(row) != len(keys):
            wrong = f"has {len(row)} values, and there are {len(keys)} keys"
            yield _said(path, f"row {number + 1}", wrong)


def _places(
    path: str, keys: Sequence[str], scenario: Scenario, faults: list[Fault]
) -> list[tuple[Path_, Leaf] | None]:
    """For each column where its values go and what they may be; None for an unknown one."""
    found: list[tuple[Path_, Leaf] | None] = []
    for key in keys:
        try:
            found.append(_place(scenario, key))
        except BadKey as bad:
            found.append(None)
            faults.append(_said(path, key, str(bad)))
    return found


def _place(scenario: Scenario, key: str) -> tuple[Path_, Leaf]:
    share = SHARE.fullmatch(key)
    target = resolve(scenario, f"{share[1]}.mean_duration" if share else key)
    if not target.market or target.path[1] not in DRAWN:
        raise BadKey(f"cannot be drawn; what can is in {quoted(f'market.{it}' for it in DRAWN)}")
    if key in scenario.sweep:
        raise BadKey("is swept; sweep it or draw it, not both")
    if share:
        return (*target.path[:-1], "next", share[2]), Real(0.0, 1.0)
    if not isinstance(target.leaf, Real | Duration):
        raise BadKey("is no number and no duration, so it cannot be drawn")
    return target.path, target.leaf


def _row(
    path: str, number: int, row: Sequence[str], keys: Sequence[str],
    places: Sequence[tuple[Path_, Leaf] | None], faults: list[Fault],
) -> dict[Path_, Any]:  # fmt: skip
    """What a row puts where; probabilities of one state together."""
    found: dict[Path_, Any] = {}
    shares: dict[Path_, dict[str, float]] = {}
    for text, key, place in zip(row, keys, places, strict=False):
        if place is None:
            continue
        where, leaf = place
        try:
            value = leaf.parse(_literal(text))
        except Wrong as wrong:
            at = f"row {number + 1}, {key}"
            faults += [Fault(path, at, _literal(text), s) for _, s in wrong.problems]
            continue
        if len(where) > 2 and where[-2] == "next":
            shares.setdefault(where[:-1], {})[str(where[-1])] = value
        else:
            found[where] = value
    for where, table in shares.items():
        try:
            found[where] = Shares().parse(table)
        except Wrong as wrong:
            at = f"row {number + 1}, market.{where[1]}[{where[2]}].next"
            faults += [_said(path, at, sentence) for _, sentence in wrong.problems]
    return found


def _said(path: str, at: str, sentence: str) -> Fault:
    """A fault without a value to show."""
    return Fault(path, "", None, f"{at}: {sentence}")


def _literal(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text.strip()


def _fewer(faults: Sequence[Fault]) -> list[Fault]:
    """Of the same complaint about many rows the first, and how many more there are."""
    alike: dict[tuple[str, str], list[Fault]] = {}
    for fault in faults:
        column, said = (re.sub(r"^row \d+", "", text) for text in (fault.key, fault.sentence))
        alike.setdefault((column, re.sub(r"\d\S*$", "", said)), []).append(fault)
    found: list[Fault] = []
    for first, *more in alike.values():
        rest = f" (and so in {len(more)} more rows)" if more else ""
        found.append(Fault(first.source, first.key, first.value, f"{first.sentence}{rest}"))
    return found
