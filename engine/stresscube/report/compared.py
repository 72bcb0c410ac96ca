"""The best policies in detail, at every market: what the page's curves and bars draw."""

from __future__ import annotations

from typing import Any

import xarray as xr

from stresscube.plane import title_with_units
from stresscube.policies import LIQUIDATION
from stresscube.report.pack import pack
from stresscube.show import Ranking
from stresscube.wording import policy_words

MOST = 5
COSTS = ("fees_mean", "slippage_mean", "funding_mean", "liquidation_cost_mean")
ACCOUNT = ("pnl_a_mean", "pnl_b_mean", *COSTS, "deficit_mean", "return_mean")
"""The terms of the balance of a policy's account (docs/metrics.md), and what they add up to."""
REGIMES = (
    "regime_time",
    "regime_gain_mean",
    "regime_gain_quantile",
    "regime_liquidation_probability",
    "regime_drawdown_probability",
    "regime_drawdown_mean",
)
WANTED = dict.fromkeys(
    ("survival", "return_quantile", "max_drawdown_quantile", *COSTS, *ACCOUNT,
     "pnl_mispricing_mean", *REGIMES)
)  # fmt: skip


def compared(data: xr.Dataset, ranking: Ranking) -> dict[str, Any]:
    """Return metrics of the first policies of a ranking, with their errors, by market.

    Every array is [policy, market dims of the cube, further dims].
    """
    best = ranking.policies.isel(rank=slice(0, MOST))
    own = [str(dim) for dim in best.coords if dim in data.dims]
    market = [str(dim) for dim in data[LIQUIDATION].dims if dim not in own]
    chosen = data.sel({dim: best[dim].drop_vars(own, errors="ignore") for dim in own})
    if "rank" not in chosen.dims:
        chosen = chosen.expand_dims(rank=1)
    arrays: dict[str, Any] = {}
    for name in WANTED:
        if f"{name}_se" in chosen:
            values, errors = (
                chosen[it].transpose("rank", *market, ...) for it in (name, f"{name}_se")
            )
            arrays[name] = {
                "title": title_with_units(data[name]),
                "dims": [str(dim) for dim in values.dims],
                "values": pack(values.values),
                "errors": pack(errors.values),
            }
    return {
        "names": names(ranking)[:MOST],
        "market": market,
        "worst": {dim: _worst(data, ranking, dim) for dim in market},
        "metrics": arrays,
        "times": data["time"].values.tolist() if "time" in data.coords else [],
        "quantiles": data["quantile"].values.tolist() if "quantile" in data.coords else [],
        "costs": [name for name in COSTS if name in arrays],
        "account": list(ACCOUNT) if all(name in arrays for name in ACCOUNT) else [],
    }


def names(ranking: Ranking) -> list[str]:
    """Return each policy in words: 'venue B, leverage 10'; 'the policy' if there is one alone."""
    words = policy_words(ranking.policies, ranking.fixed)
    titles = {dim: title_with_units(ranking.policies[dim]) for dim in words}
    rows = range(ranking.policies.sizes["rank"])
    found = [", ".join(f"{titles[dim]} {its[row]}" for dim, its in words.items()) for row in rows]
    return [name or "the policy" for name in found]


def _worst(data: xr.Dataset, ranking: Ranking, dim: str) -> int:
    """Return where the best policy's metric is worst along a market dim."""
    if dim not in ranking.worst_at:
        return 0
    return data[dim].values.tolist().index(ranking.worst_at[dim][0])
