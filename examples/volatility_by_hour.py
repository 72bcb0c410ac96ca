"""Volatility by the hour of the day: a wave around the regimes' own, highest at `peak`.

    stresscube run examples/volatility_by_hour.toml --trust

docs/own_rules.md explains every line.
"""

from stresscube_kernels.toolbox import market_step, scaled


def step(ops, features, market, state, draw, memory=0.0, *, day, peak, amplitude):
    """The built-in market, its volatility scaled; the memory is the time of day, in steps."""
    away = ops.fabs(memory - peak) / day
    slope = 1.0 - 4.0 * ops.fmin(away, 1.0 - away)
    wave = 0.5 * slope * (3.0 - slope * slope)  # cos(2 pi away), to 0.02
    # The mean square of the wave is 17/35, so the variance of a day stays the regimes'.
    factor = (1.0 + amplitude * wave) / ops.sqrt(1.0 + amplitude * amplitude * 17.0 / 35.0)
    state, tick = market_step(ops, features, scaled(market, factor), state, draw)
    later = memory + 1.0
    return state, tick, ops.where(later < day - 0.5, later, 0.0)
