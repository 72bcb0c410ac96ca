"""Dotted keys that name list items: market.regimes.stress.correlation.

An item of a list is addressed by its name, or by its number where items have no names
(market.regimes.stress.mispricing[0].std), one leg of a pair by its asset
(market.regimes.stress.volatility.ETH).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from stresscube.scenario.chains import names_in
from stresscube.scenario.code import SECTIONS, Parameter, Place
from stresscube.scenario.faults import did_you_mean, quoted
from stresscube.scenario.grammar import Key, children
from stresscube.scenario.leaf import Leaf
from stresscube.scenario.leaves import Choice, Duration, Pair, Real, Text
from stresscube.scenario.policy import Document

Step = str | int
M = TypeVar("M", bound=BaseModel)

AXES = (Real, Duration, Choice, Text)
"""Kinds of value that may be swept."""


_ONE_CODE = "is no axis, because a run has one piece of code; sweep its parameters"


class BadKey(ValueError):
    """A dotted key that names nothing that can be swept. needs: keys it was read against."""

    def __init__(self, sentence: str, *needs: str) -> None:
        super().__init__(sentence)
        self.needs = needs


@dataclass(frozen=True)
class Target:
    """What a key of [sweep] varies.

    key: as written in [sweep]. at: where it stands, as in market.regimes[1].correlation.
    path: the same as attribute names and indices from the document down.
    title: what it is, in words.
    """

    key: str
    at: str
    pattern: str
    path: tuple[Step, ...]
    leaf: Leaf
    title: str

    @property
    def market(self) -> bool:
        """Whether it changes the market, and not a policy."""
        return self.path[0] == "market"


def resolve(document: Document, key: str) -> Target:
    """Find what a key of [sweep] varies. Raises BadKey."""
    words = [word for part in key.split(".") for word in re.split(r"(?=\[)", part)]
    if len(words) == 1:
        return _policy(document, key)
    if words[0] in SECTIONS and words[1] == "parameters":
        return _parameter(document, key, words)
    if words[0] == "market":
        return _market(document, key, words)
    raise BadKey(_elsewhere(words))


def replaced(model: M, path: tuple[Step, ...], value: Any) -> M:
    """A copy of the model with the value at `path` replaced."""
    name = str(path[0])
    return model.model_copy(update={name: _put(getattr(model, name), path[1:], value)})


def is_axis(entry: Key) -> bool:
    """Whether a key's values may be swept."""
    return isinstance(entry.leaf, AXES)


def candidates(document: Document) -> list[str]:
    """Every dotted market key of this document that can be swept."""
    legs = [f".{asset}" for asset in document.market.assets]
    return list(_candidates("market", "market", document.market, legs))


def _candidates(pattern: str, at: str, model: BaseModel, legs: list[str]) -> Iterator[str]:
    for word, entry in children(pattern).items():
        value = getattr(model, word)
        if entry.many:
            for index, item in enumerate(value):
                name = f".{item.name}" if _named(entry) else f"[{index}]"
                yield from _candidates(entry.pattern, f"{at}.{word}{name}", item, legs)
        elif isinstance(entry.leaf, Pair) and word != "assets":
            yield from (f"{at}.{word}{leg}" for leg in legs)
        elif is_axis(entry) and word != "name":
            yield f"{at}.{word}"
        elif entry.model is not None and value is not None:
            yield from _candidates(entry.pattern, f"{at}.{word}", value, legs)


def _named(entry: Key) -> bool:
    return entry.model is not None and "name" in entry.model.model_fields


def _policy(document: Document, key: str) -> Target:
    known = {name: entry for name, entry in children("policy").items() if is_axis(entry)}
    if key == "step":
        raise BadKey(_ONE_CODE)
    if key in known:
        entry = known[key]
        leaf = cast(Leaf, entry.leaf)
        return Target(key, f"policy.{key}", entry.pattern, ("policy", key), leaf, _title(entry))
    market = [name for name in candidates(document) if name.rpartition(".")[2] == key]
    hint = did_you_mean(key, known)
    if market:
        examples = quoted(market, 3)
        raise BadKey(f"is no policy key; for the market write the whole key, as in {examples}")
    raise BadKey(f"is no policy key; {hint or f'they are {quoted(known, 20)}'}")


def _parameter(document: Document, key: str, words: list[str]) -> Target:
    """A parameter of code, by its name in the table."""
    table = f"{words[0]}.parameters"
    known = getattr(document, words[0]).parameters
    name = ".".join(words[2:])
    if name not in known:
        hint = did_you_mean(name, known) or (f"there are {quoted(known)}" if known else "")
        sentence = f'there is no "{name}" in [{table}]' if name else f"names the table [{table}]"
        raise BadKey(f"{sentence}; {hint or 'add it there, with a value'}", table)
    at, path = f"{table}.{name}", (words[0], "parameters", name)
    return Target(key, at, table, path, known[name].leaf, name.replace("_", " "))


def _elsewhere(words: list[str]) -> str:
    section, word = words[0], words[-1]
    if section == "policy" and word in children("policy"):
        return f'write the policy key alone: "{word}"'
    if section == "simulation":
        return "the simulation is one for the whole cube; run again with --set instead"
    if section in ("venues", "venue"):
        return "a venue's terms are no axis; add a second [[venues]] and sweep venue"
    return 'must be a policy key, or a market key that begins with "market."'


def _market(document: Document, key: str, words: list[str]) -> Target:
    pattern = at = "market"
    place: list[Step] = ["market"]
    names: list[str] = []
    value: Any = document.market
    rest = words[1:]
    while rest:
        word = rest.pop(0)
        entry = _child(document, key, pattern, word)
        pattern, at = entry.pattern, f"{at}.{word}"
        place.append(word)
        value = getattr(value, word, None)
        if entry.leaf is not None:
            leaf, place, at = _leaf(document, entry, place, at, rest)
            title = ", ".join([_title(entry), *names, *rest])
            return Target(key, at, pattern, tuple(place), leaf, title)
        if entry.many:
            if not rest:
                example = f"the name of one, as in {key}.NAME"
                other = f"the number of one, as in {key}[0]"
                raise BadKey(f"names a list; go on with {example if _named(entry) else other}")
            index = _item(entry, value, rest.pop(0), at)
            value, at = value[index], f"{at}[{index}]"
            names.append(f"{_singular(word)} {value.name if _named(entry) else index}")
            place.append(index)
        elif value is None:
            owner = at.rpartition(".")[0]
            raise BadKey(f"{owner} has no {word}; add {word} = {{ ... }} to it", at)
    inside = [f"{key}.{word}" for word in children(pattern) if word != "name"]
    raise BadKey(f"names a table; go on to a value in it, as in {quoted(inside, 3)}")


def _child(document: Document, key: str, pattern: str, word: str) -> Key:
    known = children(pattern)
    if word in known:
        return known[word]
    hint = did_you_mean(key, candidates(document)) or did_you_mean(word, known)
    raise BadKey(f'"{word}" is no key of {pattern}; {hint or f"they are {quoted(known, 20)}"}')


def _item(entry: Key, items: Any, name: str, at: str) -> int:
    if not _named(entry):
        if not items:
            raise BadKey(f"there are no {entry.word}", at)
        number = re.fullmatch(r"\[(\d+)\]", name)
        if number is None or int(number[1]) >= len(items):
            numbers = ", ".join(f"[{index}]" for index in range(len(items)))
            raise BadKey(f"the tables of {entry.word} go by number: {numbers}", at)
        return int(number[1])
    names = [item.name for item in items or ()]
    if name in names:
        return names.index(name)
    what = _singular(entry.word)
    if not names:
        raise BadKey(f"there are no {entry.word}", at)
    hint = did_you_mean(name, names)
    raise BadKey(
        f'there is no {what} "{name}"; {hint or f"there are {quoted(names)}"}', *names_in(names, at)
    )


def _leaf(
    document: Document, entry: Key, place: list[Step], at: str, rest: list[str]
) -> tuple[Leaf, list[Step], str]:
    leaf = cast(Leaf, entry.leaf)
    if entry.word in ("name", "assets"):
        raise BadKey("names are no axis")
    if entry.word == "next":
        raise BadKey("the probabilities of next sum to 1 only together, so they are no axis")
    if isinstance(leaf, Pair):
        assets = document.market.assets
        if len(rest) != 1 or rest[0] not in assets:
            raise BadKey(
                f"holds one value for each leg; end the key with .{assets[0]} or .{assets[1]}",
                "market.assets",
            )
        index = assets.index(rest[0])
        return leaf.item, [*place, index], f"{at}[{index}]"
    if isinstance(leaf, Place):
        raise BadKey(_ONE_CODE)
    if rest:
        raise BadKey(f"{entry.word} is a single value; nothing may follow it")
    if not isinstance(leaf, AXES):
        raise BadKey("is no number, duration or word, so it is no axis")
    return leaf, place, at


def _put(value: Any, path: tuple[Step, ...], new: Any) -> Any:
    if isinstance(value, Parameter):
        return replace(value, value=new)
    if not path:
        return new
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return table | {str(path[0]): _put(table[str(path[0])], path[1:], new)}
    if isinstance(value, tuple):
        items = cast("tuple[Any, ...]", value)
        index = int(path[0])
        return (*items[:index], _put(items[index], path[1:], new), *items[index + 1 :])
    return replaced(value, path, new)


def _title(entry: Key) -> str:
    return entry.info.title or entry.word.replace("_", " ")


def _singular(word: str) -> str:
    return word.removesuffix("s").replace("_", " ")
