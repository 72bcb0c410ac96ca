"""What a step of one's own may be built of: the parts of the built-in steps, by short names.

Every function takes `ops`, so that it runs on every backend. docs/own_rules.md explains them.
"""

from __future__ import annotations

from typing import Any

from . import philox, policy, ticks
from .contract import Account, Draw, Features, Market, MarketState, Policy, Regime, Tick
from .decide import NOTHING, Order, acts, decide
from .lines import Input, Line, Operand
from .market import amplified, market_step, regime_at
from .ops import Ops
from .policy import policy_idle, policy_step
from .special import expm1, exponential, log, normal
from .trace import Symbol
from .tree import values

__all__ = [
    "FORESEEN", "NOTHING", "Account", "Draw", "Features", "LookAhead", "Market", "MarketState",
    "Ops", "Order", "Policy", "Regime", "Tick", "acts", "built_in_words", "carry_out", "decide",
    "diffusion", "expm1", "exponential", "leave", "log", "market_step", "normal", "policy_idle",
    "policy_step", "regime_at", "scaled", "words",
]  # fmt: skip
FORESEEN = ("z", "trend", "funding_a", "funding_b", "slippage_multiplier")
"""What of a tick is known when its step begins. The rest happens during the step."""


class LookAhead(ValueError):
    """An order depends on what happens after it is given."""


def carry_out(
    ops: Ops,
    features: Features,
    account: Account,
    order: Order,
    now: Any,
    tick: Tick,
    numbers: Policy,
) -> Account:
    """Carry an account and the order that was decided through the step: fill, mark, margin, fund.

    Raises LookAhead, while tracing, if the order or the account that it comes with depends on what
    the step has yet to bring.
    """
    for name in sorted(_read(values(order)) | _read(values(account))):
        record, _, field = name.partition(".")
        if record == "tick" and field not in FORESEEN:
            raise LookAhead(
                f"what is decided here depends on tick.{field}, which is not known when the step "
                "begins; remember it, and decide by it at the next step"
            )
    return policy.carry_out(ops, features, account, order, now, tick, numbers)


def _read(leaves: list[Any]) -> set[str]:
    """The inputs that traced values depend on."""
    left: list[Operand] = [leaf.operand for leaf in leaves if isinstance(leaf, Symbol)]
    seen: set[int] = set()
    found: set[str] = set()
    while left:
        operand = left.pop()
        if isinstance(operand, Input):
            found.add(operand.name)
        elif isinstance(operand, Line) and operand.number not in seen:
            seen.add(operand.number)
            left += operand.operands
    return found


def leave(
    ops: Ops, before: Account, decided: Account, order: Order, out: Any
) -> tuple[Account, Order]:
    """Where `out` (b) holds: sell what is held and open nothing; elsewhere what was decided.

    before: the account at the step's start. decided, order: what `decide` made of it. A trade
    that is left closes at this step's fill.
    """
    order = Order(
        leg_a=ops.where(out, -before.notional_a, order.leg_a),
        leg_b=ops.where(out, -before.notional_b, order.leg_b),
        opens=order.opens & ~out,
        closes=(order.closes & ~out) | (out & (before.until > 0.5)),
        rebalances=order.rebalances & ~out,
    )
    flat = before._replace(until=0.0)
    pairs = zip(flat, decided, strict=True)
    return Account(*(x if x is y else ops.where(out, x, y) for x, y in pairs)), order


def words(ops: Ops, draw: Draw, block: int) -> tuple[Any, ...]:
    """Four random words (u) of this path and step that nothing built-in uses; block: 0, 1, ...

    Raises ValueError for a negative block.
    """
    if block < 0:
        raise ValueError(f"blocks of random words are numbered from 0, not {block}")
    return philox.words(ops, draw, philox.BLOCK_OWN + block)


def built_in_words(ops: Ops, draw: Draw, block: int) -> tuple[Any, ...]:
    """The words that the built-in market uses, by the table in `philox.py`."""
    return philox.words(ops, draw, block)


def scaled(market: Market, factor: Any) -> Market:
    """The market with every regime's volatility times a factor, the drifts of prices as they were.

    See `market.amplified`.
    """
    return market._replace(
        regimes=tuple(amplified(regime, factor, factor) for regime in market.regimes)
    )


def diffusion(
    ops: Ops,
    features: Features,
    market: Market,
    draw: Draw,
    *,
    drifts: tuple[Any, Any] = (0.0, 0.0),
    deviations: tuple[Any, Any],
    correlation: Any,
    slippage_multiplier: Any = 1.0,
    regime: Any = 0.0,
    jumped: Any = 0.0,
) -> Tick:
    """A whole tick of Gaussian log-returns with these drifts and deviations over the step.

    It is the built-in step of one regime, on the built-in's random words: with the covariance,
    the bridge's variate and the execution noise that policies need. regime: a number below 8.
    jumped: 1 where the step's return has a part that is no diffusion.
    """
    one = market.regimes[0]._replace(
        drift_a=drifts[0],
        drift_b=drifts[1],
        deviation_a=deviations[0],
        deviation_b=deviations[1],
        correlation=correlation,
        slippage_multiplier=slippage_multiplier,
        jumps=(),
        leg_jumps=(),
        mispricing=(),
        premium=(),
    )
    plain = market._replace(
        regimes=(one,),
        volatility_regimes=(),
        correlation_regimes=(),
        funding_regimes=(),
        shocks=(),
    )
    gaussian = Features(bridge=features.bridge, latency=features.latency)
    nowhere = MarketState(*([0.0] * len(MarketState._fields)))
    tick = market_step(ops, gaussian, plain, nowhere, draw)[1]
    return tick._replace(state=ticks.pack(regime, 0.0, 0.0, 0.0, jumped))
