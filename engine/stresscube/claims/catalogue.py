"""All claims, in the order of the page."""

from __future__ import annotations

from stresscube.claims.claim import Claim
from stresscube.claims.tested import (
    bias,
    correlation,
    funding,
    holding,
    latency,
    leverage,
    leverage_rebalances,
    liquidation,
    margin_modes,
    neutrality,
    noise,
    paper_trading,
    same_coin,
    sharpe,
    threshold,
    underwater,
    venues,
)
from stresscube.errors import StresscubeError
from stresscube.text import listing, suggest

CLAIMS: tuple[Claim, ...] = (
    threshold.CLAIM,
    holding.CLAIM,
    noise.CLAIM,
    leverage_rebalances.CLAIM,
    liquidation.CLAIM,
    venues.CLAIM,
    latency.CLAIM,
    correlation.CLAIM,
    neutrality.CLAIM,
    bias.CLAIM,
    sharpe.CLAIM,
    underwater.CLAIM,
    funding.CLAIM,
    margin_modes.CLAIM,
    leverage.CLAIM,
    same_coin.CLAIM,
    paper_trading.CLAIM,
)


def chosen(names: list[str]) -> tuple[Claim, ...]:
    """Return the claims of these names, all if there are none. Raises StresscubeError."""
    known = {it.name: it for it in CLAIMS}
    for name in names:
        if name not in known:
            message = f"--only {name}: no such claim{suggest(name, known)}"
            raise StresscubeError(f"{message} (claims: {listing(known, most=99)})")
    return tuple(it for it in CLAIMS if not names or it.name in names)
