"""What happened to an account in a step, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..decide import Intent
from ..isolated import survives
from .life import Life, Rows
from .parts import CAUSES, LegPart, Parts

CLOSE = "close at the horizon"


def events(life: Life, intent: Intent, drifted: Rows, found: Parts) -> list[str]:
    """One text for each step, its parts joined by '; ', empty where nothing happened."""
    order = life.order
    acts = life.seen & (life.before.alive > 0.5)
    lines: list[list[str]] = [[] for _ in life.seen]

    def say(where: Any, words: str | list[str]) -> None:
        for step in np.flatnonzero(where):
            lines[step].append(words if isinstance(words, str) else words[step])

    say(acts & order.closes & order.opens, "roll")
    say(acts & order.closes & ~order.opens, "close")
    say(acts & order.opens & ~order.closes, "open")
    say(acts & order.rebalances, _why(life, intent, drifted))
    leant = np.abs(life.decided.bias) > 0.5
    was = np.abs(life.before.bias) > 0.5
    say(acts & leant & ~was, "bias on")
    say(acts & was & ~leant, "bias off")
    say((found.a.funding != 0.0) | (found.b.funding != 0.0), "funding")
    died = (life.before.alive > 0.5) & (life.after.alive < 0.5)
    if life.shape.features.isolated:
        for name, leg in (("leg a", found.a), ("leg b", found.b)):
            say(leg.hit, _how(f"{name} liquidated", leg))
            was_rest = survives(life.ops, life.before) & life.seen
            say(was_rest & (leg.order != 0.0) & ~leg.hit, f"{name} closed")
    else:
        say(died & found.hit, _how("liquidated", found))
    say(died & ~life.seen, "liquidated")
    return ["; ".join(line) for line in lines]


def _why(life: Life, intent: Intent, drifted: Rows) -> list[str]:
    """'rebalance' with what was due."""
    reasons = {"drift": drifted, "interval": intent.clock, "bias": intent.turned}
    there = {name: np.broadcast_to(due, life.seen.shape) for name, due in reasons.items()}
    made: list[str] = []
    for step in range(len(life.seen)):
        due = ", ".join(name for name, column in there.items() if column[step])
        made.append(f"rebalance ({due})" if due else "rebalance")
    return made


def _how(words: str, hit: LegPart | Parts) -> list[str]:
    return [f"{words} {CAUSES[cause]}" for cause in hit.cause.astype(int)]
