"""Broken scenario files and the exact message each must give.

Every entry changes the valid file BASE in one place and names the lines that must come
out, without the file's name in front.
"""

from __future__ import annotations

from typing import NamedTuple

BASE: str = """\
name = "base"

[simulation]
paths = 100
horizon = "1h"
step = "1min"
seed = 1

[market]
assets = ["BTC", "ETH"]

[[market.regimes]]
name = "calm"
mean_duration = "7h"
volatility = [0.4, 0.5]
correlation = 0.85

[[market.regimes]]
name = "stress"
mean_duration = "2h"
volatility = [1.2, 1.6]
correlation = 0.8

[[venues]]
name = "A"
latency = "300ms"
max_leverage = 20
maintenance_tiers = [[0, 0.004], [50_000, 0.005]]

[[venues]]
name = "Bravo"

[policy]
venue = "A"
hedge_ratio = 1.0
leverage = 10
holding = "1h"

[sweep]
leverage = [2, 5, 50]
"market.regimes.stress.correlation" = [0.8, 0.3]
"""

THIRD = """
[[market.regimes]]
name = "third"
mean_duration = "1h"
volatility = [1.2, 1.6]
correlation = 0.8
"""

CHAIN = """
[[market.correlation_regimes]]
name = "coupled"
correlation = 0.9
"""


class Broken(NamedTuple):
    """Replace `old` by `new` in BASE (append `new` if `old` is "") and expect these lines.

    more: further replacements.
    """

    old: str
    new: str
    lines: tuple[str, ...]
    more: tuple[tuple[str, str], ...] = ()


def one(old: str, new: str, *lines: str, more: tuple[tuple[str, str], ...] = ()) -> Broken:
    return Broken(old, new, lines, more)


SWEPT = '"market.regimes.stress.correlation" = [0.8, 0.3]'


SIMULATION = (
    one(
        "paths = 100",
        "paths = 0",
        "simulation.paths = 0: must be a whole number from 1 to 2**32",
    ),
    one(
        "paths = 100",
        "paths = 4294967297",
        "simulation.paths = 4294967297: must be a whole number from 1 to 2**32",
    ),
    one(
        "paths = 100",
        "paths = 2e4",
        "simulation.paths = 20000.0: must be a whole number from 1 to 2**32: write 20000",
    ),
    one(
        "paths = 100",
        "pahts = 100",
        'simulation.pahts = 100: is no key of simulation; did you mean "paths"?',
    ),
    one("paths = 100\n", "", "simulation.paths: is missing; as in paths = 20000"),
    one(
        "seed = 1",
        "seed = -1",
        "simulation.seed = -1: must be a whole number from 0 to 2**63 - 1",
    ),
    one(
        "seed = 1",
        "seed = 9223372036854775808",
        "simulation.seed = 9223372036854775808: must be a whole number from 0 to 2**63 - 1",
    ),
    one(
        'horizon = "1h"',
        'horizon = "90s"',
        'simulation.horizon = "90s": must be a whole number of steps of 1min',
    ),
    one(
        'horizon = "1h"',
        'horizon = "20000d"',
        'simulation.horizon = "20000d": makes 28,800,000 steps, and float32 counts at most '
        '16,777,216; write precision = "float64", or take a longer step or a shorter horizon',
    ),
    one(
        'horizon = "1h"\nstep = "1min"',
        'horizon = "1000d"\nstep = "1ms"\nprecision = "float64"',
        'simulation.horizon = "1000d": makes 86,400,000,000 steps, and float64 counts at most '
        "4,294,967,295; take a longer step or a shorter horizon",
        'venues[0].latency = "300ms": must be at most one step (1ms); take a longer step or a '
        "shorter latency",
    ),
    one(
        'step = "1min"',
        'step = "1m"',
        'simulation.step = "1m": has the unknown unit "m"; for minutes write "min"',
    ),
    one(
        'step = "1min"',
        "step = 60",
        'simulation.step = 60: must be a duration such as "1min", in quotes and with a unit',
    ),
    one(
        'step = "1min"',
        'step = "60"',
        'simulation.step = "60": needs a unit, as in "60min" (units: ms, s, min, h, d, w)',
    ),
    one('step = "1min"', 'step = "0s"', 'simulation.step = "0s": must be longer than 0'),
    one(
        'step = "1min"',
        'step = "-1min"',
        'simulation.step = "-1min": must be a number and a unit, as in "1min" '
        "(units: ms, s, min, h, d, w)",
    ),
    one(
        "seed = 1",
        'seed = 1\nprecision = "double"',
        'simulation.precision = "double": must be "float32" or "float64"',
    ),
    one(
        "seed = 1",
        'seed = 1\nbridge = "yes"',
        'simulation.bridge = "yes": must be true or false, without quotes',
    ),
    one(
        "seed = 1",
        "seed = 1\ncapital = 0",
        "simulation.capital = 0: must be in (0, 1e+15]",
    ),
    one(
        "seed = 1",
        "seed = 1\nleverage = 3",
        "simulation.leverage = 3: is no key of simulation; it belongs in [policy]",
    ),
)

MARKET = (
    one(
        "correlation = 0.85",
        "correlation = 1.4",
        "market.regimes[0].correlation = 1.4: must be in [-1, 1]",
    ),
    one(
        "correlation = 0.85",
        "correlation = nan",
        "market.regimes[0].correlation = nan: must be a number in [-1, 1], not nan",
    ),
    one(
        "correlation = 0.85",
        'correlation = "0.85"',
        'market.regimes[0].correlation = "0.85": must be a number in [-1, 1]: remove the quotes',
    ),
    one(
        "correlation = 0.85",
        "correlation = true",
        "market.regimes[0].correlation = true: must be a number in [-1, 1], not true or false",
    ),
    one(
        "correlation = 0.85",
        "correlation = 1979-05-27",
        "market.regimes[0].correlation = 1979-05-27: must be a number in [-1, 1], "
        "not a date or time",
    ),
    one(
        "correlation = 0.85\n",
        "",
        "market.regimes[0].correlation: is missing; state it here, or add "
        "[[market.correlation_regimes]]",
    ),
    one(
        "correlation = 0.85",
        "corelation = 0.85",
        "market.regimes[0].corelation = 0.85: is no key of market.regimes[0]; did you mean "
        '"correlation"?',
    ),
    one(
        "volatility = [0.4, 0.5]",
        "volatility = [-0.4, inf]",
        "market.regimes[0].volatility[0] = -0.4: must be in [0, 100]",
        "market.regimes[0].volatility[1] = inf: must be in [0, 100]",
    ),
    one(
        "volatility = [0.4, 0.5]",
        "volatility = 0.4",
        "market.regimes[0].volatility = 0.4: must be a list of two, one for each leg, each "
        "in [0, 100]",
    ),
    one(
        "volatility = [0.4, 0.5]\n",
        "",
        "market.regimes[0].volatility: is missing; as in volatility = [0.4, 0.55]",
    ),
    one(
        'name = "stress"\nmean_duration',
        'name = "calm"\nmean_duration',
        'market.regimes[1].name = "calm": must be unique, but market.regimes[0] has it already',
        'sweep.market.regimes.stress.correlation = [0.8, 0.3]: there is no regime "stress"; '
        'there are "calm", "calm"',
    ),
    one(
        'mean_duration = "7h"',
        'mean_duration = "7h"\nnext = { stress = 0.9 }',
        "market.regimes[0].next = { stress = 0.9 }: probabilities must sum to 1, these sum to 0.9",
    ),
    one(
        'mean_duration = "7h"',
        'mean_duration = "7h"\nnext = { stres = 1 }',
        'market.regimes[0].next.stres = 1: "stres" is none of "stress"; did you mean "stress"?',
    ),
    one(
        'mean_duration = "7h"',
        'mean_duration = "7h"\nnext = { calm = 1.0 }',
        "market.regimes[0].next.calm = 1.0: must name another; mean_duration says how long "
        "this one lasts",
    ),
    one(
        'mean_duration = "7h"',
        "next = { stress = 1.0 }",
        "market.regimes[0].next = { stress = 1.0 }: would never act, because mean_duration is "
        '"forever"; give a mean_duration',
    ),
    one(
        '[[venues]]\nname = "A"',
        f'{THIRD}\n[[venues]]\nname = "A"',
        "market.regimes[0].next: is missing; one of three or more must say what follows",
        "market.regimes[1].next: is missing; one of three or more must say what follows",
        "market.regimes[2].next: is missing; one of three or more must say what follows",
    ),
    one(
        'assets = ["BTC", "ETH"]',
        'assets = ["BTC", "ETH"]\ninitial_regime = "clam"',
        'market.initial_regime = "clam": must be one of "calm", "stress" or "stationary"; '
        'did you mean "calm"?',
    ),
    one(
        'mean_duration = "7h"\nvolatility = [0.4, 0.5]\ncorrelation = 0.85\n\n'
        '[[market.regimes]]\nname = "stress"\nmean_duration = "2h"',
        'volatility = [0.4, 0.5]\ncorrelation = 0.85\n\n[[market.regimes]]\nname = "stress"',
        'market.initial_regime = "stationary": the long-run law is not unique, because the '
        'chain can end in "calm" and "stress"; name the regime to start in, or give mean '
        "durations",
    ),
    one(
        'assets = ["BTC", "ETH"]',
        'assets = ["BTC", "BTC"]',
        'market.assets[1] = "BTC": must be unique, but market.assets[0] has it already',
    ),
    one(
        'assets = ["BTC", "ETH"]',
        'assets = ["BTC", "ETH", "SOL"]',
        'market.assets = ["BTC", "ETH", "SOL"]: must be a list of two, one for each leg, each '
        'a name of letters, digits, "-" and "_"',
    ),
    one(
        "",
        CHAIN,
        'market.correlation_regimes = [{ name = "coupled", correlation = 0.9 }]: would never '
        "act, because every regime states a correlation of its own; remove one or the other",
    ),
    one(
        'assets = ["BTC", "ETH"]',
        'assets = ["BTC", "ETH"]\nregime = []',
        'market.regime = []: is no key of market; did you mean "regimes"?',
    ),
)

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

COMPONENT = '[{ half_life = "1h", std = 0.001 }]'
FUNDING = '{ mean = [0.0, 0.0], std = [0.0001, 0.0001], half_life = "1d" }'

EVENTS = (
    one(
        "correlation = 0.85",
        "correlation = 0.85\njumps = { intensity = 100_000 }",
        "market.regimes[0].jumps.intensity = 100000: makes 0.19 jumps a step, and at most one is "
        "drawn; take a step of 30s or less",
    ),
    one(
        "correlation = 0.85",
        "correlation = 0.85\nidiosyncratic_jumps = [{ intensity = 0 }, { intensity = 1e9 }]",
        "market.regimes[0].idiosyncratic_jumps[1].intensity = 1000000000.0: makes 1.9e+03 jumps a "
        "step, and at most one is drawn; take a step of 2ms or less",
    ),
    one(
        "correlation = 0.85",
        "correlation = 0.85\nidiosyncratic_jumps = [{ intensity = 1 }]",
        "market.regimes[0].idiosyncratic_jumps = [{ intensity = 1 }]: must have two tables, one "
        "for each leg; { intensity = 0 } is a leg without jumps",
    ),
    one(
        '"market.regimes.stress.correlation" = [0.8, 0.3]',
        '"market.regimes.stress.jumps.intensity" = [0, 10]',
        "sweep.market.regimes.stress.jumps.intensity = [0, 10]: market.regimes[1] has no jumps; "
        "add jumps = { ... } to it",
    ),
    one(
        "correlation = 0.8\n",
        "correlation = 0.8\njumps = { intensity = 2 }\n",
        "sweep.market.regimes.stress.jumps.intensity[1] = 60000: makes 0.11 jumps a step, and at "
        "most one is drawn; take a step of 30s or less",
        more=((SWEPT, '"market.regimes.stress.jumps.intensity" = [20, 60_000]'),),
    ),
    one(
        "correlation = 0.85",
        "correlation = 0.85\ntail_dof = 2",
        "market.regimes[0].tail_dof = 2: must be more than 2, or inf",
    ),
    one(
        'assets = ["BTC", "ETH"]',
        'assets = ["BTC", "ETH"]\ntail_interval = "90s"',
        "sweep.market.regimes.stress.tail_dof[1] = 5: with this value, market.tail_interval: must "
        "be a whole number of steps of 1min",
        more=((SWEPT, '"market.regimes.stress.tail_dof" = [inf, 5]'),),
    ),
)

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

SHOCK = 'duration = "10min"\nreturns = [-0.1, -0.2]'

SHOCKS = (
    one(
        "",
        f'\n[[market.shocks]]\nat = "55min"\n{SHOCK}',
        'market.shocks[0].at = "55min": makes the shock end after 65min, and the horizon is 1h',
    ),
    one(
        "",
        f'\n[[market.shocks]]\nat = "90s"\n{SHOCK}\nregime = "panic"',
        'market.shocks[0].at = "90s": must be a whole number of steps of 1min',
        'market.shocks[0].regime = "panic": must be one of "calm", "stress"',
    ),
    one(
        "",
        f'\n[[market.shocks]]\nat = "0s"\n{SHOCK}\n[[market.shocks]]\nat = "9min"\n{SHOCK}',
        'market.shocks[1].at = "9min": overlaps market.shocks[0], which lasts from the start to '
        "10min",
    ),
    one(
        "",
        '\n[[market.shocks]]\nat = "0s"\nduration = "1min"\nreturns = [-1, 0]',
        "market.shocks[0].returns[0] = -1: must be in (-1, 100]",
    ),
    one(
        '"market.regimes.stress.correlation" = [0.8, 0.3]',
        f'"market.shocks[1].returns.ETH" = [0.0]\n[[market.shocks]]\nat = "0s"\n{SHOCK}',
        "sweep.market.shocks[1].returns.ETH = [0.0]: the tables of shocks go by number: [0]",
    ),
    one(
        '"market.regimes.stress.correlation" = [0.8, 0.3]',
        f'"market.shocks[0].duration" = ["2h"]\n[[market.shocks]]\nat = "0s"\n{SHOCK}',
        'sweep.market.shocks[0].duration[0] = "2h": with this value, market.shocks[0].at: makes '
        "the shock end after 2h, and the horizon is 1h",
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

CHAINS = (
    one(
        '"market.regimes.stress.correlation" = [0.8, 0.3]',
        '"market.regimes.calm.mean_duration" = ["7h", "forever"]\n'
        '"market.regimes.stress.mean_duration" = ["forever", "2h"]',
        'sweep.market.regimes.calm.mean_duration = ["7h", "forever"]: with the other axes, '
        "market.initial_regime: the long-run law is not unique, because the chain can end in "
        '"calm" and "stress"; name the regime to start in, or give mean durations',
    ),
)

CODE = '"my_rules.py:step"'
PLACE = (
    'must be a path from this file to a Python file, and a function in it, as in "my_rules.py:step"'
)
OWN = (
    *(
        one("leverage = 10", f"leverage = 10\nstep = {place}", f"policy.step = {place}: {PLACE}")
        for place in ('"my_rules.py"', '"my_rules:step"', '"/my_rules.py:step"', '":step"', "3")
    ),
    one(
        'assets = ["BTC", "ETH"]',
        'assets = ["BTC", "ETH"]\nstep = "my_market.py"',
        f'market.step = "my_market.py": {PLACE}',
    ),
    one(
        "leverage = 10",
        "leverage = 10\nparameters = { stop = 0.1 }",
        "policy.parameters = { stop = 0.1 }: are for code, and there is none; add policy.step, or "
        "leave them out",
    ),
    one(
        "leverage = 10",
        f"leverage = 10\nstep = {CODE}\nparameters = 3",
        "policy.parameters = 3: must be a table of numbers and durations by name, as in "
        '{ stop = 0.1, wait = "2h" }',
    ),
    one(
        "leverage = 10",
        f"leverage = 10\nstep = {CODE}\n"
        'parameters = { "a b" = 1, x = true, y = "2m", z = inf, w = nan }',
        "policy.parameters.a b = 1: must have a name of letters, digits and _, not beginning with "
        "a digit",
        'policy.parameters.x = true: must be a number or a duration such as "1min", not true or '
        "false",
        'policy.parameters.y = "2m": has the unknown unit "m"; for minutes write "min"',
        "policy.parameters.z = inf: must be in [-1e+30, 1e+30]",
        "policy.parameters.w = nan: must be a number in [-1e+30, 1e+30], not nan",
    ),
    one(
        "leverage = [2, 5, 50]",
        f"step = [{CODE}]",
        f"sweep.step = [{CODE}]: is no axis, because a run has one piece of code; sweep its "
        "parameters",
    ),
    one(
        SWEPT,
        f'"market.step" = [{CODE}]',
        f"sweep.market.step = [{CODE}]: is no axis, because a run has one piece of code; sweep its "
        "parameters",
    ),
    one(
        SWEPT,
        '"policy.parameters.stop" = [1, 2]',
        'sweep.policy.parameters.stop = [1, 2]: there is no "stop" in [policy.parameters]; add it '
        "there, with a value",
    ),
    one(
        SWEPT,
        '"policy.parameters.sotp" = [1, 2]\n"policy.parameters" = [1]\n'
        '"policy.parameters.wait" = [3]',
        'sweep.policy.parameters.sotp = [1, 2]: there is no "sotp" in [policy.parameters]; did you '
        'mean "stop"?',
        'sweep.policy.parameters = [1]: names the table [policy.parameters]; there are "stop", '
        '"wait"',
        'sweep.policy.parameters.wait[0] = 3: must be a duration such as "1min", "0s" allowed, in '
        "quotes and with a unit",
        more=(
            (
                "leverage = 10",
                f'leverage = 10\nstep = {CODE}\nparameters = {{ stop = 0.1, wait = "2h" }}',
            ),
        ),
    ),
    one(
        SWEPT,
        '"policy.parameters.leverage" = [1, 2]',
        'sweep.policy.parameters.leverage = [1, 2]: would share the dimension "leverage" with '
        "sweep.leverage; rename the parameter, or sweep one of the two",
        more=(("leverage = 10", f"leverage = 10\nstep = {CODE}\nparameters = {{ leverage = 1 }}"),),
    ),
    one(
        "hedge_ratio = 1.0",
        'hedge_ratio = "min-variance"\nsizing_correlation = 0.5',
        'policy.hedge_ratio = "min-variance": is taken from the regimes, which market.step may '
        "change; give a number",
        "policy.sizing_correlation = 0.5: sizes by the regimes, which market.step may change; "
        'write "off"',
        more=(('assets = ["BTC", "ETH"]', f'assets = ["BTC", "ETH"]\nstep = {CODE}'),),
    ),
    one(
        SWEPT,
        'hedge_ratio = [1.0, "min-variance"]',
        'sweep.hedge_ratio[1] = "min-variance": is taken from the regimes, which market.step may '
        "change; give a number",
        more=(('assets = ["BTC", "ETH"]', f'assets = ["BTC", "ETH"]\nstep = {CODE}'),),
    ),
)

FILE = (
    one(
        'name = "base"',
        'name = "base"\n"p0]q".cq = 5',
        'p0]q: is no key of the file, which has "name", "description", "simulation", '
        '"market", "venues", "policy", "sweep"',
    ),
    one('name = "base"\n', "", 'name: is missing; as in name = "btc-eth-hourly"'),
    one(
        'name = "base"',
        'name = "../base"',
        'name = "../base": must be a name of at most 100 letters, digits, "-", "_" and "."',
    ),
    one(
        "[simulation]",
        "[simulatoin]",
        'simulatoin = { paths = 100, horizon = "1h", step = "1min", seed = 1 }: is no key of '
        'the file; did you mean "simulation"?',
    ),
    one(
        '[policy]\nvenue = "A"\nhedge_ratio = 1.0\nleverage = 10\nholding = "1h"\n',
        "",
        "policy: is missing; add [policy]",
    ),
    one(
        'name = "base"',
        'name = "base"\nlevrage = 5',
        'levrage = 5: is no key of the file, which has "name", "description", "simulation", '
        '"market", "venues", "policy", "sweep"',
    ),
)

BROKEN = (
    *FILE, *SIMULATION, *MARKET, *EVENTS, *MISPRICING, *SPREADS, *FUNDED, *SHOCKS, *CHAINS, *VENUES,
    *POLICY, *LEGS, *SWEEP, *OWN,
)  # fmt: skip
