"""An exchange: one of the tables [[venues]] of the scenario file."""

from __future__ import annotations

import math
from typing import Annotated

from stresscube.scenario.leaves import Choice, Duration, Real
from stresscube.scenario.tables import NAME, Table, key
from stresscube.scenario.tiers import Tiers, TierTable


class Venue(Table):
    """What one exchange charges and demands."""

    name: Annotated[str, NAME] = key(..., "Name, used by policy.venue.", "C")
    taker_fee: Annotated[float, Real(0, 1, high_open=True)] = key(
        0.0, "Fee on traded notional.", 0.0005
    )
    slippage: Annotated[float, Real(0, 1, high_open=True)] = key(
        0.0, "Slippage on traded notional, times the regime's multiplier.", 0.0001
    )
    latency: Annotated[float, Duration(zero=True)] = key(
        0.0, "From decision to fill, at most one step.", "300ms"
    )
    max_leverage: Annotated[float, Real(0, low_open=True, infinite=True)] = key(
        math.inf, "Cap on leverage; a policy that asks for more is clipped.", 20
    )
    maintenance_tiers: Annotated[TierTable | dict[str, TierTable], Tiers()] = key(
        ((0.0, 0.0),),
        "Maintenance margin rate from each notional floor up; the deductions follow by continuity. "
        "A table of such lists, one for each asset, where they differ.",
        [[0, 0.004], [50_000, 0.005], [600_000, 0.01]],
    )
    liquidation_fee: Annotated[float, Real(0, 1, high_open=True)] = key(
        0.0, "Fee on liquidated notional.", 0.0125
    )
    funding_cap: Annotated[float, Real(0, infinite=True)] = key(
        math.inf, "Largest funding rate either way, per interval.", 0.003
    )
    margin_mode: Annotated[str, Choice(("cross", "isolated"))] = key(
        "cross", "One margin account for both legs, or one each.", "isolated"
    )
    after_leg_death: Annotated[str, Choice(("close", "hold"))] = key(
        "close",
        "Under isolated margin, what becomes of the other leg when one is liquidated: closed after "
        "latency, or held to the end of the trade. Each leg's venue says it for its own leg.",
        "hold",
    )
