"""The Markov chains of a document: where they go next, where they start, if that is clear."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from stresscube.scenario.faults import Problem, did_you_mean, quoted

STATIONARY = "stationary"
"""Where a chain starts that starts in its long-run law."""


class State(Protocol):
    """A regime of any chain."""

    @property
    def name(self) -> str: ...
    @property
    def mean_duration(self) -> float: ...
    @property
    def next(self) -> dict[str, float] | None: ...


def probabilities(states: Sequence[State]) -> tuple[tuple[float, ...], ...]:
    """Row i: where the chain goes when it leaves state i, zeros if it never does.

    With two states and no `next` it goes to the other; a single state lasts.
    """
    names = [state.name for state in states]
    rows: list[tuple[float, ...]] = []
    for index, state in enumerate(states):
        if lasts(states, index):
            rows.append((0.0,) * len(states))
        elif state.next is None:
            rows.append(tuple(float(other != index) for other in range(len(states))))
        else:
            rows.append(tuple(state.next.get(name, 0.0) for name in names))
    return tuple(rows)


def lasts(states: Sequence[State], index: int) -> bool:
    """Whether the chain never leaves this state."""
    return len(states) == 1 or states[index].mean_duration == float("inf")


def problems(
    states: Sequence[State], key: str, initial: str, initial_key: str
) -> Iterator[Problem]:
    """Faults of one chain; `key` is its list, such as "market.regimes"."""
    names = [state.name for state in states]
    yield from repeated(names, key)
    for index, state in enumerate(states):
        yield from _next(state, names, f"{key}[{index}]", key)
        if state.name == STATIONARY:
            reserved = f'must not be "{STATIONARY}", which initial_regime uses for something else'
            yield Problem(f"{key}[{index}].name", reserved)
    yield from starts(states, key, initial, initial_key)


def starts(states: Sequence[State], key: str, initial: str, at: str) -> Iterator[Problem]:
    """Whether a chain may start at `initial`; `at` is the key that says so."""
    names = [state.name for state in states]
    if initial != STATIONARY and initial not in names:
        hint = did_you_mean(initial, [*names, STATIONARY])
        choice = f'one of {quoted(names)} or "{STATIONARY}"' if names else f'"{STATIONARY}"'
        sentence = f"must be {choice}{f'; {hint}' if hint else ''}"
        yield Problem(at, sentence, names_in(names, key), initial)
    if initial == STATIONARY and (ends := _ends(states))[1:]:
        stuck = " and ".join(f'"{names[end]}"' for end in ends[:3])
        yield Problem(
            at,
            f"the long-run law is not unique, because the chain can end in {stuck}; "
            "name the regime to start in, or give mean durations",
            (key,),
            initial,
        )


def repeated(names: Sequence[str], key: str, what: str = ".name") -> Iterator[Problem]:
    """Names of a list that an earlier item has already."""
    for index, name in enumerate(names):
        if name in names[:index]:
            first = names.index(name)
            yield Problem(
                f"{key}[{index}]{what}",
                f"must be unique, but {key}[{first}] has it already",
                (f"{key}[{first}]{what}",),
            )


def names_in(names: Sequence[str], key: str) -> tuple[str, ...]:
    """The keys of the names of a list."""
    return tuple(f"{key}[{index}].name" for index in range(len(names)))


def _next(state: State, names: Sequence[str], at: str, key: str) -> Iterator[Problem]:
    many, forever = len(names) > 1, state.mean_duration == float("inf")
    if state.next is None:
        if len(names) > 2 and not forever:
            yield Problem(f"{at}.next", "is missing; one of three or more must say what follows")
        return
    for name in state.next:
        where = f"{at}.next.{name}"
        if name == state.name:
            yield Problem(where, "must name another; mean_duration says how long this one lasts")
        elif name not in names:
            others = [other for other in names if other != state.name]
            hint = did_you_mean(name, others)
            known = f"is none of {quoted(others)}" if others else "does not exist"
            yield Problem(
                where, f'"{name}" {known}{f"; {hint}" if hint else ""}', names_in(names, key)
            )
    if many and forever:
        yield Problem(
            f"{at}.next",
            'would never act, because mean_duration is "forever"; give a mean_duration',
            (f"{at}.mean_duration",),
            idle=True,
        )


def _ends(states: Sequence[State]) -> list[int]:
    """One state of every closed class: sets of states that the chain never leaves."""
    rows = probabilities(states)
    reach = [{index} for index in range(len(rows))]
    for _ in rows:
        for index, row in enumerate(rows):
            for other, chance in enumerate(row):
                if chance > 0:
                    reach[index] |= reach[other]
    closed = [i for i, seen in enumerate(reach) if all(i in reach[other] for other in seen)]
    return [i for i in closed if i == min(reach[i])]
