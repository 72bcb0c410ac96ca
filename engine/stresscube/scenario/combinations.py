"""Faults of values that are good one by one: where the axes of a sweep meet.

A sweep is a grid, so whatever values its axes have occur together somewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from math import inf
from typing import cast

from stresscube.scenario.dotted import replaced, resolve
from stresscube.scenario.faults import ABSENT, Problem, toml
from stresscube.scenario.policy import Document

HALF_LIFE = "market.replay.spread_half_life"
Value = float | str
Values = Mapping[str, tuple[Value, ...]]
SPREAD = "spread"
MOVING = ("std", "spike_intensity", "spike_std")
"""Keys of a component of mispricing without which it may be still."""


def problems(document: Document, values: Values, faulty: Collection[str]) -> Iterator[Problem]:
    """Faults of a document and the values of its sweep.

    faulty: keys of [sweep] that have faults of their own; what depends on them is passed over.
    """
    if SPREAD not in _all(document, values, "side"):
        return
    if not {"side", "entry_z", "exit_z"} & {*faulty}:
        yield from _exits(document, values)
    if "side" in faulty:
        return
    if document.market.replayed:
        if HALF_LIFE not in faulty:
            yield from _scoreless(document, values)
    elif not any(".mispricing[" in key for key in faulty):
        yield from _stillness(document, values)


def _all(document: Document, values: Values, word: str) -> tuple[Value, ...]:
    """Every value of a policy key."""
    return values.get(word, (cast(Value, getattr(document.policy, word)),))


def _at(values: Values, word: str, value: Value) -> str:
    """Where a value of a policy key stands."""
    return f"sweep.{word}[{values[word].index(value)}]" if word in values else f"policy.{word}"


def _exits(document: Document, values: Values) -> Iterator[Problem]:
    """Whether some exit lies above some entry."""
    leave = cast(float, max(_all(document, values, "exit_z")))
    enter = cast(float, min(_all(document, values, "entry_z")))
    if leave <= enter:
        return
    at = {"exit_z": _at(values, "exit_z", leave), "entry_z": _at(values, "entry_z", enter)}
    if "entry_z" in values and "exit_z" not in values:
        word, value, bound = "entry_z", enter, f"at least exit_z ({at['exit_z']} = {leave:g})"
    else:
        word, value, bound = "exit_z", leave, f"at most entry_z ({at['entry_z']} = {enter:g})"
    yield Problem(
        at[word],
        f'must be {bound} where side = "spread", or a trade would open where it is to close',
        ("policy.side", "policy.entry_z", "policy.exit_z"),
        value if word in values else ABSENT,
    )


def _scoreless(document: Document, values: Values) -> Iterator[Problem]:
    """Whether an axis of a replay leaves a trade by the spread without a z."""
    listed = values.get(HALF_LIFE, ())
    replay = document.market.replay
    if inf not in listed or replay is None or replay.spread_half_life == inf:
        return  # said where the side stands
    side = _at(values, "side", SPREAD)
    yield Problem(
        f"sweep.{HALF_LIFE}[{listed.index(inf)}]",
        f'leaves no z, and {side} = "{SPREAD}" needs one; take the value out, or run it in a file '
        "without that side",
        ("policy.side",),
        "off",
    )


def _stillness(document: Document, values: Values) -> Iterator[Problem]:
    """Whether the axes together leave a market without mispricing."""
    if not document.market.mispriced:
        return  # said where the side stands
    poorest, still = document, list[str]()
    for key, listed in values.items():
        path = resolve(document, key).path
        if "mispricing" in path and path[-1] in MOVING:
            poorest = replaced(poorest, path, min(listed))
            still += [key] if min(listed) == 0.0 else []
    if poorest.market.mispriced:
        return
    first, *others = [f"sweep.{key}[{values[key].index(0.0)}]" for key in still]
    also = f", with {' and '.join(f'{at} = {toml(0.0)}' for at in others)}" if others else ""
    side = _at(values, "side", SPREAD)
    yield Problem(
        first,
        f'leaves no mispricing{also}, and {side} = "{SPREAD}" needs some; take the value out, or '
        "run it in a file without that side",
        ("policy.side",),
        0.0,
    )
