"""Which rules a market and an account follow: the functions and records they are made of, by name.

The built-in rules make ticks from regimes (`market.py`) or of recorded history (`replay.py`) and
trade a pair (`policy.py`). Others are written the same way, registered, and named by
`MarketSpec.rules` or `PolicySpec.rules`; every backend then traces, compiles and runs them like
the built-in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from . import contract, replay
from .decide import acts
from .market import market_start, market_step
from .ops import Ops
from .policy import policy_close, policy_idle, policy_open, policy_step
from .regimes import by_regime
from .spec import PolicySpec, SimulationSpec
from .tree import extended, names, record

PAIR = "pair"
REGIMES = "regimes"
RECORDED = "recorded"
PolicyTemplate = Callable[[contract.Shape], Any]
Step = Callable[[Ops, contract.Features, Any, Any, contract.Tick, Any], Any]
Pack = Callable[[PolicySpec, SimulationSpec, contract.Shape], Any]
NO_ACCOUNT = contract.Account(*([0.0] * len(contract.Account._fields)))
NO_OUTCOME = contract.Outcome(*([0.0] * len(contract.Outcome._fields)))
NO_STATE = contract.MarketState(*([0.0] * len(contract.MarketState._fields)))
Named = TypeVar("Named", "Rules", "MarketRules")


def pair_policy(shape: contract.Shape) -> contract.Policy:
    """A built-in policy record of this shape; only its structure means anything."""
    venue = contract.Venue(
        taker_fee=0.0,
        slippage=0.0,
        latency=0.0,
        latency_root=0.0,
        liquidation_fee=0.0,
        funding_cap=0.0,
        holds_survivor=0.0,
        tiers=(contract.Tier(0.0, 0.0),) * shape.tiers,
    )
    return contract.Policy(
        hedge_ratio=0.0,
        leg_share=0.0,
        raised_ratio=0.0,
        raised_share=0.0,
        lowered_ratio=0.0,
        lowered_share=0.0,
        leverage=0.0,
        rebalance_threshold=0.0,
        rebalance_interval=0.0,
        holding=0.0,
        side=0.0,
        entry_z=0.0,
        exit_z=0.0,
        bias_trigger=0.0,
        by_equity=0.0,
        to_leverage=0.0,
        nets=0.0,
        venues=(venue,) * shape.venues,
    )


def _as_it_is(shape: contract.Shape) -> contract.Shape:
    return shape


@dataclass(frozen=True, slots=True)
class Rules:
    """How an account opens, steps and closes, and what it is made of.

    open: (ops, features, policy) -> account at time 0.
    step: (ops, features, account, now, tick, policy) -> account, one step later; now is the number
        of steps before this one.
    acts: (ops, features, account, now, tick, policy) -> whether it does anything at this step's
        start, and idle: like step, but only called where acts is false. Without them (None) every
        step is a whole one.
    close: (ops, features, account, tick, policy) -> Outcome, at the last tick.
    account: a record of the account's structure, of reals; records may nest.
    outcome: likewise of the outcome's.
    policy: (shape) -> a record of the policy's structure, of reals.
    pack: (spec, simulation, shape) -> that record's numbers; by default those of the built-in.
    needs: (shape) -> the shape with every feature that the step reads besides.
    """

    name: str
    open: Callable[[Ops, contract.Features, Any], Any] = policy_open
    step: Step = policy_step
    close: Callable[[Ops, contract.Features, Any, contract.Tick, Any], contract.Outcome] = (
        policy_close
    )
    account: Any = NO_ACCOUNT
    outcome: Any = NO_OUTCOME
    policy: PolicyTemplate = pair_policy
    pack: Pack | None = None
    acts: Step | None = None
    idle: Step | None = None
    needs: Callable[[contract.Shape], contract.Shape] = _as_it_is


@dataclass(frozen=True, slots=True)
class MarketRules:
    """How a path starts and steps, and what it carries.

    start: (ops, features, market, draw) -> state at time 0.
    step: (ops, features, market, state, draw) -> (state, tick).
    state: a record of the state's structure, of reals; its first fields are `MarketState`'s.
    parameters: names of what it takes besides: its market record then has a further field,
        `parameters`. None for no such field.
    market: (shape) -> a record of the market's structure, where that is not `contract.Market`.
    """

    name: str
    start: Callable[[Ops, contract.Features, Any, contract.Draw], Any] = market_start
    step: Callable[[Ops, contract.Features, Any, Any, contract.Draw], Any] = market_step
    state: Any = NO_STATE
    parameters: tuple[str, ...] | None = None
    market: Callable[[contract.Shape], Any] | None = None


_known = {PAIR: Rules(PAIR, acts=acts, idle=policy_idle)}
_known_markets = {
    REGIMES: MarketRules(REGIMES),
    RECORDED: MarketRules(
        RECORDED,
        replay.start,
        replay.step,
        state=extended(NO_STATE, "bar", 0.0),
        market=replay.template,
    ),
}


def register(rules: Rules) -> Rules:
    """Make rules known by their name; return them.

    Raises ValueError if the name stands for other rules: compiled code is kept by name.
    """
    return _register(rules, _known)


def register_market(rules: MarketRules) -> MarketRules:
    """The same for the rules of a market."""
    return _register(rules, _known_markets)


def rules_of(shape: contract.Shape) -> Rules:
    """The rules of a shape of code, with books for its regimes where it has that feature.

    Raises KeyError, naming those that are known, if nothing is registered by its name.
    """
    rules = _find(shape.rules, _known)
    return _by_regime(rules, shape.regimes) if shape.features.by_regime else rules


def outcome_fields(shape: contract.Shape) -> tuple[str, ...]:
    """What a policy leaves on a path, number by number: `Outcome`'s fields come first."""
    return tuple(names(rules_of(shape).outcome))


def market_rules_of(shape: contract.Shape) -> MarketRules:
    """The rules of a shape's market. Raises KeyError, likewise."""
    return _find(shape.market, _known_markets)


def completed(rules: MarketRules, market: contract.Market, numbers: Mapping[str, Any]) -> Any:
    """The market record that rules take: with those of these numbers that they name."""
    named = rules.parameters
    if named is None:
        return market
    return extended(market, "parameters", record(named, [numbers[name] for name in named]))


def is_known(name: str) -> bool:
    """Whether rules of accounts or markets are registered by this name."""
    return name in _known or name in _known_markets


_by_regime = cache(by_regime)


def _register(rules: Named, known: dict[str, Named]) -> Named:
    if known.setdefault(rules.name, rules) != rules:
        raise ValueError(f"rules {rules.name!r} are registered already, with other functions")
    return rules


def _find(name: str, known: dict[str, Named]) -> Named:
    if name not in known:
        raise KeyError(f"no rules named {name!r}; registered: {', '.join(sorted(known))}")
    return known[name]
