"""Broken files as a whole, simulations, and rules of one's own."""

from __future__ import annotations

from broken_base import SWEPT, one

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
