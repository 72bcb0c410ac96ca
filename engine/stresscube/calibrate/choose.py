"""Which design: chains are added one at a time, as long as BIC falls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stresscube.calibrate.design import Design, Layer, over_a_bar, stationary
from stresscube.calibrate.fit import Fit, divided, dropped, extended, finished, rough
from stresscube.calibrate.jumping import with_jumps
from stresscube.text import plural

Array = NDArray[np.float64]
Tell = Callable[[str], None]
REGIME, COUPLING = 5.0, 300.0
"""Hours that a regime and a correlation last, where fits begin."""
SLOW = (("volatilities", 200.0), ("volatility", 3000.0), ("volatility", 30.0))
"""Layers of volatility to try, and hours that their states last where fits begin. Two states
each, so that all of them together make a chain of eight."""
NEAR = 0.5
"""Share of what layers gained that a regime in two must gain as well, for so many regimes to be
fitted from the start too: that finds a peak a little higher, not one twice as high."""
MOST_REGIMES, MOST_CORRELATIONS = 5, 3


@dataclass(frozen=True)
class _Search:
    """What every step of the way needs. legs: as in `choose`."""

    returns: Array
    hours: float
    tell: Tell
    threads: int
    legs: int

    def lasting(self, span: float) -> float:
        """Hours in bars, two at least."""
        return max(2.0, span / self.hours)

    def tried(self, design: Design, words: str, theta: Array | None = None) -> Fit:
        """A rough fit, and its BIC for people."""
        made = rough(self.returns, design, theta, self.threads)
        self.tell(f"{words}: BIC {made.bic:,.0f}")
        return made

    def plain(self, regimes: int) -> Fit:
        """So many regimes, and as many correlations as BIC likes."""

        def of(correlations: int) -> Design:
            layers = (
                Layer("regime", regimes, self.lasting(REGIME)),
                Layer("correlation", correlations, self.lasting(COUPLING)),
            )
            return Design(layers, legs=self.legs)

        best = self.tried(of(1), plural(regimes, "regime"))
        most = MOST_CORRELATIONS if self.legs > 1 else 1
        for states in range(2, most + 1):
            made = self.tried(of(states), f"{states} correlations")
            if made.bic >= best.bic:
                break
            best = made
        return best

    def layered(self, best: Fit) -> Fit:
        """With the slow layers of volatility that BIC likes."""
        for kind, span in SLOW:
            if span / self.hours > len(self.returns) / 4:
                continue
            layer = Layer(kind if self.legs > 1 else "volatility", 2, self.lasting(span))
            design = replace(best.design, layers=(*best.design.layers, layer))
            made = self.tried(design, f"a slow layer of {span:g} h", extended(best, layer))
            best = made if made.bic < best.bic else best
        return best

    def jumping(self, best: Fit, rival: Fit | None = None) -> Fit:
        """With the jumps that BIC likes; fewer or none where they do not beat the rival."""
        least = 0.0 if rival is None else max(0.0, best.bic - rival.bic)
        return with_jumps(self.returns, best, self.tell, threads=self.threads, least=least)

    def enriched(self, bare: Fit, jumping: Fit | None = None) -> Fit:
        """With the layers and the jumps that BIC likes, first those of which it likes more.

        jumping: with jumps alone. Each imitates the other, so that what comes first takes all.
        """
        layered = self.layered(bare)
        jumping = jumping or self.jumping(bare, layered)
        if layered.bic <= jumping.bic:
            return self.jumping(layered)
        both = self.layered(jumping)
        return both if both is jumping else self.jumping(both)

    def divided(self, best: Fit) -> Fit:
        """With one more regime, whether BIC likes it or not."""
        design, theta = divided(best)
        return self.tried(design, f"{design.sizes[0]} regimes", theta)

    def leaner(self, best: Fit) -> Fit:
        """With a correlation less, or with jumps in place of the rarest regime, if BIC likes it.

        Those were there first; where there are jumps, they may have done the jumps' work.
        """
        while best.design.jumps and best.design.sizes[1] > 1:
            states = range(best.design.sizes[1])
            begun = [dropped(best, 1, k) for k in states]
            fewer = [self.tried(design, "a correlation less", theta) for design, theta in begun]
            made = min(fewer, key=lambda one: one.bic)
            if made.bic >= best.bic:
                break
            best = made
        if best.design.jumps and best.design.sizes[0] > 1:
            law = stationary(over_a_bar(best.design.generator(best.theta, 0)))
            design, theta = dropped(best, 0, int(np.argmin(law)))
            made = self.jumping(self.tried(design, "a regime less", theta), best)
            best = made if made.bic < best.bic else best
        return best


def choose(
    returns: Array, hours: float, regimes: int | None, tell: Tell, threads: int = 1, legs: int = 2
) -> Fit:
    """The design of least BIC on the way from few states to many, fitted.

    returns: [bars, 2] log-returns. hours: a bar's length. regimes: how many, None for by BIC. legs:
    1 where leg b's returns are leg a's and what reverts, so that they are not looked at.
    """
    search = _Search(returns, hours, tell, threads, legs)
    counts = (1, 2) if regimes is None else (regimes,)
    bare = min((search.plain(count) for count in counts), key=lambda one: one.bic)
    best = search.enriched(bare)
    more = regimes is None
    while more and bare.design.sizes[0] < MOST_REGIMES:
        # layers and correlations imitate a regime that is not there yet
        count = bare.design.sizes[0] + 1
        made = search.divided(bare)
        if bare.bic - made.bic > NEAR * (bare.bic - best.bic):
            made = min(made, search.plain(count), key=lambda one: one.bic)
        jumping = search.jumping(made, best)
        if jumping.bic >= best.bic:
            more = best is not bare
            break
        bare, best = made, search.enriched(made, jumping)
    before = best
    while more and best.design.sizes[0] < MOST_REGIMES:
        made = search.divided(best)
        if made.bic >= best.bic:
            break
        best = made
    if best is not before:
        best = search.jumping(best)
    if regimes is None:
        best = search.leaner(best)
    tell("the last digits")
    return finished(returns, best, threads)
