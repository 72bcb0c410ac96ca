"""Broken regimes, chains, jumps and shocks."""

from __future__ import annotations

from broken_base import CHAIN, SWEPT, THIRD, one

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
