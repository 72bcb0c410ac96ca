"""The columns of a ledger: what each is, and in which unit."""

from __future__ import annotations

from typing import NamedTuple


class Column(NamedTuple):
    """One column. whole: whether it holds whole numbers; text: whether it holds words."""

    name: str
    unit: str
    words: str
    whole: bool = False
    text: bool = False


COLUMNS = (
    Column("step", "1", "number of the step, from 1; the close repeats the last", whole=True),
    Column("time", "h", "time at the step's end"),
    Column("event", "", "what happened to the account, parts joined by '; '", text=True),
    Column("regime", "", "regime of the step", text=True),
    Column("correlation_regime", "", "correlation regime of the step, if there are any", text=True),
    Column("jump", "1", "1 if a jump, a spike or a shock fell into the step", whole=True),
    Column("price_a", "1", "price of leg a at the step's end, 100 at the start"),
    Column("price_b", "1", "the same of leg b"),
    Column("mark_b", "1", "leg b's mark at the step's end, where it is not the price"),
    Column("funding_rate_a", "1", "funding rate of leg a known at the step's start, before caps"),
    Column("funding_rate_b", "1", "the same of leg b"),
    Column("z", "1", "spread signal at the step's start"),
    Column("trend", "1", "vol_ratio at the step's start, signed by the trend"),
    Column("bias", "1", "directional bias once decided: 1 the long leg, -1 the short, 0 none"),
    Column("hedge_ratio", "1", "|N_b| / |N_a| that the policy wants at the step's start"),
    Column("drift", "1", "drift from that at the step's start, as the threshold measures it"),
    Column("threshold", "1", "drift that triggers a rebalance"),
    Column("order_a", "E0", "notional of leg a ordered at the step's start, at the price then"),
    Column("order_b", "E0", "the same of leg b"),
    Column("fill_price_a", "1", "price of leg a when its order filled, in units of price_a"),
    Column("fill_price_b", "1", "the same of leg b"),
    Column("turnover_a", "E0", "notional of leg a traded, at the fill's price"),
    Column("turnover_b", "E0", "the same of leg b"),
    Column("fees_a", "E0", "fees of leg a's fill"),
    Column("fees_b", "E0", "the same of leg b"),
    Column("slippage_a", "E0", "slippage of leg a's fill"),
    Column("slippage_b", "E0", "the same of leg b"),
    Column("funding_a", "E0", "funding that leg a paid at the step's end; negative: received"),
    Column("funding_b", "E0", "the same of leg b"),
    Column("pnl_a", "E0", "profit of leg a before costs"),
    Column("pnl_b", "E0", "the same of leg b"),
    Column("pnl_mispricing", "E0", "what of leg b's profit the mispricing made"),
    Column("turnover", "E0", "notional traded by both legs"),
    Column("fees", "E0", "fees of both legs"),
    Column("slippage", "E0", "slippage of both legs"),
    Column("funding", "E0", "funding of both legs"),
    Column("liquidation_cost", "E0", "equity that a liquidation took, its fee included"),
    Column("deficit", "E0", "loss beyond the account's equity"),
    Column("rebalances", "1", "rebalances", whole=True),
    Column("trades", "1", "trades closed", whole=True),
    Column("wins", "1", "trades closed with a gain", whole=True),
    Column("trade_return", "1", "return of the trade that closed, its costs included"),
    Column("notional_a", "E0", "notional of leg a that the account holds at the step's end"),
    Column("notional_b", "E0", "the same of leg b"),
    Column("equity", "E0", "equity at the step's end; after a liquidation what is left"),
    Column("equity_a", "E0", "equity in leg a's own account, under isolated margin"),
    Column("equity_b", "E0", "the same of leg b"),
    Column("margin_a", "E0", "maintenance margin of leg a then, less what the mark adds to equity"),
    Column("margin_b", "E0", "the same of leg b"),
    Column("margin_ratio", "1", "margin over equity, of the worse leg if isolated; 1 liquidates"),
    Column("margin_ratio_a", "1", "margin over equity of leg a's own account, if isolated"),
    Column("margin_ratio_b", "1", "the same of leg b"),
    Column("alive", "1", "1 until a liquidation", whole=True),
    Column("drawdown", "1", "deepest drawdown so far, over the peak before it"),
    Column("shadow_a", "E0", "leg a of the shadow account, after a liquidation"),
    Column("shadow_b", "E0", "the same of leg b"),
    Column("shadow_equity", "E0", "the shadow account's equity"),
    Column("extra_margin", "E0", "largest margin that the shadow has lacked so far"),
)  # fmt: skip
"""In the order of the table; memory of a step of one's own follows: memory, or memory_FIELD."""
SUMS = (
    "pnl_a", "pnl_b", "pnl_mispricing", "turnover", "fees", "slippage", "funding",
    "liquidation_cost", "deficit", "rebalances", "trades", "wins",
)  # fmt: skip
"""Columns that are flows of the account's books: each adds up to the outcome of its name."""
