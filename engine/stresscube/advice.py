"""What a recommendation says, in words: the question, the answer and how sure it is.

`stresscube recommend` and the page of `stresscube report` print the same words.
"""

from __future__ import annotations

import math

from stresscube.decide.question import Question
from stresscube.decide.recommend import SHARPES, Deflation, Recommendation
from stresscube.text import label, plural, round_up, uncertain
from stresscube.wording import policy_words, settings, with_errors

GAINS = (*SHARPES, "return_mean", "sortino", "trade_return_mean", "trade_sortino")
"""What is 0 for an account that does not trade."""


def question(asked: Question) -> str:
    """Return what was asked."""
    aim = "maximise" if asked.larger else "minimise"
    limits = " and ".join(map(str, asked.constraints))
    return f"{aim} {asked.goal}" + (f" subject to {limits}" if limits else "")


def circumstances(found: Recommendation) -> list[str]:
    """Return at which values, and over which markets, the numbers hold."""
    over = "at the worst over" if found.question.case == "worst" else "as the mean over"
    return settings(found.fixed, found.market, over)


def answer(found: Recommendation) -> list[str]:
    """Return the answer: the policy, or that there is none, and what is known of it."""
    asked = found.question
    every = f"{asked.confidence:.6g} confidence"
    words = {dim: its[0] for dim, its in policy_words(found.policies, found.fixed).items()}
    policy = ", ".join(f"{dim} = {word}" for dim, word in words.items()) or "the only policy"
    if found.standing == "shown":
        first = f"take {policy}"
    elif found.standing == "estimated":
        first = f"no policy is shown to keep the constraints with {every}"
    else:
        first = "no policy keeps the constraints, not even by the estimates"
    lines = [first]
    if found.standing != "shown":
        nearest = "best by the estimates" if found.standing == "estimated" else "the nearest"
        lines.append(f"{nearest}: {policy}")
    lines.append(_goal(found))
    lines += _constraints(found)
    if found.deflation is not None:
        lines.append(_deflation(found.deflation))
    return lines


def _goal(found: Recommendation) -> str:
    value, error = uncertain(*(float(found.policies[it].values[0]) for it in ("goal", "goal_se")))
    asked = found.question
    side = "at least" if asked.larger else "at most"
    text = (
        f"{asked.goal} {value}{f' ± {error}' if error else ''}; {side} {label(found.attained, 3)} "
        f"with {asked.confidence:.6g} confidence"
    )
    gain = asked.larger and asked.goal.metric in GAINS
    if gain and float(found.policies["goal"].values[0]) < 0:
        text += "; below 0: not trading is better"
    return text


def _constraints(found: Recommendation) -> list[str]:
    """Return a line a constraint, and one for the confidence that all hold."""
    policies, asked = found.policies, found.question
    if not asked.constraints:
        return []
    where = "at every market point" if asked.case == "worst" and found.market else ""
    lines: list[str] = []
    for place, constraint in enumerate(asked.constraints):
        value, error, bound = (
            float(policies[it].values[0, place]) for it in ("value", "value_se", "bound")
        )
        number, spread = uncertain(value, error)
        side = "at most" if constraint.below else "at least"
        lines.append(
            f"{constraint}: {number}{f' ± {spread}' if spread else ''}, {side} {bound:.3g} "
            f"{where}".rstrip()
            + f" with {asked.confidence:.6g} confidence"
        )
    alone, chosen = (
        float(policies[it].values[0]) for it in ("confidence", "confidence_after_choice")
    )
    holds = "it holds" if len(asked.constraints) == 1 else "all hold"
    text = (
        f"{holds} with {certain(alone)} confidence, {certain(chosen)} after the choice among "
        f"{plural(found.candidates, 'policy').replace('policys', 'policies')}"
    )
    if found.standing == "estimated" and math.isfinite(found.paths_needed):
        text += f"; about {round_up(found.paths_needed):,} paths would do, if estimates stay"
    return [*lines, text]


def _deflation(found: Deflation) -> str:
    luck = found.luck
    return (
        f"deflated Sharpe ratio {found.probability:.2g}: the probability that {found.metric} "
        f"is above {luck.maximum:.2g}, what the luckiest of {luck.trials:,} policies worth nothing "
        f"would show; they count as {luck.effective:.2g} independent ones"
    )


def certain(confidence: float) -> str:
    """Return a confidence without rounding it up to 1."""
    return "over 0.9999" if confidence > 0.9999 else f"{math.floor(confidence * 1e4) / 1e4:g}"


def footnotes(found: Recommendation) -> list[str]:
    """Return what the signs mean and what stands outside the table."""
    asked = found.question
    among = f"{found.candidates:,} policies judged"
    lines = [
        f"{among}: {found.kept:,} keep the constraints by the estimates, "
        f"{found.shown:,} are shown to with {asked.confidence:.6g} confidence."
    ]
    if found.standing != "none":
        paired = "paired errors" if found.paired else "unpaired errors: no batch means"
        lines.append(
            f"= cannot be told apart from the first ({found.equals:,} in all; "
            f"{asked.confidence:.6g} confidence, {paired})."
        )
    worst = asked.case == "worst" and bool(found.market)
    more = "; a difference is worst market against worst market" if worst else ""
    return [*lines, f"± one standard error{more}."]


def numbers(found: Recommendation) -> list[str]:
    """Return the row numbers, with = for those that cannot be told apart from the first."""
    apart = found.policies["apart"].values.tolist()
    equal = [not it and row > 0 and found.standing != "none" for row, it in enumerate(apart)]
    marks = ["=" if it else " " if any(equal) else "" for it in equal]
    return [f"{row + 1}{mark}" for row, mark in enumerate(marks)]


def cells(found: Recommendation, name: str, sign: str, place: int | None = None) -> list[str]:
    """Return an estimate of every policy listed, as 'value ± error'; place: of a constraint."""
    values, errors = (found.policies[it].values for it in (name, f"{name}_se"))
    if place is not None:
        values, errors = values[:, place], errors[:, place]
    first = name == "difference_to_best"
    return with_errors(values.tolist(), errors.tolist(), sign, blank_first=first)
