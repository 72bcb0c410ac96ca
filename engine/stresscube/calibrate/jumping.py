"""Which regimes have jumps: those of which Schwarz's criterion approves, one kind after the other.

A kind is tried for a regime with the states' law as it is, which says by how much the likelihood
would rise at least (that is a step of expectation and maximisation), and only then fitted with all
else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from stresscube.calibrate.densities import Jump, Returns
from stresscube.calibrate.design import Design
from stresscube.calibrate.fit import Fit, rough
from stresscube.calibrate.likelihood import Likelihood
from stresscube_kernels.hidden import Workspace

Array = NDArray[np.float64]
Tell = Callable[[str], None]
KINDS = ("news", "a", "b")
SEEN = 0.02
"""Probability of a regime below which a bar is not asked for its jumps."""
PROMISING = 0.5
"""Share of what BIC asks for that the least rise must reach before all is fitted anew."""
SHIFTED = (0, 1, 3)
"""Of a state's numbers, those that a trial moves beside the jumps: both deviations and the tail."""
FEWEST = 100
"""Bars of a regime below which nothing is tried."""
SHARE, WIDTH = 0.005, 4.0
"""Jumps a bar and deviations of the regime, where a trial begins."""
FAILURES = 2
HOPE = 2.0
"""Falls of BIC that fits make of one that trials promise, at most."""


@dataclass(frozen=True)
class Trial:
    """A kind of jump in a regime: the least rise, the jump's parameters, the regime's shifts."""

    jump: Jump
    rise: float
    values: Array
    shifts: Array


def with_jumps(
    returns: Array, found: Fit, tell: Tell, *, threads: int = 1, least: float = 0.0
) -> Fit:
    """The fit with the jumps that BIC approves of, or as it was.

    least: a fall of BIC without which they are of no use. Where trials promise far less, none is
    fitted; where fits end on less, nothing is made simpler.
    """
    best, refused, failures = found, set[Jump](), 0
    trials = tried(returns, best, threads)
    if HOPE * promised(trials, found.bars) < least:
        return found
    while trials and failures < FAILURES:
        price = [len(one.values) * math.log(best.bars) / 2.0 for one in trials]
        promise = [one.rise - cost for one, cost in zip(trials, price, strict=True)]
        k = int(np.argmax(promise))
        if trials[k].rise < PROMISING * price[k]:
            break
        design, theta = jumping(best, trials[k])
        made = rough(returns, design, theta, threads)
        tell(f"{words(trials[k].jump)}: BIC {made.bic:,.0f}")
        if made.bic < best.bic:
            best = made
            trials = [one for one in tried(returns, best, threads) if one.jump not in refused]
        else:
            refused.add(trials.pop(k).jump)
            failures += 1
    if best.bic > found.bic - least:
        return best
    return simpler(returns, best, tell, threads)


def promised(trials: list[Trial], bars: int) -> float:
    """Fall of BIC by the best kind of every regime, as far as trials know."""
    best: dict[int, float] = {}
    for one in trials:
        fall = 2.0 * one.rise - len(one.values) * math.log(bars)
        best[one.jump.regime] = max(best.get(one.jump.regime, 0.0), fall)
    return sum(best.values())


def simpler(returns: Array, best: Fit, tell: Tell, threads: int) -> Fit:
    """The fit with less, as long as BIC falls: one kind left out, or news that move one leg.

    Jumps of one regime, before it has its own, look like those of another.
    """
    while True:
        made = [rough(returns, *fewer, threads) for fewer in _fewer(best)]
        least = min(made, key=lambda one: one.bic, default=best)
        if least.bic >= best.bic:
            return best
        best = least
        tell(f"with fewer kinds of jumps: BIC {best.bic:,.0f}")


def _fewer(found: Fit) -> list[tuple[Design, Array]]:
    """Designs with a kind of jump less, or a leg less in one, and where to begin."""
    made: list[tuple[Design, Array]] = []
    values = dict(zip(found.design.names, found.theta, strict=True))
    for jump in found.design.jumps:
        others = tuple(one for one in found.design.jumps if one != jump)
        alone = [Jump(jump.regime, leg) for leg in "ab"] if jump.kind == "news" else []
        if found.design.legs == 1:
            alone = []
        for instead in [(), *((one,) for one in alone if one not in others)]:
            jumps = sorted([*others, *instead], key=lambda j: (j.regime, j.kind))
            design = replace(found.design, jumps=tuple(jumps))
            begin = dict(values)
            for one in instead:
                prefix = f"0.news{jump.regime}."
                row = [values[prefix + field] for field in ("rate", one.kind, f"s{one.kind}")]
                begin |= dict(zip(one.names, row, strict=True))
            made.append((design, np.array([begin[name] for name in design.names])))
    return made


def words(jump: Jump) -> str:
    """For people. Regimes have the order of the fit here, not yet that of the file."""
    what = {"news": "jumps of both legs", "a": "jumps of leg a", "b": "jumps of leg b"}
    return f"{what[jump.kind]} in one more regime"


def jumping(before: Fit, trial: Trial) -> tuple[Design, Array]:
    """A design with one kind of jump more, and where to begin."""
    jumps = sorted([*before.design.jumps, trial.jump], key=lambda j: (j.regime, j.kind))
    design = replace(before.design, jumps=tuple(jumps))
    values = dict(zip(before.design.names, before.theta, strict=True))
    values |= dict(zip(trial.jump.names, trial.values, strict=True))
    for field, shift in zip(("a", "b", "nu"), trial.shifts, strict=True):
        name = f"0.{field}{trial.jump.regime}"
        if name in values:
            values[name] += shift
    return design, np.array([values[name] for name in design.names])


def tried(returns: Array, found: Fit, threads: int) -> list[Trial]:
    """Every kind that a regime has not."""
    design = found.design
    kinds = KINDS if design.legs > 1 else ("a",)
    jumps = [Jump(i, kind) for i in range(design.sizes[0]) for kind in kinds]
    law = Likelihood(returns, design, threads=threads).law(found.theta)
    centred = returns - returns.mean(axis=0)

    def one(jump: Jump) -> Trial:
        return _Held(centred, law, found, jump).climbed()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, [jump for jump in jumps if jump not in design.jumps]))


class _Held:
    """One regime's bars, the law of their states held, and a kind of jump that may be in them."""

    def __init__(self, returns: Array, law: Array, found: Fit, jump: Jump) -> None:
        design = found.design
        first, count = design.returns.blocks[jump.regime]
        own = law[:, first : first + count]
        rows = own.sum(axis=1) > SEEN
        self._bars, self._all = np.ascontiguousarray(returns[rows]), found.bars
        self._numbers = design.states(found.theta)[:, first : first + count]
        self._known = {
            Jump(0, other.kind): found.theta[place]
            for other, place in design.jumping.items()
            if other.regime == jump.regime
        }
        self._jump, self._new = jump, Jump(0, jump.kind)
        self._maker = Returns(design.legs, ((0, count),))
        self._work = Workspace(len(self._bars), (count,))
        self._work.law[:] = own[rows]

    def climbed(self) -> Trial:
        """The parameters under which the bars are likeliest, from a few wide jumps on."""
        by_state = self._work.law.sum(axis=0)
        seen, n = float(by_state.sum()), len(SHIFTED)
        if len(self._bars) < FEWEST:
            return Trial(self._jump, 0.0, np.zeros(len(self._jump.fields)), np.zeros(n))
        size = np.exp(self._numbers[:2] @ by_state / seen)
        begin = self._new.start(SHARE, WIDTH * size, float(self._numbers[2].mean()))
        bounds = [(-1.0, 1.0)] * n + self._new.bounds(size, self._all)
        unit = 1.0 / np.sqrt(
            np.concatenate([np.full(n, seen), self._new.information(begin, SHARE * seen)])
        )

        def loss(scaled: Array) -> tuple[float, Array]:
            value, slope = self._slope(scaled * unit)
            return -value, -slope * unit

        before = self._value(self._numbers, self._known)
        found: Any = minimize(
            loss, np.concatenate([np.zeros(n), begin]) / unit, jac=True, method="L-BFGS-B",
            bounds=[(low / u, high / u) for (low, high), u in zip(bounds, unit, strict=True)],
            options={"maxiter": 40, "ftol": 0.2 / max(1.0, abs(before))},
        )  # fmt: skip
        at = np.asarray(found.x) * unit
        return Trial(self._jump, -float(found.fun) - before, at[n:], at[:n])

    def _value(self, numbers: Array, jumps: dict[Jump, Array]) -> float:
        made = self._maker.of(numbers, jumps)
        self._work.student(self._bars, made.student, made.normals)
        return self._work.expected()

    def _slope(self, at: Array) -> tuple[float, Array]:
        """Log-likelihood given the law, and its slope by the regime's shifts and the new jump."""
        moved, rows, n = self._numbers.copy(), list(SHIFTED), len(SHIFTED)
        moved[rows] += at[:n, None]
        jumps = {**self._known, self._new: at[n:]}
        made = self._maker.of(moved, jumps)
        value, sums = self._work.held(self._bars, made.student, made.normals)
        by_number, by_jump = self._maker.slopes(moved, jumps, sums)
        return value, np.concatenate([by_number[rows].sum(axis=1), by_jump[self._new]])
