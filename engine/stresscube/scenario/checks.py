"""Faults that show only when two keys of a document are read together."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, isfinite

from stresscube.scenario import chains, market_checks
from stresscube.scenario.code import SECTIONS
from stresscube.scenario.faults import Problem, did_you_mean, quoted
from stresscube.scenario.grammar import touches
from stresscube.scenario.market import Replay
from stresscube.scenario.market_checks import whole_steps
from stresscube.scenario.policy import Document
from stresscube.scenario.units import format_duration, whole_multiple
from stresscube.scenario.venue import Venue

MOST_STEPS = {"float32": 2**24, "float64": 2**32 - 1}
"""float32 counts steps exactly up to 2**24; a step's number must fit 32 bits in any case."""
CHECKED = ("venue", "hedge_ratio", "holding", "rebalance_interval", "side", "sizing_correlation")
"""Policy keys whose values are read against the rest."""


def problems(document: Document) -> Iterator[Problem]:
    """Everything in a document that contradicts something else in it."""
    yield from _steps(document)
    yield from market_checks.problems(document)
    yield from chains.repeated([venue.name for venue in document.venues], "venues")
    for index, venue in enumerate(document.venues):
        if venue.latency > document.simulation.step:
            step = format_duration(document.simulation.step)
            yield Problem(
                f"venues[{index}].latency",
                f"must be at most one step ({step}); take a longer step or a shorter latency",
                ("simulation.step",),
            )
        yield from _tiers(document, venue, f"venues[{index}].maintenance_tiers")
    yield from _idle_parameters(document)
    if document.market.replayed and document.simulation.by_regime:
        sentence = 'has no regimes to go by, because market.source is "replay"; leave it out'
        yield Problem("simulation.by_regime", sentence, ("market.source",))
    for word in CHECKED:
        yield from policy_value(document, word, getattr(document.policy, word), f"policy.{word}")


def policy_value(document: Document, word: str, value: object, at: str) -> Iterator[Problem]:
    """Faults of one policy key's parsed value against the rest; `at` is where it stands."""
    if word == "venue":
        yield from _venue(document, str(value), at)
    if word == "side":
        yield from _side(document, str(value), at)
    yield from _from_regimes(document, word, value, at)
    if word in ("holding", "rebalance_interval") and isinstance(value, float) and isfinite(value):
        yield from whole_steps(value, at, document.simulation.step)


def of_the_market(document: Document) -> list[Problem]:
    """The faults that a market value can bring about."""
    side = document.policy.side
    return [*market_checks.problems(document), *_side(document, side, "policy.side")]


def brought(
    document: Document,
    known: list[Problem],
    key: str,
    at: str,
    when: str = "with this value",
) -> Iterator[Problem]:
    """Faults of the market of `document` that `known` has not.

    key: the market key whose swept value made the document. at: where that value stands. when:
    how it came about, where the fault is that of another key. What merely would do nothing may
    stand in a market that is swept.
    """
    for problem in of_the_market(document):
        if problem not in known and not problem.idle:
            own = touches(problem.key, key)
            words = "" if own else f"{when}, {problem.key}: "
            yield Problem(at, f"{words}{problem.sentence}", problem.needs)


def _steps(document: Document) -> Iterator[Problem]:
    simulation = document.simulation
    steps = whole_multiple(simulation.horizon, simulation.step)
    both = ("simulation.step", "simulation.horizon")
    if steps is None:
        yield from whole_steps(simulation.horizon, "simulation.horizon", simulation.step)
    elif steps > MOST_STEPS[simulation.precision]:
        most = MOST_STEPS[simulation.precision]
        mend = "take a longer step or a shorter horizon"
        if steps <= MOST_STEPS["float64"]:
            mend = f'write precision = "float64", or {mend}'
        yield Problem(
            "simulation.horizon",
            f"makes {steps:,} steps, and {simulation.precision} counts at most {most:,}; {mend}",
            (*both, "simulation.precision"),
        )


def _venue(document: Document, value: str, at: str) -> Iterator[Problem]:
    names = [venue.name for venue in document.venues]
    pair = value.split("/")
    for name in pair:
        if name not in names:
            hint = did_you_mean(name, names)
            yield Problem(
                at,
                f"must be one of {quoted(names)}{f'; {hint}' if hint else ''}",
                chains.names_in(names, "venues"),
            )
            return
    places = [names.index(name) for name in pair]
    modes = [document.venues[place].margin_mode for place in places]
    if len({*modes}) > 1:
        says = ", ".join(f'{name} "{mode}"' for name, mode in zip(pair, modes, strict=True))
        needs = tuple(f"venues[{place}].margin_mode" for place in places)
        yield Problem(at, f"must be two venues of one margin_mode, these have {says}", needs)


def _side(document: Document, value: str, at: str) -> Iterator[Problem]:
    market = document.market
    if market.replayed:
        yield from _replayed_side(market.replay, value, at)
        return
    if value == "spread" and not market.mispriced:
        yield Problem(at, "needs mispricing; add it to the regimes", ("market.regimes",))
    if value == "funding" and not market.funded:
        sentence = "needs funding; add it to every regime, or add [[market.funding_regimes]]"
        yield Problem(at, sentence, ("market.regimes", "market.funding_regimes"))


def _from_regimes(document: Document, word: str, value: object, at: str) -> Iterator[Problem]:
    """Whether a number that is taken from the regimes means anything."""
    if document.market.step is None:
        return
    if word == "hedge_ratio" and value == "min-variance":
        sentence = "is taken from the regimes, which market.step may change; give a number"
        yield Problem(at, sentence, ("market.step",))
    if word == "sizing_correlation" and value != "off":
        sentence = 'sizes by the regimes, which market.step may change; write "off"'
        yield Problem(at, sentence, ("market.step",))


def _idle_parameters(document: Document) -> Iterator[Problem]:
    for section in SECTIONS:
        table = getattr(document, section)
        if table.parameters and table.step is None:
            sentence = f"are for code, and there is none; add {section}.step, or leave them out"
            yield Problem(f"{section}.parameters", sentence, (f"{section}.step",))


def _replayed_side(replay: Replay | None, value: str, at: str) -> Iterator[Problem]:
    if replay is None:
        return
    if value == "spread" and replay.spread_half_life == inf:
        key = "market.replay.spread_half_life"
        yield Problem(at, f"needs a z; state {key}", (key,))
    if value == "funding" and not replay.funding:
        yield Problem(at, "needs funding; name market.replay.funding", ("market.replay.funding",))


def _tiers(document: Document, venue: Venue, at: str) -> Iterator[Problem]:
    """Whether tables by asset are of the market's assets, and of both."""
    if not isinstance(venue.maintenance_tiers, dict):
        return
    assets = document.market.assets
    for name in venue.maintenance_tiers:
        if name not in assets:
            hint = did_you_mean(name, assets)
            sentence = f"is no asset; {hint or f'they are {quoted(assets)}'}"
            yield Problem(f"{at}.{name}", sentence, ("market.assets",))
    missing = [asset for asset in assets if asset not in venue.maintenance_tiers]
    if missing:
        sentence = f"must have tiers for each asset, and has none for {quoted(missing)}"
        yield Problem(at, sentence, ("market.assets",))
