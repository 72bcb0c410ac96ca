"""Dotted keys that name list items: market.regimes.stress.correlation.

An item of a list is addressed by its name, one leg of a pair by its asset:
market.regimes.stress.volatility.ETH.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from stresscube.scenario.chains import names_in
from stresscube.scenario.faults import did_you_mean, quoted
from stresscube.scenario.grammar import Key, children, keys
from stresscube.scenario.leaf import Leaf
from stresscube.scenario.leaves import Choice, Duration, Pair, Real, Text
from stresscube.scenario.policy import Document

Step = str | int
M = TypeVar("M", bound=BaseModel)


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
    words = key.split(".")
    if len(words) == 1:
        return _policy(document, key)
    if words[0] == "market":
        return _market(document, key, words)
    raise BadKey(_elsewhere(words))


def replaced(model: M, path: tuple[Step, ...], value: Any) -> M:
    """A copy of the model with the value at `path` replaced."""
    name = str(path[0])
    return model.model_copy(update={name: _put(getattr(model, name), path[1:], value)})


def candidates(document: Document) -> list[str]:
    """Every dotted market key of this document that can be swept."""
    found: list[str] = []
    for entry in keys().values():
        words = entry.pattern.split(".")
        if words[0] != "market" or entry.leaf is None or words[-1] in ("name", "next", "assets"):
            continue
        if len(words) == 2:
            found.append(entry.pattern)
        elif len(words) == 3 and words[1] in ("regimes[]", "correlation_regimes[]"):
            group = words[1].removesuffix("[]")
            legs = [f".{asset}" for asset in document.market.assets]
            found += [
                f"market.{group}.{item.name}.{words[2]}{leg}"
                for item in getattr(document.market, group)
                for leg in (legs if isinstance(entry.leaf, Pair) else [""])
            ]
    return found


def _policy(document: Document, key: str) -> Target:
    known = children("policy")
    if key in known and known[key].leaf is not None:
        entry = known[key]
        leaf = cast(Leaf, entry.leaf)
        return Target(key, f"policy.{key}", entry.pattern, ("policy", key), leaf, _title(entry))
    market = [name for name in candidates(document) if name.rpartition(".")[2] == key]
    hint = did_you_mean(key, known)
    if market:
        examples = quoted(market, 3)
        raise BadKey(f"is no policy key; for the market write the whole key, as in {examples}")
    raise BadKey(f"is no policy key; {hint or f'they are {quoted(known, 20)}'}")


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
                raise BadKey(f"names a list; go on with the name of one, as in {key}.NAME")
            index = _item(entry, value, rest.pop(0), at)
            value, at = value[index], f"{at}[{index}]"
            names.append(f"{_singular(word)} {value.name}")
            place.append(index)
    inside = [f"{key}.{word}" for word in children(pattern) if word != "name"]
    raise BadKey(f"names a table; go on to a value in it, as in {quoted(inside, 3)}")


def _child(document: Document, key: str, pattern: str, word: str) -> Key:
    known = children(pattern)
    if word in known:
        return known[word]
    hint = did_you_mean(key, candidates(document)) or did_you_mean(word, known)
    raise BadKey(f'"{word}" is no key of {pattern}; {hint or f"they are {quoted(known, 20)}"}')


def _item(entry: Key, items: Any, name: str, at: str) -> int:
    if entry.model is None or "name" not in entry.model.model_fields:
        raise BadKey(f"the tables of {entry.word} have no names and cannot be swept")
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
    if rest:
        raise BadKey(f"{entry.word} is a single value; nothing may follow it")
    if not isinstance(leaf, Real | Duration | Choice | Text):
        raise BadKey("is no number, duration or word, so it is no axis")
    return leaf, place, at


def _put(value: Any, path: tuple[Step, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, tuple):
        items = cast("tuple[Any, ...]", value)
        index = int(path[0])
        return (*items[:index], _put(items[index], path[1:], new), *items[index + 1 :])
    return replaced(value, path, new)


def _title(entry: Key) -> str:
    return entry.info.title or entry.word.replace("_", " ")


def _singular(word: str) -> str:
    return word.removesuffix("s").replace("_", " ")
