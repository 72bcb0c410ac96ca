"""How much a market's spikes offer, and the share of it that a policy captured."""

from __future__ import annotations

import math

from stresscube.claims.cells import Cube
from stresscube.claims.estimate import Estimate
from stresscube.scenario.expand import market_spec
from stresscube_kernels.chain import stationary


def spikes_offered(cube: Cube) -> float:
    """Return the expected sum of |spike| of leg b's mispricing over the horizon, in log units.

    A spike is normal, so E|spike| = spike_std √(2/π); regimes count by their long-run shares.
    """
    spec = market_spec(cube.scenario, first_point(cube))
    years = cube.scenario.simulation.horizon / (365 * 24)
    shares = stationary(spec.chain)
    return years * sum(
        float(share) * part.spike_intensity * part.spike_std * math.sqrt(2.0 / math.pi)
        for share, regime in zip(shares, spec.regimes, strict=True)
        for part in regime.mispricing
    )


def captured(cube: Cube, **where: object) -> Estimate:
    """Return P&L from mispricing over the sum of |spike| times the notional of leg b.

    The notional is that of the opening sizes at the starting equity: L h/(1 + h). NaN where the
    market has no spikes.
    """
    policy = cube.scenario.policy
    leverage = float(str(where.get("leverage", policy.leverage)))
    ratio = float(policy.hedge_ratio)
    offered = spikes_offered(cube) * leverage * ratio / (1.0 + ratio)
    return cube.at("pnl_mispricing_mean", **where) / (offered if offered else math.nan)


def first_point(cube: Cube) -> dict[str, float | str]:
    """Return the first value of every swept key."""
    return {key: values[0] for key, values in cube.scenario.sweep.items()}
