"""The plain model of a job: a market that diffuses in regimes, policies that hold and rebalance."""

from __future__ import annotations

from dataclasses import replace

from stresscube_kernels.moments import correlation
from stresscube_kernels.spec import Job, MarketSpec, PolicySpec, VenueSpec


def plain(job: Job) -> Job:
    """The job without tails, jumps, mispricing, funding, shocks, sides, bias, isolated margin."""
    return Job(_market(job.simulated), tuple(map(_policy, job.policies)), job.simulation)


def _market(market: MarketSpec) -> MarketSpec:
    regimes = tuple(
        replace(
            regime,
            correlation=correlation(market, regime),
            tail_dof=float("inf"),
            jumps=None,
            leg_jumps=None,
            mispricing=(),
            premium=None,
        )
        for regime in market.regimes
    )
    return MarketSpec(regimes, market.chain)


def _policy(policy: PolicySpec) -> PolicySpec:
    return PolicySpec(
        venues=tuple(map(_venue, policy.venues)),
        hedge_ratio=policy.hedge_ratio,
        leverage=policy.leverage,
        rebalance_threshold=policy.rebalance_threshold,
        rebalance_interval=policy.rebalance_interval,
        holding=policy.holding,
    )


def _venue(venue: VenueSpec) -> VenueSpec:
    return replace(venue, maintenance_tiers_b=None, margin_mode="cross")
