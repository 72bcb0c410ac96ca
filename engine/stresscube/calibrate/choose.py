"""Which design: chains are added one at a time, as long as BIC falls."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate.design import Design, Layer
from stresscube.calibrate.fit import Fit, divided, extended, fit
from stresscube.calibrate.jumping import with_jumps

Array = NDArray[np.float64]
Tell = Callable[[str], None]
REGIME, COUPLING = 5.0, 300.0
"""Hours that a regime and a correlation last, where fits begin."""
SLOW = (("volatilities", 200.0), ("volatility", 3000.0), ("volatility", 30.0))
"""Layers of volatility to try, and hours that their states last where fits begin. Two states
each, so that all of them together make a chain of eight."""
ROUGH = 0.5
"""Gain in log-likelihood at which a fit that is only compared stops."""
MOST_REGIMES, MOST_CORRELATIONS = 5, 3


def choose(
    returns: Array, hours: float, regimes: int | None, tell: Tell, threads: int = 1, legs: int = 2
) -> Fit:
    """The design of least BIC on the way from few states to many, fitted.

    returns: [bars, 2] log-returns. hours: a bar's length. regimes: how many, None for by BIC. legs:
    1 where leg b's returns are leg a's and what reverts, so that they are not looked at.
    """

    def lasting(span: float) -> float:
        return max(2.0, span / hours)

    def tried(design: Design, words: str, theta: Array | None = None) -> Fit:
        made = fit(returns, design, theta, enough=ROUGH, threads=threads)
        tell(f"{words}: BIC {made.bic:,.0f}")
        return made

    def plain(states: int, correlations: int) -> Design:
        layers = (
            Layer("regime", states, lasting(REGIME)),
            Layer("correlation", correlations, lasting(COUPLING)),
        )
        return Design(layers, legs=legs)

    count = regimes or 2
    best = tried(plain(count, 1), f"{count} regimes")
    more = (
        tried(plain(count, states), f"{states} correlations")
        for states in range(2, MOST_CORRELATIONS + 1 if legs > 1 else 2)
    )
    best = _while_better(more, best)
    for kind, span in SLOW:
        if span / hours > len(returns) / 4:
            continue
        layer = Layer(kind if legs > 1 else "volatility", 2, lasting(span))
        design = replace(best.design, layers=(*best.design.layers, layer))
        made = tried(design, f"a slow layer of {span:g} h", extended(best, layer))
        best = made if made.bic < best.bic else best
    best = with_jumps(returns, best, tell, enough=ROUGH, threads=threads)
    before = best
    while regimes is None and best.design.sizes[0] < MOST_REGIMES:
        design, theta = divided(best)
        made = tried(design, f"{design.sizes[0]} regimes", theta)
        if made.bic >= best.bic:
            break
        best = made
    if best is not before:
        best = with_jumps(returns, best, tell, enough=ROUGH, threads=threads)
    tell("the last digits")
    return fit(returns, best.design, best.theta, threads=threads)


def _while_better(fits: Iterable[Fit], best: Fit) -> Fit:
    """The last of the fits before BIC rises."""
    for made in fits:
        if made.bic >= best.bic:
            return best
        best = made
    return best
