"""A scenario's market against recorded history: every fact with the band of many simulations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stresscube.errors import StresscubeError
from stresscube.realism.facts import HOURS_A_YEAR, Series, facts
from stresscube.text import plural
from stresscube_kernels import view
from stresscube_kernels.spec import AnyMarket, DrawnSpec, SimulationSpec

Array = NDArray[np.float64]
SIMULATIONS = 200
BAND = 0.95
Advance = Callable[[int, int], None]


@dataclass(frozen=True)
class Fact:
    """One fact: of the history, and of every simulation. band: its central share."""

    name: str
    real: float
    simulated: Array
    band: float = BAND

    @property
    def limits(self) -> tuple[float, float]:
        """Between which the central share of the simulations lies."""
        edge = (1.0 - self.band) / 2.0
        low, high = np.quantile(self.simulated, [edge, 1.0 - edge])
        return float(low), float(high)

    @property
    def median(self) -> float:
        """Of the simulations."""
        return float(np.median(self.simulated))

    @property
    def passes(self) -> bool:
        """Whether the history lies inside the band."""
        low, high = self.limits
        return low <= self.real <= high


def compare(
    market: AnyMarket,
    simulation: SimulationSpec,
    history: Series,
    assets: tuple[str, str],
    *,
    simulations: int = SIMULATIONS,
    band: float = BAND,
    threads: int = 1,
    advance: Advance | None = None,
) -> tuple[Fact, ...]:
    """Every fact of the history beside that of simulations of its length.

    Of a market whose numbers are drawn the simulations have the draws in turn, so that the bands
    hold what is not known of it. simulation: step, seed and precision count; its length is the
    history's. advance: called with the simulations done and wanted. Raises StresscubeError where
    the step does not divide a bar.
    """
    real = facts(history, assets)
    every = steps_a_bar(history, simulation)
    run = replace(simulation, steps=len(history.returns) * every)
    found: dict[str, list[float]] = {name: [] for name in real}
    done = 0
    for one_market, first, count in _parts(market, simulations, view.LANES * threads):
        bars = view.bars(one_market, run, every, first, count, threads=threads)
        for path in range(count):
            funding = bars.funding[path] if history.funding is not None else None
            one = replace(history, returns=bars.returns[path], funding=funding)
            for name, value in facts(one, assets).items():
                found[name].append(value)
        done += count
        if advance is not None:
            advance(done, simulations)
    return tuple(
        Fact(name, value, np.array(found[name]), band)
        for name, value in real.items()
        if len(found[name]) == simulations
    )


def _parts(
    market: AnyMarket, simulations: int, at_once: int
) -> Iterator[tuple[AnyMarket, int, int]]:
    """(market, first path, paths) of all simulations; draws of a market have as many each."""
    draws = market.draws if isinstance(market, DrawnSpec) else (market,)
    shares = [len(range(k, simulations, len(draws))) for k in range(len(draws))]
    first = 0
    for draw, share in zip(draws, shares, strict=True):
        for at in range(0, share, at_once):
            count = min(at_once, share - at)
            yield draw, first, count
            first += count


def steps_a_bar(history: Series, simulation: SimulationSpec) -> int:
    """How many steps make a bar of the history."""
    step = simulation.step * HOURS_A_YEAR
    count = round(history.step / step)
    if count < 1 or abs(count * step - history.step) > 1e-6 * history.step:
        raise StresscubeError(
            f"simulation.step: the data have bars of {history.step:g} h, which is not a whole "
            f"number of steps of {step:g} h; take --set simulation.step=BAR"
        )
    return count


def verdict(found: tuple[Fact, ...]) -> str:
    """How many facts pass, in words."""
    passed = sum(fact.passes for fact in found)
    return f"{passed} of {plural(len(found), 'fact')} inside the band"
