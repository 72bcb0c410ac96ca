"""The valid scenario that broken ones change in one place, and what such a change is."""

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


SWEPT = '"market.regimes.stress.correlation" = [0.8, 0.3]'


COMPONENT = '[{ half_life = "1h", std = 0.001 }]'


FUNDING = '{ mean = [0.0, 0.0], std = [0.0001, 0.0001], half_life = "1d" }'


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
