"""The market step of a recorded history: which bar a path is at, and the tick made of it.

A path is a window of the history, or a sequence of blocks of it: the stationary bootstrap of
Politis and Romano, "The stationary bootstrap" (JASA 1994). There, after every step, a new block
begins with a probability that makes blocks geometric in length; it begins at any bar alike, and
the first bar follows the last. What a tick needs and history does not have is in `pack_replay.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import philox, special, ticks
from .contract import BAR_STRIDE, Bar, Draw, Features, MarketState, Replay, Shape, Tick
from .ops import Ops
from .tree import extended

MOST_BARS = 2**23
"""A bar's number is held in the 23 mantissa bits of a float32."""
BATCHES = 32
"""Windows are dealt to paths so that path p mod BATCHES is one stretch of history."""
SHIFT = BAR_STRIDE.bit_length() - 1
TINY = 1e-30


def template(shape: Shape) -> Replay:
    """A market record of recorded history; only its structure and the leaves' dtypes mean anything.

    No shape of code changes it.
    """
    real, word = np.float64(0.0), np.uint32(0)
    return Replay(
        bars=np.zeros(1),
        count=word,
        last=real,
        resamples=real,
        restart=word,
        windows=word,
        extra=word,
        stride=word,
        coincidence=real,
        slippage_multiplier=real,
    )


def start(ops: Ops, features: Features, market: Replay, draw: Draw) -> Any:
    """Where a path begins; draw.step must be 0.

    The state is a simulated market's and `bar`: where the path stands in the history.
    """
    zero = ops.u2f(draw.path ^ draw.path)  # in the shape of the paths, for arrays
    word = philox.words(ops, draw, philox.BLOCK_REPLAY)[2]
    drawn = ops.u2f(ops.mulhi(word, market.count))
    first = ops.u2f(window(ops, market, draw.path) * market.stride)
    state = MarketState(*([zero] * len(MarketState._fields)))
    state = state._replace(price_a=zero + 1.0, price_b=zero + 1.0)
    return extended(state, "bar", zero + ops.where(market.resamples > 0.5, drawn, first))


def window(ops: Ops, market: Replay, path: Any) -> Any:
    """Which window a path is (u), of those in order of time.

    Batch b = p mod 32 has the windows from b * windows on, so that the paths of a batch are one
    stretch of history, and the errors of batch means know that neighbours resemble one another.
    """
    batch = path & ops.u32(BATCHES - 1)
    before = ops.where(batch < market.extra, batch, market.extra)
    return batch * market.windows + before + (path >> ops.u32(BATCHES.bit_length() - 1))


def number(ops: Ops, bar: Any) -> Any:
    """A bar's number (u) from the real that holds it: 2^23 + n has n in its mantissa."""
    return ops.f2bits(bar + float(MOST_BARS)) & ops.u32(MOST_BARS - 1)


def look(ops: Ops, market: Replay, bar: Any) -> Bar:
    """The record of a bar; the last one for numbers beyond it, which no path has."""
    at = number(ops, ops.fmin(bar, market.last)) << ops.u32(SHIFT)
    return Bar(*(ops.lookup(market.bars, at + ops.u32(k)) for k in range(len(Bar._fields))))


def step(ops: Ops, features: Features, market: Replay, state: Any, draw: Draw) -> tuple[Any, Tick]:
    """One step: the tick that policies read, and the state for the next step.

    A liquidated account is found where it is: the step counts as one with a jump.
    """
    here = look(ops, market, state.bar)
    noise_a, noise_b = noise(ops, here, draw) if features.latency else (0.0, 0.0)
    word = philox.words(ops, draw, philox.BLOCK_DIFFUSION)[2]
    tick = Tick(
        return_a=here.return_a,
        return_b=here.return_b,
        noise_a=noise_a,
        noise_b=noise_b,
        variance_a=here.variance_a,
        covariance=here.covariance,
        variance_b=here.variance_b,
        bridge=special.exponential(ops, word) if features.bridge else 0.0,
        slippage_multiplier=market.slippage_multiplier,
        state=ticks.pack(0.0, 0.0, 0.0, here.due if features.funding else 0.0, 1.0),
        funding_a=here.funding_a if features.funding else 0.0,
        funding_b=here.funding_b if features.funding else 0.0,
        mispricing=0.0,
        z=here.z if features.spread else 0.0,
        trend=here.trend if features.signals else 0.0,
        mark_b=0.0,
    )
    if features.intrabar:
        lows_and_highs = (here.low_a, here.high_a, here.low_b, here.high_b)
        tick = ticks.with_extremes(tick, ticks.Extremes(*lows_and_highs, market.coincidence))
    return state._replace(
        price_a=state.price_a + state.price_a * here.return_a,
        price_b=state.price_b + state.price_b * here.return_b,
        bar=following(ops, market, state.bar, draw),
    ), tick


def noise(ops: Ops, here: Bar, draw: Draw) -> tuple[Any, Any]:
    """Execution noise with the bar's covariance, from the words that simulated markets use."""
    word_a, word_b = philox.words(ops, draw, philox.BLOCK_EXECUTION)[:2]
    e_a, e_2 = special.normal(ops, word_a), special.normal(ops, word_b)
    deviation_a = ops.sqrt(here.variance_a)
    shared = here.covariance / ops.fmax(deviation_a, TINY)
    own = ops.sqrt(ops.fmax(here.variance_b - shared * shared, 0.0))
    return deviation_a * e_a, shared * e_a + own * e_2


def following(ops: Ops, market: Replay, bar: Any, draw: Draw) -> Any:
    """The bar after this one: the next, or where a new block begins."""
    ends, begins = philox.words(ops, draw, philox.BLOCK_REPLAY)[:2]
    ahead = bar + 1.0
    ahead = ops.where(ahead > market.last, 0.0, ahead)
    drawn = ops.u2f(ops.mulhi(begins, market.count))
    return ops.where((ends >> ops.u32(1)) < market.restart, drawn, ahead)
