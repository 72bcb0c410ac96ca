"""Broken mispricing and funding, and policies that need them."""

from __future__ import annotations

from broken_base import COMPONENT, FUNDING, SWEPT, one

MISPRICING = (
    one(
        "correlation = 0.85",
        f"correlation = 0.85\nmispricing = {COMPONENT}",
        "market.regimes[1].mispricing: must have one table, as market.regimes[0] has: say what "
        "becomes of each component in this regime, if only { half_life, std = 0 }",
    ),
    one(
        "correlation = 0.85",
        'correlation = 0.85\nmispricing = [{ half_life = "30s", std = 0.001 }]',
        'market.regimes[0].mispricing[0].half_life = "30s": must be at least one step (1min); '
        "take a shorter step",
        "market.regimes[1].mispricing: must have one table, as market.regimes[0] has: say what "
        "becomes of each component in this regime, if only { half_life, std = 0 }",
    ),
    one(
        "correlation = 0.85",
        'correlation = 0.85\nmispricing = [{ half_life = "1h" }, { half_life = "1h" }, '
        '{ half_life = "1h" }]',
        'market.regimes[0].mispricing = [{ half_life = "1h" }, { half_life = "1h" }, { half_life '
        "...: must have 0 to 2 tables, has 3",
    ),
    one(
        'holding = "1h"',
        'side = "spread"',
        'policy.side = "spread": needs mispricing; add it to the regimes',
    ),
    one(
        "leverage = [2, 5, 50]",
        'side = ["fixed", "spread", "funding"]',
        'sweep.side[1] = "spread": needs mispricing; add it to the regimes',
        'sweep.side[2] = "funding": needs funding; add it to every regime, or add '
        "[[market.funding_regimes]]",
    ),
    one(
        '"market.regimes.stress.correlation" = [0.8, 0.3]',
        '"market.regimes.stress.mispricing[0].std" = [0.001]',
        "sweep.market.regimes.stress.mispricing[0].std = [0.001]: there are no mispricing",
    ),
)


MOVING = f"correlation = 0.85\nmispricing = {COMPONENT}"


STILL = 'correlation = 0.8\nmispricing = [{ half_life = "1h" }]\n'


SPREAD = (("correlation = 0.85", MOVING), ("correlation = 0.8\n", STILL))
"""What makes BASE a market with mispricing in its first regime."""


CALM_STD = '"market.regimes.calm.mispricing[0].std" = [0.0, 0.001]'


SPREADS = (
    one(
        'holding = "1h"',
        'side = "spread"\nentry_z = 1\nexit_z = 1.5',
        "policy.exit_z = 1.5: must be at most entry_z (policy.entry_z = 1) where side = "
        '"spread", or a trade would open where it is to close',
        more=SPREAD,
    ),
    one(
        "leverage = [2, 5, 50]",
        'side = ["fixed", "spread"]\nentry_z = [2, 1, 3]\nexit_z = [0, 1.5, 0.5]',
        "sweep.exit_z[1] = 1.5: must be at most entry_z (sweep.entry_z[1] = 1) where side = "
        '"spread", or a trade would open where it is to close',
        more=SPREAD,
    ),
    one(
        "leverage = [2, 5, 50]",
        "exit_z = [0, 0.5]",
        "sweep.exit_z[1] = 0.5: must be at most entry_z (policy.entry_z = 0) where side = "
        '"spread", or a trade would open where it is to close',
        more=(*SPREAD, ('holding = "1h"', 'side = "spread"')),
    ),
    one(
        "leverage = [2, 5, 50]",
        "entry_z = { start = 0.5, stop = 2, num = 4 }",
        "sweep.entry_z[0] = 0.5: must be at least exit_z (policy.exit_z = 1) where side = "
        '"spread", or a trade would open where it is to close',
        more=(*SPREAD, ('holding = "1h"', 'side = "spread"\nexit_z = 1')),
    ),
    one(
        "leverage = [2, 5, 50]",
        f'side = ["fixed", "spread"]\n{CALM_STD}',
        "sweep.market.regimes.calm.mispricing[0].std[0] = 0.0: leaves no mispricing, and "
        'sweep.side[1] = "spread" needs some; take the value out, or run it in a file without '
        "that side",
        more=(*SPREAD, (SWEPT, "")),
    ),
    one(
        "leverage = [2, 5, 50]",
        f'{CALM_STD}\n"market.regimes.calm.mispricing[0].spike_std" = [0.002, 0.0]',
        "sweep.market.regimes.calm.mispricing[0].std[0] = 0.0: leaves no mispricing, with "
        "sweep.market.regimes.calm.mispricing[0].spike_std[1] = 0.0, and policy.side = "
        '"spread" needs some; take the value out, or run it in a file without that side',
        more=(
            ("correlation = 0.85", MOVING.replace(" }", ", spike_intensity = 9, spike_std = 1 }")),
            ("correlation = 0.8\n", STILL),
            ('holding = "1h"', 'side = "spread"'),
            (SWEPT, ""),
        ),
    ),
    one(
        "leverage = [2, 5, 50]",
        CALM_STD,
        "sweep.market.regimes.calm.mispricing[0].std[0] = 0.0: with this value, policy.side: "
        "needs mispricing; add it to the regimes",
        more=(*SPREAD, ('holding = "1h"', 'side = "spread"')),
    ),
)


FUNDED = (
    one(
        "correlation = 0.85",
        f"correlation = 0.85\nfunding = {FUNDING}",
        "market.regimes[1].funding: is missing; state funding in every regime or in none, or in "
        "[[market.funding_regimes]]",
    ),
    one(
        "correlation = 0.85",
        f'correlation = 0.85\nfunding = {FUNDING}\n[[market.funding_regimes]]\nname = "quiet"\n'
        f"funding = {FUNDING}\n",
        "market.regimes[0].funding = { mean = [0.0, 0.0], std = [0.0001, 0.0001], half_life = ...: "
        "would not act, because [[market.funding_regimes]] carry the funding; remove one or the "
        "other",
    ),
    one(
        'assets = ["BTC", "ETH"]',
        f'assets = ["BTC", "ETH"]\nfunding_interval = "90s"\ninitial_funding_regime = "loud"\n'
        f'funding_regimes = [{{ name = "quiet", funding = {FUNDING} }}]',
        'market.initial_funding_regime = "loud": must be one of "quiet" or "stationary"',
        'market.funding_interval = "90s": must be a whole number of steps of 1min',
    ),
    one(
        'holding = "1h"',
        'side = "funding"',
        'policy.side = "funding": needs funding; add it to every regime, or add '
        "[[market.funding_regimes]]",
    ),
)
