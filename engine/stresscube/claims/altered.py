"""Settings that change a fitted market or a venue, to find where a claim would hold."""

from __future__ import annotations

from stresscube.claims.claim import Market

REGIMES = {
    Market.ARTICLE: ("calm", "spike"),
    Market.PAIR: ("regime-1", "regime-2", "regime-3", "regime-4", "regime-5"),
    Market.BASIS: ("regime-1", "regime-2"),
}
FREE = ("venues.C.taker_fee=0", "venues.C.slippage=0")
"""Venue C without costs."""


def in_every_regime(market: Market, key: str, value: str) -> tuple[str, ...]:
    """Return the settings that give a key of every regime of a market one value."""
    return tuple(f"market.regimes.{name}.{key}={value}" for name in REGIMES[market])


def spiky(market: Market, half_life: str = "20min") -> tuple[str, ...]:
    """Return the settings that put the article's basis into the prices of another market.

    That is the one of the article's market in calm, with as noisy a signal.
    """
    part = (
        f'{{ half_life = "{half_life}", std = 0.001, spike_intensity = 2200, spike_std = 0.006 }}'
    )
    return (*in_every_regime(market, "mispricing", f"[{part}]"), "market.signal_noise=0.5")


def twins(market: Market, correlation: float) -> tuple[str, ...]:
    """Return the settings that make the legs alike: of one volatility, and of a correlation."""
    if market is Market.ARTICLE:
        made: list[str] = []
        for name, volatility in (("calm", 0.45), ("spike", 1.45)):
            at = f"market.regimes.{name}"
            made += [
                f"{at}.correlation={correlation}",
                f"{at}.volatility=[{volatility}, {volatility}]",
                f"{at}.jumps.std=[0.022, 0.022]",
                f"{at}.jumps.correlation={correlation}",
            ]
        return tuple(made)
    settings = [
        f"market.regimes.{name}.volatility=[{it}, {it}]"
        for name, it in zip(REGIMES[market], PAIR_VOLATILITY, strict=True)
    ]
    settings += [
        f"market.volatility_regimes.slow-{place}.multiplier=[{it}, {it}]"
        for place, it in enumerate(PAIR_SLOW, 1)
    ]
    settings += [
        f"market.correlation_regimes.coupling-{it}.correlation={correlation}" for it in (1, 2, 3)
    ]
    return tuple(settings)


PAIR_VOLATILITY = (0.20469, 0.29903, 0.57123, 0.65986, 1.3359)
PAIR_SLOW = (0.40153, 0.53541, 0.66723, 0.81073, 0.8897, 1.081, 1.3472, 1.7964)
"""Of leg a in markets/pair.toml."""
