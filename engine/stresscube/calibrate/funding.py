"""The premium index behind funding prints, by likelihood.

The states of a hidden chain hold mean and deviation of both legs' premiums, how fast they forget,
and how their noise correlates. The gradient is Fisher's, as that of the prices is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate import climb
from stresscube.calibrate.design import generator, over_a_bar, stationary
from stresscube.calibrate.errors import inverted, of
from stresscube.calibrate.likelihood import rate_slopes
from stresscube.calibrate.premiums import UNIT, Leg, Prints
from stresscube_kernels.hidden import Workspace

Array = NDArray[np.float64]
MOST = 4
STEP = 1e-6
"""Of a difference to one side: it moves what is likeliest by half of this."""
SHARE = 0.01
"""Of a difference of gradients, in standard errors of a parameter whose states were seen."""
EACH = 6
"""Parameters of a state: means, log deviations of both legs, logit of what is kept, atanh rho."""
MOVED = ((0,), (1,), (0,), (1,), (0, 1), ())
"""The legs that each of them moves: atanh rho only says how they go together."""


@dataclass(frozen=True)
class Premiums:
    """States in ascending order of leg a's mean. mean, std: [n, 2], per interval. half_life:
    hours [n]. rho: of the legs' noise [n]. durations: hours [n]. next: [n, n]. bic: Schwarz's
    criterion. errors: standard errors of mean, std, half_life, rho and durations side by side
    [n, 7], NaN where the prints say nothing.
    """

    mean: Array
    std: Array
    half_life: Array
    rho: Array
    durations: Array
    next: Array
    bic: float
    errors: Array


def fit(
    prints: Array, interval: float, tell: Callable[[str], None], *, interest: float = 1e-4,
    clamp: float = 5e-4, most: int = MOST, goes_on: Callable[[], None] = lambda: None,
) -> Premiums:  # fmt: skip
    """The premium index of prints [prints, 2], states by BIC. interest: per interval, in hours.

    goes_on: called now and then; what it raises ends the fit.
    """
    seen = Prints(prints, interest, clamp)
    best: tuple[_Clamped, Array, float] | None = None
    for states in range(1, most + 1):
        model = _Clamped(seen, states, goes_on)
        theta, bic = model.fitted()
        tell(f"funding, {states} states: BIC {bic:,.0f}")
        if best is not None and bic >= best[2]:
            break
        best = model, theta, bic
    assert best is not None
    model, rough, _ = best
    made = model.climbed(rough, climb.ENOUGH)
    return model.premiums(made.at, model.bic(made.at, made.value), interval)


def refit(
    prints: Array, interval: float, found: Premiums, *, interest: float = 1e-4,
    clamp: float = 5e-4, goes_on: Callable[[], None] = lambda: None,
) -> tuple[Premiums, bool]:  # fmt: skip
    """The same with as many states as were found, begun at them and in their order, without
    errors (NaN); and whether the climb came to an end.
    """
    model = _Clamped(Prints(prints, interest, clamp), len(found.mean), goes_on)
    made = model.climbed(_parameters(found, interval), climb.ENOUGH)
    return model.in_words(made.at, model.bic(made.at, made.value), interval), made.converged


def _parameters(found: Premiums, interval: float) -> Array:
    """The parameters that say what was found."""
    n = len(found.mean)
    kept = 0.5 ** (interval / found.half_life)
    rates = found.next[~np.eye(n, dtype=bool)].reshape(n, -1) * interval / found.durations[:, None]
    cells = [found.mean.T / UNIT, np.log(found.std.T / UNIT), np.log(kept / (1.0 - kept))]
    return np.concatenate([
        *map(np.ravel, cells), np.arctanh(found.rho), np.log(np.maximum(rates, 1e-300)).ravel()
    ])  # fmt: skip


class _Clamped:
    """The likelihood of prints under one number of states. theta: [EACH * n] numbers of the
    states, a row a parameter, then log rates.
    """

    def __init__(self, prints: Prints, states: int, goes_on: Callable[[], None]) -> None:
        self._goes_on = goes_on
        self._prints = prints
        self._states = states
        self._work = Workspace(len(prints), (states,))

    def fitted(self) -> tuple[Array, float]:
        """The most likely parameters, and BIC."""
        n, prints = self._states, self._prints
        known = np.where(prints.at, (prints.low + prints.high) / 2.0, prints.premium)
        centre = np.quantile(known, (np.arange(n) + 0.5) / n, axis=0)
        at = np.concatenate([
            centre.T.ravel(), np.full(2 * n, math.log(known.std() / n)), np.zeros(n),
            np.full(n, 0.5), np.full(n * (n - 1), math.log(1.0 / 30.0 / max(1, n - 1))),
        ])  # fmt: skip
        made = self.climbed(at, climb.ROUGH)
        return made.at, self.bic(made.at, made.value)

    def bic(self, theta: Array, value: float) -> float:
        """Schwarz's criterion of parameters with that log-likelihood."""
        return len(theta) * math.log(len(self._prints)) - 2.0 * value

    def climbed(self, begin: Array, enough: float) -> climb.Climb:
        """The most likely parameters from `begin` on."""
        n = self._states
        limits = [(-100.0, 100.0)] * (2 * n) + [(-4.0, 5.0)] * (2 * n) + [(-5.0, 6.0)] * n
        limits += [(-2.5, 2.5)] * n + [(-9.0, 0.0)] * (n * (n - 1))
        at = np.clip(begin, *np.transpose(limits))
        for iterations in (20, 150):
            unit = self._units(at)
            made = climb.climbed(self.slope, at, unit, limits, enough=enough, most=iterations)
            at = made.at
            if made.converged:
                break
        return made

    def slope(self, theta: Array) -> tuple[float, Array]:
        """The log-likelihood and its gradient."""
        self._goes_on()
        n, cells = self._states, EACH * self._states
        matrix = over_a_bar(generator(theta[cells:], n))
        legs = self._legs(theta)
        own = self._densities(theta, legs)
        value = self._forward(own, matrix)
        moves = self._work.smooth([matrix])[0][0]
        law = self._work.law
        gradient = np.zeros_like(theta)
        # a state's density knows its own numbers only, so that all states are moved at once
        for row in range(EACH):
            step = np.zeros_like(theta)
            step[row * n : (row + 1) * n] = STEP
            rise = self._densities(theta + step, self._legs(theta + step, MOVED[row], legs)) - own
            gradient[row * n : (row + 1) * n] = (law * rise).sum(axis=0) / STEP
        gradient[cells:] = rate_slopes(theta[cells:], n, moves, law[0])
        return value, gradient

    def premiums(self, theta: Array, bic: float, interval: float) -> Premiums:
        """In the words of scenarios, with standard errors, the states in ascending order."""
        n = self._states
        order = np.argsort(theta[:n])
        spread = self._covariance(theta)
        errors = of(lambda at: self._table(at, interval).ravel(), theta, spread).reshape(n, -1)
        found = self.in_words(theta, bic, interval)
        return Premiums(
            found.mean[order], found.std[order], found.half_life[order], found.rho[order],
            found.durations[order], found.next[np.ix_(order, order)], bic, errors[order],
        )  # fmt: skip

    def in_words(self, theta: Array, bic: float, interval: float) -> Premiums:
        """In the words of scenarios, the states as they stand, without errors (NaN)."""
        n = self._states
        made = self._table(theta, interval)
        going = generator(theta[EACH * n :], n)
        np.fill_diagonal(going, 0.0)
        going /= np.maximum(going.sum(axis=1, keepdims=True), 1e-300)
        return Premiums(
            made[:, :2], made[:, 2:4], made[:, 4], made[:, 5], made[:, 6], going, bic,
            np.full((n, 7), np.nan),
        )  # fmt: skip

    def _table(self, theta: Array, interval: float) -> Array:
        """Mean, std, half_life, rho and durations side by side, [n, 7]."""
        mean, std, kept, rho = self._split(theta)
        rates = -np.diag(generator(theta[EACH * self._states :], self._states))
        with np.errstate(divide="ignore"):
            durations = interval / rates
        lives = interval * math.log(0.5) / np.log(kept)
        return np.column_stack([mean * UNIT, std * UNIT, lives, rho, durations])

    def _forward(self, logs: Array, matrix: Array) -> float:
        self._work.densities(logs)
        return self._work.likelihood([matrix], stationary(matrix))

    def _legs(
        self, theta: Array, moved: Sequence[int] = (0, 1), known: Sequence[Leg] = ()
    ) -> list[Leg]:
        """What both legs say, of those that have not moved what is known."""
        mean, std, kept, _ = self._split(theta)
        return [
            self._prints.ahead(leg, mean[:, leg], std[:, leg], kept) if leg in moved else known[leg]
            for leg in (0, 1)
        ]

    def _densities(self, theta: Array, legs: Sequence[Leg]) -> Array:
        return self._prints.log_density(legs, self._split(theta)[3])

    def _split(self, theta: Array) -> tuple[Array, Array, Array, Array]:
        """Means, deviations [n, 2], what is kept from print to print [n], and correlation [n]."""
        rows = theta[: EACH * self._states].reshape(EACH, self._states)
        return rows[:2].T, np.exp(rows[2:4].T), 1.0 / (1.0 + np.exp(-rows[4])), np.tanh(rows[5])

    def _units(self, theta: Array) -> Array:
        """About the parameters' standard errors, were the states seen."""
        n = self._states
        matrix = over_a_bar(generator(theta[EACH * n :], n))
        self._forward(self._densities(theta, self._legs(theta)), matrix)
        moves = self._work.smooth([matrix])[0][0]
        seen = self._work.law.sum(axis=0) + 2.0
        std = self._split(theta)[1].T.ravel()
        twice = np.concatenate([seen, seen])
        leaving = moves[~np.eye(n, dtype=bool)] + 2.0
        cells = [std / np.sqrt(0.3 * twice), 1.0 / np.sqrt(2.0 * twice)]
        cells += [1.0 / np.sqrt(0.3 * seen), 1.0 / np.sqrt(seen), 1.0 / np.sqrt(leaving)]
        return np.concatenate(cells)

    def _covariance(self, theta: Array) -> Array:
        steps = SHARE * self._units(theta)
        here = self.slope(theta)[1]
        rows = [(self.slope(theta + step)[1] - here) / step.sum() for step in np.diag(steps)]
        information = -np.array(rows)
        return inverted((information + information.T) / 2.0, 1e-6 * len(self._prints))
