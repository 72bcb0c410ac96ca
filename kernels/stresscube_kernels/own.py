"""Rules made of one function that somebody wrote: memory and parameters are seen to here.

Such a function takes and returns the built-in records. What it remembers is a record of its own,
which stands as the last field, `memory`, of the account or the market's state; its parameters stand
as the last field of the policy or market record, and reach it as keyword arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import numpy as np

from . import contract
from .lines import Program
from .market import market_start
from .ops import Ops
from .pack import pack_policy
from .policy import policy_close, policy_open
from .programs import inputs, market_template, outputs
from .rules import NO_ACCOUNT, NO_STATE, MarketRules, Rules, Step, pair_policy
from .spec import PolicySpec, SimulationSpec
from .trace import trace
from .tree import extended, like, record, shortened

SIGNALS = {"z": "spread", "trend": "signals"}
"""Fields of a tick that are only filled where something reads them -> the feature that does."""


@dataclass(frozen=True, slots=True)
class Own:
    """A step that is written outside of the package.

    name: what its rules are registered by. step: takes what the built-in step takes, then the
    memory if there is one, then the parameters by keyword; returns what the built-in returns, then
    the new memory. memory: at time 0: a number, a record of numbers, or () for none.
    parameters: their names. acts, idle: of a policy, as in `rules.Rules`, with the same arguments.
    """

    name: str
    step: Callable[..., Any]
    memory: Any = ()
    parameters: tuple[str, ...] = ()
    acts: Callable[..., Any] | None = None
    idle: Callable[..., Any] | None = None

    @property
    def remembers(self) -> bool:
        """Whether it has a memory."""
        return self.memory != ()

    def started(self, zero: Any) -> Any:
        """The memory at time 0; zero: in the shape of a batch, for arrays."""
        return _mapped(lambda value: zero + value, self.memory)


def policy_rules(own: Own) -> Rules:
    """The rules of accounts that follow a step of one's own."""

    def open_account(ops: Ops, features: contract.Features, policy: Any) -> Any:
        pair = policy_open(ops, features, shortened(policy, contract.Policy))
        return extended(pair, "memory", own.started(pair.equity * 0.0))

    def calling(function: Callable[..., Any]) -> Step:
        def called(
            ops: Ops,
            features: contract.Features,
            account: Any,
            now: Any,
            tick: contract.Tick,
            policy: Any,
        ) -> Any:
            pair = shortened(account, contract.Account)
            given = [pair, now, tick, shortened(policy, contract.Policy)]
            given += [account.memory] if own.remembers else []
            return function(ops, features, *given, **policy.parameters._asdict())

        return called

    def stepping(function: Callable[..., Any]) -> Step:
        call = calling(function)

        def step(*arguments: Any) -> Any:
            made = call(*arguments)
            account, memory = made if own.remembers else (made, ())
            return extended(account, "memory", memory)

        return step

    def template(shape: contract.Shape) -> Any:
        return extended(pair_policy(shape), "parameters", _parameters(own, lambda name: 0.0))

    def pack(spec: PolicySpec, simulation: SimulationSpec, shape: contract.Shape) -> Any:
        given = {p.name: p.number(simulation.step) for p in spec.parameters}
        numbers = _parameters(own, lambda name: given[name])
        return extended(pack_policy(spec, simulation, shape), "parameters", numbers)

    rules = Rules(
        own.name,
        open=open_account,
        step=stepping(own.step),
        close=_close,
        account=extended(NO_ACCOUNT, "memory", own.memory),
        policy=template,
        pack=pack,
        acts=None if own.acts is None else calling(own.acts),
        idle=None if own.idle is None else stepping(own.idle),
        needs=lambda shape: _needed(rules, shape),
    )
    return rules


def market_rules(own: Own) -> MarketRules:
    """The rules of paths that follow a step of one's own. Prices follow its ticks' returns."""

    def start(ops: Ops, features: contract.Features, market: Any, draw: contract.Draw) -> Any:
        state = market_start(ops, features, shortened(market, contract.Market), draw)
        return extended(state, "memory", own.started(state.price_a * 0.0))

    def step(
        ops: Ops, features: contract.Features, market: Any, state: Any, draw: contract.Draw
    ) -> tuple[Any, contract.Tick]:
        before = shortened(state, contract.MarketState)
        given = [shortened(market, contract.Market), before, draw]
        given += [state.memory] if own.remembers else []
        after, tick, *memory = own.step(ops, features, *given, **market.parameters._asdict())
        after = after._replace(
            price_a=before.price_a + before.price_a * tick.return_a,
            price_b=before.price_b + before.price_b * tick.return_b,
        )
        return extended(after, "memory", memory[0] if own.remembers else ()), tick

    state = extended(NO_STATE, "memory", own.memory)
    return MarketRules(own.name, start, step, state, own.parameters)


def traced_policy(rules: Rules, shape: contract.Shape) -> tuple[Program, ...]:
    """The step of these rules, their idle step and what says that they act, each alone.

    Inputs and outputs are named as in `programs.Programs`.
    """
    functions = (rules.step, rules.idle, rules.acts)
    return tuple(_traced(rules, shape, function) for function in functions if function is not None)


def _traced(rules: Rules, shape: contract.Shape, function: Step) -> Program:
    def build(ops: Any, declare: Any) -> dict[str, Any]:
        made = function(
            ops,
            shape.features,
            inputs(declare, "account", rules.account),
            declare("clock.now", "f"),
            inputs(declare, "tick", contract.Tick(*([0.0] * len(contract.Tick._fields)))),
            inputs(declare, "policy", rules.policy(shape)),
        )
        if function is rules.acts:
            return {"acts": made}
        return outputs("account", made, rules.account)

    return trace(build)


def traced_market(rules: MarketRules, shape: contract.Shape) -> Program:
    """The step of these rules alone."""

    def build(ops: Any, declare: Any) -> dict[str, Any]:
        state, tick = rules.step(
            ops,
            shape.features,
            inputs(declare, "market", market_template(shape, rules)),
            inputs(declare, "state", rules.state),
            inputs(declare, "draw", contract.Draw(*([np.uint32(0)] * len(contract.Draw._fields)))),
        )
        nothing = contract.Tick(*([0.0] * len(contract.Tick._fields)))
        return outputs("state", state, rules.state) | outputs("tick", tick, nothing)

    return trace(build)


def read_fields(programs: Iterable[Program], record: str) -> frozenset[str]:
    """The fields of an input record that programs read."""
    read = (given.name.split(".", 1) for program in programs for given in program.inputs)
    return frozenset(field for name, field in read if name == record)


@cache
def _needed(rules: Rules, shape: contract.Shape) -> contract.Shape:
    """The shape with what the step may do: close a trade at any time, read signals."""
    read = read_fields(traced_policy(rules, shape), "tick")
    features = {feature: True for field, feature in SIGNALS.items() if field in read}
    return shape._replace(features=shape.features._replace(rolls=True, **features))


def _close(
    ops: Ops, features: contract.Features, account: Any, tick: contract.Tick, policy: Any
) -> contract.Outcome:
    return policy_close(
        ops,
        features,
        shortened(account, contract.Account),
        tick,
        shortened(policy, contract.Policy),
    )


def _parameters(own: Own, number: Callable[[str], Any]) -> Any:
    return record(own.parameters, map(number, own.parameters))


def _mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """A number, or a tree of them, each changed."""
    if not isinstance(value, tuple):
        return change(value)
    return like(value, [_mapped(change, item) for item in cast("tuple[Any, ...]", value)])
