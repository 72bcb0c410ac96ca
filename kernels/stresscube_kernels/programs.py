"""The five traced functions that a compiled backend is made of, for one shape of code."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import contract
from .rules import MarketRules, Step, completed, market_rules_of, rules_of
from .trace import Program, Symbol, TraceOps, trace
from .tree import leaves, names, rebuild

Declare = Callable[[str, str], Symbol]


@dataclass(frozen=True, slots=True)
class Programs:
    """A shape's traced functions, and the record layouts that their inputs name.

    Inputs are named `record.field`: market, state, draw, tick, following (the next tick), clock,
    policy, account. A policy step's output `acts` says whether the account acts at the next
    step's start; where no account of a group does, the group may take `policy_idle`.
    """

    shape: contract.Shape
    market_start: Program
    market_step: Program
    policy_open: Program
    policy_step: Program
    policy_idle: Program | None  # the step of accounts that do not act at its start
    policy_close: Program
    market_fields: tuple[tuple[str, str], ...]  # (name, kind)
    policy_fields: tuple[str, ...]
    account_fields: tuple[str, ...]
    outcome_fields: tuple[str, ...]
    state_fields: tuple[str, ...]

    @property
    def all(self) -> tuple[Program, ...]:
        """Every traced function."""
        made = (
            self.market_start, self.market_step, self.policy_open, self.policy_step,
            self.policy_idle, self.policy_close,
        )  # fmt: skip
        return tuple(program for program in made if program is not None)


def market_template(shape: contract.Shape, rules: MarketRules) -> Any:
    """A market record of this shape; only its structure and the leaves' dtypes mean anything."""
    if rules.market is not None:
        return rules.market(shape)
    real, word = np.float64(0.0), np.uint32(0)
    premium = contract.Premium(real, real, real, real, real, real)
    premiums = (premium, premium) if shape.features.funding else ()
    component = contract.Component(real, real, real, word, real, real, (word,) * shape.regimes)
    regime = contract.Regime(
        drift_a=real,
        drift_b=real,
        deviation_a=real,
        deviation_b=real,
        correlation=real,
        own_correlation=real,
        slippage_multiplier=real,
        jumps=(contract.Jump(word, real, real, real, real, real),) * shape.jumps,
        leg_jumps=(contract.LegJump(word, real, real),) * shape.leg_jumps,
        mispricing=(component,) * shape.mispricing,
        premium=() if shape.funding_regimes else premiums,
        next=(word,) * shape.regimes,
        start=word,
    )
    scaling = contract.VolatilityRegime(
        multiplier_a=real, multiplier_b=real, next=(word,) * shape.volatility_regimes, start=word
    )
    slow = contract.CorrelationRegime(
        correlation=real, next=(word,) * shape.correlation_regimes, start=word
    )
    funding = contract.FundingRegime(
        premium=premiums, next=(word,) * shape.funding_regimes, start=word
    )
    market = contract.Market(
        regimes=(regime,) * shape.regimes,
        volatility_regimes=(scaling,) * shape.volatility_regimes,
        correlation_regimes=(slow,) * shape.correlation_regimes,
        funding_regimes=(funding,) * shape.funding_regimes,
        tail_interval=real,
        tails=np.zeros(1),
        funding=contract.FundingRule(real, real, real),
        signals=contract.Signals(real, real, real, real, real, real),
        shocks=(contract.Shock(word, word, real, real, real),) * shape.shocks,
        mark_decay=real,
    )
    return completed(rules, market, defaultdict(lambda: real))


def kind_of(leaf: Any) -> str:
    """The kind of a packed leaf: u for uint32, t for an array, else f."""
    if isinstance(leaf, np.ndarray):
        return "t"
    return "u" if type(leaf) is np.uint32 else "f"


def programs(shape: contract.Shape) -> Programs:
    """Trace everything that this shape needs."""
    features = shape.features
    rules, paths = rules_of(shape), market_rules_of(shape)
    market = market_template(shape, paths)
    policy, account, state = rules.policy(shape), rules.account, paths.state
    draw = contract.Draw(*([np.uint32(0)] * len(contract.Draw._fields)))
    tick = contract.Tick(*([0.0] * len(contract.Tick._fields)))

    def start(ops: TraceOps, declare: Declare) -> dict[str, Any]:
        made = paths.start(
            ops, features, inputs(declare, "market", market), inputs(declare, "draw", draw)
        )
        return outputs("state", made, state)

    def step(ops: TraceOps, declare: Declare) -> dict[str, Any]:
        next_state, made = paths.step(
            ops,
            features,
            inputs(declare, "market", market),
            inputs(declare, "state", state),
            inputs(declare, "draw", draw),
        )
        return outputs("state", next_state, state) | outputs("tick", made, tick)

    def open_account(ops: TraceOps, declare: Declare) -> dict[str, Any]:
        made = rules.open(ops, features, inputs(declare, "policy", policy))
        return outputs("account", made, account)

    def stepping(step: Step) -> Callable[[TraceOps, Declare], dict[str, Any]]:
        def step_account(ops: TraceOps, declare: Declare) -> dict[str, Any]:
            before = inputs(declare, "account", account)
            here, now = inputs(declare, "tick", tick), declare("clock.now", "f")
            numbers = inputs(declare, "policy", policy)
            made = step(ops, features, before, now, here, numbers)
            found = outputs("account", made, account)
            if rules.acts is None:
                return found
            following = inputs(declare, "following", tick)
            return found | {"acts": rules.acts(ops, features, made, now + 1.0, following, numbers)}

        return step_account

    def close_account(ops: TraceOps, declare: Declare) -> dict[str, Any]:
        made = rules.close(
            ops,
            features,
            inputs(declare, "account", account),
            inputs(declare, "tick", tick),
            inputs(declare, "policy", policy),
        )
        return outputs("outcome", made, rules.outcome)

    return Programs(
        shape=shape,
        market_start=trace(start),
        market_step=trace(step),
        policy_open=trace(open_account),
        policy_step=trace(stepping(rules.step)),
        policy_idle=None if rules.idle is None else trace(stepping(rules.idle)),
        policy_close=trace(close_account),
        market_fields=tuple((name, kind_of(leaf)) for name, leaf in leaves(market)),
        policy_fields=tuple(names(policy)),
        account_fields=tuple(names(account)),
        outcome_fields=tuple(names(rules.outcome)),
        state_fields=tuple(names(state)),
    )


def inputs(declare: Declare, prefix: str, template: Any) -> Any:
    """The template's record with every leaf an input symbol named prefix.leaf."""
    symbols = (declare(f"{prefix}.{name}", kind_of(leaf)) for name, leaf in leaves(template))
    return rebuild(template, symbols)


def outputs(prefix: str, record: Any, template: Any) -> dict[str, Any]:
    """A record's leaves by name prefix.leaf.

    Raises TypeError if its structure is not the template's.
    """
    if names(record) != names(template):
        wanted, found = type(template).__name__, type(record).__name__
        raise TypeError(f"a step must return its {prefix} as a record like {wanted}, not {found}")
    return {f"{prefix}.{name}": value for name, value in leaves(record)}


def market_places(fields: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Where each number of the market stands among the arrays that hold them."""
    counters = {"f": 0, "u": 0}
    places: list[tuple[str, str]] = []
    for name, kind in fields:
        if kind == "t":
            places.append((name, "table"))
            continue
        places.append((name, f"{'reals' if kind == 'f' else 'words'}[{counters[kind]}]"))
        counters[kind] += 1
    return places
