"""Broken venues, policies, legs and sweeps."""

from __future__ import annotations

from broken_base import one

VENUES = (
    one(
        "[[0, 0.004], [50_000, 0.005]]",
        "[[10, 0.004], [50_000, 0.005]]",
        "venues[0].maintenance_tiers[0] = [10, 0.004]: the first tier must start at notional "
        "floor 0",
    ),
    one(
        "[[0, 0.004], [50_000, 0.005]]",
        "[[0, 0.004], [50_000, 0.005], [600, 0.01]]",
        "venues[0].maintenance_tiers[2] = [600, 0.01]: floors must ascend, and the tier before "
        "starts at 50,000",
    ),
    one(
        "[[0, 0.004], [50_000, 0.005]]",
        "[[0, 0.004], [50_000, 0.003]]",
        "venues[0].maintenance_tiers[1] = [50000, 0.003]: rates must not fall as notional "
        "grows, and the tier before has 0.004",
    ),
    one(
        "[[0, 0.004], [50_000, 0.005]]",
        "[[0, 0.4], [50_000, 5]]",
        "venues[0].maintenance_tiers[1][1] = 5: the rate must be in [0, 1)",
    ),
    one(
        "[[0, 0.004], [50_000, 0.005]]",
        "[]",
        "venues[0].maintenance_tiers = []: must be a list of [notional floor, rate], floors "
        "ascending from 0, rates in [0, 1) and never falling, as in "
        "[[0, 0.004], [50_000, 0.005]]",
    ),
    one(
        'latency = "300ms"',
        'latency = "2min"',
        'venues[0].latency = "2min": must be at most one step (1min); take a longer step or a '
        "shorter latency",
    ),
    one(
        'name = "Bravo"',
        'name = "A"',
        'venues[1].name = "A": must be unique, but venues[0] has it already',
    ),
    one(
        "max_leverage = 20",
        "max_leverage = 0",
        "venues[0].max_leverage = 0: must be more than 0, or inf",
    ),
    one(
        "max_leverage = 20",
        "maker_fee = 0.0002",
        'venues[0].maker_fee = 0.0002: is no key of venues[0]; did you mean "taker_fee"?',
    ),
    one(
        '[[venues]]\nname = "Bravo"',
        "[[venues]]",
        'venues[1].name: is missing; as in name = "C"',
    ),
    one(
        'name = "Bravo"',
        'name = "A/B"',
        'venues[1].name = "A/B": must be a name of letters, digits, "-" and "_"',
    ),
)


POLICY = (
    one(
        'venue = "A"',
        'venue = "bravo"',
        'policy.venue = "bravo": must be one of "A", "Bravo"; did you mean "Bravo"?',
    ),
    one("leverage = 10", "leverage = 0", "policy.leverage = 0: must be in (0, 1000]"),
    one(
        "hedge_ratio = 1.0",
        "hedge_ratio = -1.0",
        'policy.hedge_ratio = -1.0: must be in [0, 1000] or "min-variance"',
    ),
    one(
        'holding = "1h"',
        'holding = "90s"',
        'policy.holding = "90s": must be a whole number of steps of 1min',
    ),
    one(
        'holding = "1h"',
        'holding = "forever"',
        'policy.holding = "forever": must be a number and a unit, as in "1min" '
        '(units: ms, s, min, h, d, w), or be "horizon"',
    ),
    one(
        'holding = "1h"',
        'rebalance_interval = "150s"',
        'policy.rebalance_interval = "150s": must be a whole number of steps of 1min',
    ),
    one(
        'holding = "1h"',
        "rebalance_threshold = -0.1",
        "policy.rebalance_threshold = -0.1: must be 0 or more, or inf",
    ),
)


LEGS = (
    one(
        "[[0, 0.004], [50_000, 0.005]]",
        "{ BTC = [[0, 0.004]], ETC = [[0, 0.005]] }",
        'venues[0].maintenance_tiers.ETC = [[0, 0.005]]: is no asset; did you mean "ETH"?',
        "venues[0].maintenance_tiers = { BTC = [[0, 0.004]], ETC = [[0, 0.005]] }: must have tiers "
        'for each asset, and has none for "ETH"',
    ),
    one(
        "[[0, 0.004], [50_000, 0.005]]",
        "{ BTC = [[0, 0.004]], ETH = [[5, 0.005]] }",
        "venues[0].maintenance_tiers.ETH[0] = [5, 0.005]: the first tier must start at notional "
        "floor 0",
    ),
    one(
        'venue = "A"',
        'venue = "A/bravo"',
        'policy.venue = "A/bravo": must be one of "A", "Bravo"; did you mean "Bravo"?',
    ),
    one(
        'venue = "A"',
        'venue = "A/Bravo/A"',
        'policy.venue = "A/Bravo/A": must be a venue, or "X/Y" for two',
    ),
    one(
        'holding = "1h"',
        "directional_bias = 1.0",
        "policy.directional_bias = 1.0: must be in [0, 1)",
    ),
    one(
        "leverage = [2, 5, 50]",
        "directional_bias = [0.0, 0.1, 1.5]",
        "sweep.directional_bias[2] = 1.5: must be in [0, 1)",
    ),
    one(
        "leverage = [2, 5, 50]",
        'hedge_ratio = [1.0, "min-varience"]',
        'sweep.hedge_ratio[1] = "min-varience": must be a number in [0, 1000] or "min-variance", '
        "not text",
    ),
)


SWEEP = (
    one(
        "leverage = [2, 5, 50]",
        "leverge = [2, 5, 50]",
        'sweep.leverge = [2, 5, 50]: is no policy key; did you mean "leverage"?',
    ),
    one(
        "leverage = [2, 5, 50]",
        "leverage = []",
        "sweep.leverage = []: has no values; give at least one, or remove the line",
    ),
    one(
        "leverage = [2, 5, 50]",
        "leverage = 5",
        "sweep.leverage = 5: must be a list of values or { start, stop, num, log }",
    ),
    one(
        "leverage = [2, 5, 50]",
        "leverage = [2, -5, nan, 2.0]",
        "sweep.leverage[1] = -5: must be in (0, 1000]",
        "sweep.leverage[2] = nan: must be a number in (0, 1000], not nan",
        "sweep.leverage[3] = 2.0: stands at sweep.leverage[0] already; each value once",
    ),
    one(
        "leverage = [2, 5, 50]",
        "leverage = { start = 1, stop = 10 }",
        "sweep.leverage = { start = 1, stop = 10 }: needs num, as in { start, stop, num, log }",
    ),
    one(
        "leverage = [2, 5, 50]",
        "leverage = { start = 0, stop = 10, num = 1, lag = true }",
        "sweep.leverage.lag = true: is no key of a range { start, stop, num, log }; "
        'did you mean "log"?',
        "sweep.leverage.start = 0: must be in (0, 1000]",
        "sweep.leverage.num = 1: must be a whole number from 2 to 10,000",
    ),
    one(
        "leverage = [2, 5, 50]",
        "rebalance_threshold = { start = 0, stop = 0.1, num = 3, log = true }",
        "sweep.rebalance_threshold = { start = 0, stop = 0.1, num = 3, log = true }: "
        "log needs start and stop above 0",
    ),
    one(
        "leverage = [2, 5, 50]",
        "venue = { start = 0, stop = 1, num = 2 }",
        "sweep.venue = { start = 0, stop = 1, num = 2 }: takes words, so it must be a list of "
        "values",
    ),
    one(
        "leverage = [2, 5, 50]",
        'venue = ["A", "C"]',
        'sweep.venue[1] = "C": must be one of "A", "Bravo"',
    ),
    one(
        "leverage = [2, 5, 50]",
        'holding = ["1h", "90s"]',
        'sweep.holding[1] = "90s": must be a whole number of steps of 1min',
    ),
    one(
        "market.regimes.stress.correlation",
        "market.regimes.stres.correlation",
        'sweep.market.regimes.stres.correlation = [0.8, 0.3]: there is no regime "stres"; '
        'did you mean "stress"?',
    ),
    one(
        "market.regimes.stress.correlation",
        "market.regimes.stress.corelation",
        'sweep.market.regimes.stress.corelation = [0.8, 0.3]: "corelation" is no key of '
        'market.regimes[]; did you mean "market.regimes.stress.correlation"?',
    ),
    one(
        '"market.regimes.stress.correlation" = [0.8, 0.3]',
        '"market.regimes.stress.correlation" = [0.8, 3]',
        "sweep.market.regimes.stress.correlation[1] = 3: must be in [-1, 1]",
    ),
    one(
        "market.regimes.stress.correlation",
        "market.regimes.stress.volatility",
        "sweep.market.regimes.stress.volatility = [0.8, 0.3]: holds one value for each leg; "
        "end the key with .BTC or .ETH",
    ),
    one(
        "market.regimes.stress.correlation",
        "market.regimes.stress.next.calm",
        "sweep.market.regimes.stress.next.calm = [0.8, 0.3]: the probabilities of next sum to "
        "1 only together, so they are no axis",
    ),
    one(
        "market.regimes.stress.correlation",
        "market.regimes.stress",
        "sweep.market.regimes.stress = [0.8, 0.3]: names a table; go on to a value in it, as in "
        '"market.regimes.stress.mean_duration", "market.regimes.stress.next", '
        '"market.regimes.stress.drift", ...',
    ),
    one(
        "market.regimes.stress.correlation",
        "market.correlation_regimes.loose.correlation",
        "sweep.market.correlation_regimes.loose.correlation = [0.8, 0.3]: there are no "
        "correlation_regimes",
    ),
    one(
        '"market.regimes.stress.correlation" = [0.8, 0.3]',
        "correlation = [0.8, 0.3]",
        "sweep.correlation = [0.8, 0.3]: is no policy key; for the market write the whole key, "
        'as in "market.regimes.calm.correlation", "market.regimes.stress.correlation"',
    ),
    one(
        '"market.regimes.stress.correlation" = [0.8, 0.3]',
        '"simulation.step" = ["1min", "5min"]',
        'sweep.simulation.step = ["1min", "5min"]: the simulation is one for the whole cube; '
        "run again with --set instead",
    ),
    one(
        '"market.regimes.stress.correlation" = [0.8, 0.3]',
        '"venues.A.taker_fee" = [0.0, 0.1]',
        "sweep.venues.A.taker_fee = [0.0, 0.1]: a venue's terms are no axis; add a second "
        "[[venues]] and sweep venue",
    ),
    one(
        "leverage = [2, 5, 50]",
        '"policy.leverage" = [2]',
        'sweep.policy.leverage = [2]: write the policy key alone: "leverage"',
    ),
    one(
        "leverage = [2, 5, 50]",
        '"market.initial_regime" = ["calm", "crash"]',
        'sweep.market.initial_regime[1] = "crash": must be one of "calm", "stress" or "stationary"',
    ),
)
