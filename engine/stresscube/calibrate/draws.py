"""Draws of a calibrated market's numbers, for `[market.uncertainty]`: what the data leave open.

As rows of a file they come from refits (`bootstrap`), or, at next to no cost, from the errors:
normal around the estimate with its asymptotic covariance, on the scale on which the likelihood was
climbed (logarithms of volatilities, rates and degrees of freedom less 2, arcs of correlations). In
the latter a parameter of which the data say nothing stays where it is, and so does what has no
covariance: the cointegrating slope and where the funding chain goes; numbers of funding and basis
are drawn one by one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate.basis import Component
from stresscube.calibrate.fit import Fit, limits
from stresscube.calibrate.funding import Premiums
from stresscube.calibrate.parts import Chain, Parts
from stresscube.errors import StresscubeError
from stresscube_kernels.draws import PATHS_A_DRAW

Array = NDArray[np.float64]
Rng = np.random.Generator
SEED = 20210101
TRIES = 50
"""Draws in vain, one after the other, beyond which the covariance is no use."""
WIDEST = 1e4


def by_covariance(
    found: Fit, spread: Array, market: Callable[[Array], Parts], premiums: Premiums | None,
    assets: tuple[str, str], count: int,
) -> list[dict[str, str]]:  # fmt: skip
    """`count` rows of keys and values.

    spread: covariance of the fit's parameters, NaN where the data say nothing. market: what
    parameters say, states in the order of the fit. Raises StresscubeError where draws leave what a
    scenario may hold.
    """
    rng = np.random.default_rng(SEED)
    root = square_root(spread)
    reach = limits(found.design, found.theta, found.bars)
    low, high = (np.array(side) for side in zip(*reach, strict=True))
    rows: list[dict[str, str]] = []
    missed = 0
    while len(rows) < count:
        theta = found.theta + root @ rng.standard_normal(len(root))
        kept = np.clip(theta, low, high)  # rates to what bars can show
        made = market(kept)
        lost = (kept != theta)[: len(found.design.columns)].any()
        if lost or not _sound(made):
            missed += 1
            if missed > TRIES * (len(rows) + 1):
                raise StresscubeError("--uncertainty: the errors are too wide to draw from")
            continue
        tied = replace(made, mispricing=_of_basis(made.mispricing, rng))
        rows.append(columns(tied, _of_funding(premiums, rng), assets))
    return rows


def draws_file(name: str) -> str:
    """Where the draws of NAME.toml stand, beside it."""
    return f"{name}.draws.csv"


def asked(text: str, name: str, count: int) -> str:
    """A calibrated scenario that takes its numbers from draws, with paths enough for all."""
    paths = PATHS_A_DRAW * count
    made = text.replace("\npaths = 2000\n", f"\npaths = {paths}\n", 1)
    table = f'uncertainty = {{ file = "{draws_file(name)}", draws = {count} }}'
    made = made.replace("\n[market]\n", f"\n[market]\n{table}\n", 1)
    return made.replace(
        '"± ?" marks a number of which the data say nothing.',
        '"± ?" marks a number of which the data say nothing.\n'
        "# Paths have draws of the numbers in turn: errors in the cube include those of the fit.",
        1,
    )


def square_root(spread: Array) -> Array:
    """A matrix R with R R' the covariance; 0 for what has none."""
    values, vectors = np.linalg.eigh(np.nan_to_num(spread))
    return vectors * np.sqrt(np.clip(values, 0.0, None))


def _sound(made: Parts) -> bool:
    """Whether every number is one that a scenario may hold."""
    chains = [made.regimes, made.correlation, *([made.volatility] if made.volatility else [])]
    numbers = [made.regimes.numbers[:, :2], *(chain.numbers for chain in chains[1:])]
    numbers += [jump.numbers for jump in made.jumps]
    return all(np.isfinite(each).all() and np.abs(each).max() < WIDEST for each in numbers)


def _of_basis(found: tuple[Component, ...], rng: Rng) -> tuple[Component, ...]:
    """Half-lives and deviations of the mispricing, lognormal."""
    return tuple(
        Component(
            _lognormal(part.half_life, part.errors[0], rng),
            _lognormal(part.std, part.errors[1], rng),
            part.errors, part.spikes, part.spike_std,
        )
        for part in found
    )  # fmt: skip


def _of_funding(found: Premiums | None, rng: Rng) -> Premiums | None:
    if found is None:
        return None
    errors = np.nan_to_num(found.errors)
    normal = rng.standard_normal(errors.shape)
    arcs = np.arctanh(np.clip(found.rho, -0.999999, 0.999999))

    def log(values: Array, part: slice | int) -> Array:
        relative = np.divide(errors[:, part], values, out=np.zeros_like(values), where=values > 0)
        width = np.sqrt(np.log1p(np.where(np.isfinite(values), relative, 0.0) ** 2))
        return values * np.exp(width * normal[:, part])

    return Premiums(
        found.mean + errors[:, :2] * normal[:, :2],
        log(found.std, slice(2, 4)),
        log(found.half_life, 4),
        np.tanh(arcs + errors[:, 5] * np.cosh(arcs) ** 2 * normal[:, 5]),
        log(found.durations, 6),
        found.next, found.bic, found.errors,
    )  # fmt: skip


def _lognormal(value: float, error: float, rng: Rng) -> float:
    """A draw around a value whose deviation is the error; the value where that is unknown."""
    step = float(rng.standard_normal())
    if not math.isfinite(error) or value <= 0.0:
        return value
    return value * math.exp(step * math.sqrt(math.log1p((error / value) ** 2)))


def columns(made: Parts, premiums: Premiums | None, assets: tuple[str, str]) -> dict[str, str]:
    """What a draw puts where: dotted keys of the scenario, and values as it writes them."""
    found: dict[str, str] = {}
    for k, at in enumerate(_states("regimes", made.regimes, found)):
        a, b, dof = made.regimes.numbers[k]
        found |= _pair(f"{at}.volatility", (a, b), assets)
        if math.isfinite(dof):
            found[f"{at}.tail_dof"] = _number(dof)
        _jumps(made, k, at, assets, found)
        for number, part in enumerate(made.mispricing):
            key = f"{at}.mispricing[{number}]"
            found |= {f"{key}.half_life": _hours(part.half_life), f"{key}.std": _number(part.std)}
            if number == 0:  # spikes are of the fastest
                found[f"{key}.spike_intensity"] = _number(part.spikes)
                found[f"{key}.spike_std"] = _number(part.spike_std)
    if made.volatility is not None:
        for k, at in enumerate(_states("volatility_regimes", made.volatility, found)):
            a, b = made.volatility.numbers[k]
            found |= _pair(f"{at}.multiplier", (a, b), assets)
    for k, at in enumerate(_states("correlation_regimes", made.correlation, found)):
        found[f"{at}.correlation"] = _number(made.correlation.numbers[k, 0])
    if premiums is not None:
        _funding(premiums, assets, found)
    return found


def _states(table: str, chain: Chain, found: dict[str, str]) -> list[str]:
    """The key of each state; how long it lasts and what follows are put in `found`."""
    keys = [f"market.{table}.{name}" for name in chain.names]
    for k, at in enumerate(keys):
        if math.isinf(chain.durations[k]):
            continue
        found[f"{at}.mean_duration"] = _hours(chain.durations[k])
        if len(keys) > 2:
            others = [j for j in range(len(keys)) if j != k]
            total = chain.next[k][others].sum()
            for j in others:
                found[f"{at}.next.{chain.names[j]}"] = f"{chain.next[k][j] / total:.12f}"
    return keys


def _jumps(
    made: Parts, regime: int, at: str, assets: tuple[str, str], found: dict[str, str]
) -> None:
    for jump in made.jumps:
        if jump.regime != regime:
            continue
        rate, *rest = jump.numbers
        if jump.kind == "news":
            key = f"{at}.jumps"
            found |= _pair(f"{key}.mean", rest[:2], assets) | _pair(f"{key}.std", rest[2:4], assets)
            found[f"{key}.correlation"] = _number(rest[4])
        else:
            key = f"{at}.idiosyncratic_jumps[{'ab'.index(jump.kind)}]"
            found |= {f"{key}.mean": _number(rest[0]), f"{key}.std": _number(rest[1])}
        found[f"{key}.intensity"] = _number(rate)


def _funding(premiums: Premiums, assets: tuple[str, str], found: dict[str, str]) -> None:
    names = tuple(f"premium-{k + 1}" for k in range(len(premiums.mean)))
    chain = Chain(names, premiums.durations, premiums.next, premiums.mean)
    for k, at in enumerate(_states("funding_regimes", chain, found)):
        key = f"{at}.funding"
        found |= _pair(f"{key}.mean", premiums.mean[k], assets)
        found |= _pair(f"{key}.std", premiums.std[k], assets)
        found[f"{key}.half_life"] = _hours(premiums.half_life[k])
        found[f"{key}.correlation"] = _number(premiums.rho[k])


def _pair(key: str, values: Sequence[float] | Array, assets: tuple[str, str]) -> dict[str, str]:
    named = zip(assets, values, strict=True)
    return {f"{key}.{asset}": _number(value) for asset, value in named}


def _number(value: float) -> str:
    return f"{float(value):.6g}"


def _hours(value: float) -> str:
    return f"{float(value):.6f}h"


def text(rows: Sequence[dict[str, str]], said: Sequence[str]) -> str:
    """A file of draws. said: sentences for its head."""
    head = [f"# {sentence}" for sentence in said]
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    return "\n".join([*head, *lines, ""])
