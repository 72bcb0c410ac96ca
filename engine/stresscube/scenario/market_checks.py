"""Faults of the market that show only when several of its keys are read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stresscube.scenario import chains, replay_checks
from stresscube.scenario.faults import Problem, did_you_mean, quoted
from stresscube.scenario.market import Market, Uncertainty
from stresscube.scenario.policy import Document
from stresscube.scenario.regimes import Regime
from stresscube.scenario.simulation import Simulation
from stresscube.scenario.units import HOURS_PER_YEAR, format_duration, whole_multiple
from stresscube_kernels.draws import PATHS_A_DRAW
from stresscube_kernels.replay import BATCHES

MOST_EVENTS = 0.1
"""Events a step beyond which one at most is too few: the second one has 5% of the first's rate."""

SECOND = 1 / 3600
STEPS = (
    *(24.0, 12.0, 8.0, 6.0, 4.0, 3.0, 2.0, 1.0),
    *(count * 60 * SECOND for count in (30, 20, 15, 10, 5, 2, 1)),
    *(count * SECOND for count in (30, 20, 15, 10, 5, 2, 1)),
    *(count * SECOND / 1000 for count in (500, 200, 100, 50, 20, 10, 5, 2, 1)),
)
"""Hours of the steps that a message may propose."""


def problems(document: Document) -> Iterator[Problem]:
    """Everything in a market that contradicts something else in it, or the simulation."""
    market, simulation = document.market, document.simulation
    yield from chains.repeated(market.assets, "market.assets", "")
    if market.replayed:
        yield from replay_checks.problems(market)
        return
    yield from _draws(market.uncertainty, simulation)
    if not market.regimes:
        yield Problem("market.regimes", "is missing; add [[market.regimes]]")
    yield from _chains(market)
    yield from _correlations(market)
    for index, regime in enumerate(market.regimes):
        at = f"market.regimes[{index}]"
        yield from _events(regime, at, simulation)
        yield from _mispricing(regime, at, market, simulation)
    yield from _funding(market)
    if market.fat_tailed:
        yield from whole_steps(market.tail_interval, "market.tail_interval", simulation.step)
    if market.funded:
        yield from whole_steps(market.funding_interval, "market.funding_interval", simulation.step)
    yield from _shocks(market, simulation)


def _draws(asked: Uncertainty | None, simulation: Simulation) -> Iterator[Problem]:
    """Whether batches have draws of their own, and draws the same number of paths."""
    if asked is None or asked.per != "path" or asked.draw is not None:
        return
    key = "market.uncertainty.draws"
    if asked.draws % BATCHES:
        yield Problem(
            key,
            f"must be a multiple of {BATCHES} where paths have the draws, so that none of the "
            f"{BATCHES} batches that errors of differences come from shares a draw with another",
            ("market.uncertainty.per",),
        )
        return
    together = asked.draws * PATHS_A_DRAW
    if simulation.paths % together:
        more = (simulation.paths // together + 1) * together
        yield Problem(
            "simulation.paths",
            f"must be a multiple of {together:,}, {PATHS_A_DRAW} paths for each of the "
            f"{asked.draws} draws; take {more:,}",
            (key, "market.uncertainty.per"),
        )


def whole_steps(hours: float, at: str, step: float) -> Iterator[Problem]:
    """Whether a time is a whole number of steps, at least one."""
    if whole_multiple(hours, step) is None:
        sentence = f"must be a whole number of steps of {format_duration(step)}"
        yield Problem(at, sentence, ("simulation.step",))


def _chains(market: Market) -> Iterator[Problem]:
    """Each chain's states, and where it starts."""
    for name in ("regimes", "volatility_regimes", "correlation_regimes", "funding_regimes"):
        start = f"initial_{name.removesuffix('s')}"
        states: Sequence[chains.State] = getattr(market, name)
        initial = str(getattr(market, start))
        yield from chains.problems(states, f"market.{name}", initial, f"market.{start}")


def _correlations(market: Market) -> Iterator[Problem]:
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
            idle=True,
        )


def _events(regime: Regime, at: str, simulation: Simulation) -> Iterator[Problem]:
    """Jumps and spikes: none so frequent that two of them would often share a step."""
    rates: dict[str, tuple[float, str]] = {}
    if regime.jumps is not None:
        rates["jumps.intensity"] = (regime.jumps.intensity, "jumps")
    for leg, alone in enumerate(regime.idiosyncratic_jumps):
        rates[f"idiosyncratic_jumps[{leg}].intensity"] = (alone.intensity, "jumps")
    for part, x in enumerate(regime.mispricing):
        if x.spike_std > 0.0:
            rates[f"mispricing[{part}].spike_intensity"] = (x.spike_intensity, "spikes")
    for key, (rate, what) in rates.items():
        if rate * simulation.step / HOURS_PER_YEAR > MOST_EVENTS:
            yield Problem(f"{at}.{key}", _too_many(rate, what, simulation), ("simulation.step",))
    if len(regime.idiosyncratic_jumps) == 1:
        yield Problem(
            f"{at}.idiosyncratic_jumps",
            "must have two tables, one for each leg; { intensity = 0 } is a leg without jumps",
        )


def _too_many(rate: float, what: str, simulation: Simulation) -> str:
    count = rate * simulation.step / HOURS_PER_YEAR
    fitting = (
        hours
        for hours in STEPS
        if rate * hours / HOURS_PER_YEAR <= MOST_EVENTS
        and whole_multiple(simulation.horizon, hours)
    )
    step = next(fitting, MOST_EVENTS / rate * HOURS_PER_YEAR)
    return (
        f"makes {count:.2g} {what} a step, and at most one is drawn; "
        f"take a step of {format_duration(step)} or less"
    )


def _mispricing(
    regime: Regime, at: str, market: Market, simulation: Simulation
) -> Iterator[Problem]:
    counts = [len(other.mispricing) for other in market.regimes]
    most = max(counts)
    if market.mispriced and len(regime.mispricing) < most:
        example = f"market.regimes[{counts.index(most)}]"
        tables = "one table" if most == 1 else f"{most} tables"
        yield Problem(
            f"{at}.mispricing",
            f"must have {tables}, as {example} has: say what becomes of each component in this "
            "regime, if only { half_life, std = 0 }",
            (f"{example}.mispricing",),
        )
    for index, part in enumerate(regime.mispricing):
        if part.moves and part.half_life < simulation.step * (1 - 1e-9):
            yield Problem(
                f"{at}.mispricing[{index}].half_life",
                f"must be at least one step ({format_duration(simulation.step)}); "
                "take a shorter step",
                ("simulation.step",),
            )


def _funding(market: Market) -> Iterator[Problem]:
    """Either the funding chain carries the premium index, or every regime does, or none."""
    chained = bool(market.funding_regimes)
    for index, regime in enumerate(market.regimes):
        at = f"market.regimes[{index}].funding"
        if chained and regime.funding is not None:
            yield Problem(
                at,
                "would not act, because [[market.funding_regimes]] carry the funding; "
                "remove one or the other",
                ("market.funding_regimes",),
            )
        if not chained and market.funded and regime.funding is None:
            yield Problem(
                at,
                "is missing; state funding in every regime or in none, or in "
                "[[market.funding_regimes]]",
                ("market.funding_regimes",),
            )


def _shocks(market: Market, simulation: Simulation) -> Iterator[Problem]:
    names = [regime.name for regime in market.regimes]
    for index, shock in enumerate(market.shocks):
        at = f"market.shocks[{index}]"
        if shock.at > 0.0:
            yield from whole_steps(shock.at, f"{at}.at", simulation.step)
        yield from whole_steps(shock.duration, f"{at}.duration", simulation.step)
        end = shock.at + shock.duration
        if end > simulation.horizon * (1 + 1e-9):
            yield Problem(
                f"{at}.at",
                f"makes the shock end after {format_duration(end)}, and the horizon is "
                f"{format_duration(simulation.horizon)}",
                (f"{at}.duration", "simulation.horizon"),
            )
        if shock.regime is not None and shock.regime not in names:
            hint = did_you_mean(shock.regime, names)
            yield Problem(
                f"{at}.regime",
                f"must be one of {quoted(names)}{f'; {hint}' if hint else ''}",
                chains.names_in(names, "market.regimes"),
            )
        yield from _overlaps(market, index)


def _overlaps(market: Market, index: int) -> Iterator[Problem]:
    """Whether a shock shares time with an earlier one of the list."""
    shock = market.shocks[index]
    for before, other in enumerate(market.shocks[:index]):
        shared = min(shock.at + shock.duration, other.at + other.duration)
        shared -= max(shock.at, other.at)
        if shared > 1e-9 * (shock.duration + other.duration):
            yield Problem(
                f"market.shocks[{index}].at",
                f"overlaps market.shocks[{before}], which lasts from "
                f"{_clock(other.at)} to {_clock(other.at + other.duration)}",
                tuple(f"market.shocks[{k}].{key}" for k in (before, index)
                      for key in ("at", "duration")),
            )  # fmt: skip


def _clock(hours: float) -> str:
    return format_duration(hours) if hours > 0.0 else "the start"
