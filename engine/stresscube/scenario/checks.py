"""Faults that show only when two keys of a document are read together."""

from __future__ import annotations

from collections.abc import Iterator

from stresscube.scenario import chains
from stresscube.scenario.faults import Problem, did_you_mean, quoted
from stresscube.scenario.policy import Document
from stresscube.scenario.units import format_duration, whole_multiple

MOST_STEPS = {"float32": 2**24, "float64": 2**32 - 1}
"""float32 counts steps exactly up to 2**24; a step's number must fit 32 bits in any case."""


def problems(document: Document) -> Iterator[Problem]:
    """Everything in a document that contradicts something else in it."""
    yield from _steps(document)
    yield from _market(document)
    yield from chains.repeated([venue.name for venue in document.venues], "venues")
    for index, venue in enumerate(document.venues):
        if venue.latency > document.simulation.step:
            step = format_duration(document.simulation.step)
            yield Problem(
                f"venues[{index}].latency",
                f"must be at most one step ({step}); take a longer step or a shorter latency",
                ("simulation.step",),
            )
    for word in ("venue", "holding", "rebalance_interval"):
        yield from policy_value(document, word, getattr(document.policy, word), f"policy.{word}")


def policy_value(document: Document, word: str, value: object, at: str) -> Iterator[Problem]:
    """Faults of one policy key's parsed value against the rest; `at` is where it stands."""
    if word == "venue":
        yield from _venue(document, str(value), at)
    if word in ("holding", "rebalance_interval") and isinstance(value, float):
        step = document.simulation.step
        if value != float("inf") and whole_multiple(value, step) is None:
            yield Problem(at, _not_multiple(step), ("simulation.step",))


def market_value(document: Document, key: str, value: object, at: str) -> Iterator[Problem]:
    """Faults of one swept market value against the rest; `key` is its key in the document."""
    market = document.market
    if key == "market.initial_regime":
        yield from chains.starts(market.regimes, "market.regimes", str(value), at)
    if key == "market.initial_correlation_regime":
        states = market.correlation_regimes
        yield from chains.starts(states, "market.correlation_regimes", str(value), at)


def _steps(document: Document) -> Iterator[Problem]:
    simulation = document.simulation
    steps = whole_multiple(simulation.horizon, simulation.step)
    both = ("simulation.step", "simulation.horizon")
    if steps is None:
        yield Problem("simulation.horizon", _not_multiple(simulation.step), both)
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


def _not_multiple(step: float) -> str:
    return f"must be a whole number of steps of {format_duration(step)}"


def _market(document: Document) -> Iterator[Problem]:
    market = document.market
    yield from chains.repeated(market.assets, "market.assets", "")
    yield from chains.problems(
        market.regimes, "market.regimes", market.initial_regime, "market.initial_regime"
    )
    yield from chains.problems(
        market.correlation_regimes,
        "market.correlation_regimes",
        market.initial_correlation_regime,
        "market.initial_correlation_regime",
    )
    for index, regime in enumerate(market.regimes):
        if regime.correlation is None and not market.correlation_regimes:
            yield Problem(
                f"market.regimes[{index}].correlation",
                "is missing; state it here, or add [[market.correlation_regimes]]",
                ("market.correlation_regimes",),
            )
    if market.correlation_regimes and all(r.correlation is not None for r in market.regimes):
        yield Problem(
            "market.correlation_regimes",
            "would never act, because every regime states a correlation of its own; "
            "remove one or the other",
            tuple(f"market.regimes[{index}].correlation" for index in range(len(market.regimes))),
        )


def _venue(document: Document, value: str, at: str) -> Iterator[Problem]:
    names = [venue.name for venue in document.venues]
    for name in value.split("/"):
        if name not in names:
            hint = did_you_mean(name, names)
            yield Problem(
                at,
                f"must be one of {quoted(names)}{f'; {hint}' if hint else ''}",
                chains.names_in(names, "venues"),
            )
