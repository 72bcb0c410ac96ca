"""Philox4x32-10, the counter-based generator: random numbers as a function of where they are used.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC'11). The
counter is (path, step, block, 0) and the key is the seed, so that any number of any path can
be had alone, and results do not depend on batches, threads, devices or order.
"""

from __future__ import annotations

from typing import Any

from .contract import Draw
from .ops import Ops, once

MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10

# The one table of blocks: four words each. A number keeps its block for ever, so that
# switching a feature on or off shifts no other feature's numbers.
BLOCK_DIFFUSION = 0  # words: leg a, leg b, bridge, regime switch
BLOCK_EXECUTION = 1  # words: leg a, leg b, correlation switch, funding switch
BLOCK_JUMPS = 2  # words: occurrence, leg a, leg b
BLOCK_LEG_JUMPS = 3  # words: occurrence and size of leg a, of leg b
BLOCK_SPREAD = 4  # words: noise of the first and second component, of the signal
BLOCK_SPIKES = 5  # words: occurrence and size of the first component, of the second
BLOCK_FUNDING = 6  # words: premium of leg a, of leg b
BLOCK_TAILS = 7  # words: mixing variable
BLOCK_REPLAY = 8  # words: whether a block of history ends, where the next begins, where a path does
BLOCK_VOLATILITY = 9  # words: volatility switch
BLOCK_START_VOLATILITY = 10  # at step 0; words: volatility regime
BLOCK_START_SPIKES = (11, 12)  # at step 0, one block a component; words: ages of recent spikes
BLOCK_START_FUNDING = 13  # at step 0; words: premium of leg a, of leg b
BLOCK_START_SPREAD = 14  # at step 0; words: first and second component, regimes they come from
BLOCK_START = 15  # at step 0; words: regime, correlation regime, funding regime, signal noise
BLOCK_OWN = 256  # from here on: of markets that are written outside of the package


def philox(ops: Ops, counter: tuple[Any, Any, Any, Any], key: tuple[Any, Any]) -> tuple[Any, ...]:
    """Four random words (u) for a counter of four words and a key of two."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    m0, m1 = ops.u32(MULTIPLIERS[0]), ops.u32(MULTIPLIERS[1])
    for _ in range(ROUNDS):
        c0, c1, c2, c3 = (
            ops.mulhi(m1, c2) ^ c1 ^ k0,
            m1 * c2,
            ops.mulhi(m0, c0) ^ c3 ^ k1,
            m0 * c0,
        )
        k0 = k0 + ops.u32(WEYL[0])
        k1 = k1 + ops.u32(WEYL[1])
    return c0, c1, c2, c3


def words(ops: Ops, draw: Draw, block: int) -> tuple[Any, ...]:
    """The four words of one block of this path and step."""
    return block_words(ops, draw.path, draw.step, ops.u32(block), draw.key_0, draw.key_1)


@once
def block_words(
    ops: Ops, path: Any, step: Any, block: Any, key_0: Any, key_1: Any
) -> tuple[Any, ...]:
    """The four words of a block."""
    return philox(ops, (path, step, block, ops.u32(0)), (key_0, key_1))
