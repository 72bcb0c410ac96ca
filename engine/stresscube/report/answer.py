"""The answer in plain words: which policy survives, what it earns, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from stresscube.policies import LIQUIDATION
from stresscube.report.compared import names
from stresscube.show import WANTED_ERROR, Ranking
from stresscube.text import label, round_up
from stresscube.wording import (
    circumstances,
    column_title,
    estimate_words,
    footnotes,
    header_lines,
    policy_words,
    question,
)

SURE = 2.0
"""Standard errors beyond which two numbers are called apart."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The first screen of the page.

    policy: the best, in words. lead: what it is the best of. earns: what it earns and risks.
    figures: (name, estimate, note).
    circumstances: where the figures hold. doubts: what stands against trusting them.
    headers, rows, notes: the table that `stresscube show` prints.
    """

    policy: str
    lead: str
    earns: str
    figures: tuple[tuple[str, str, str], ...]
    circumstances: tuple[str, ...]
    doubts: tuple[str, ...]
    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def answer(ranking: Ranking) -> Answer:
    """Return the answer that a ranking gives."""
    headers, rows = _table(ranking)
    return Answer(
        policy=names(ranking)[0],
        lead=_lead(ranking),
        earns=_earns(ranking),
        figures=_figures(ranking),
        circumstances=tuple(circumstances(ranking)),
        doubts=tuple(_doubts(ranking)),
        caption=question(ranking).rstrip(":"),
        headers=headers,
        rows=rows,
        notes=tuple(footnotes(ranking)),
    )


def _lead(ranking: Ranking) -> str:
    limit = f"a liquidation probability of at most {label(ranking.max_liquidation)}"
    of = f"{ranking.candidates:,} policies"
    where = " in every market" if ranking.market else ""
    if ranking.candidates == 1:
        keeps = "keeps" if ranking.satisfied else "does not keep"
        return f"The only policy {keeps} {limit}{where}."
    if not ranking.satisfied:
        return f"None of {of} keeps {limit}{where}. This one is the safest."
    kept = f"{ranking.qualified:,} of {of} keep {limit}{where}."
    if ranking.qualified == 1:
        return f"Only this one of {of} keeps {limit}{where}."
    return f"{kept} By {_words(ranking.by)}, this one is the best of them."


def _earns(ranking: Ranking) -> str:
    """Return return and risk in a sentence, in the digits of the table."""
    policies = ranking.policies
    it = "At worst it" if ranking.market else "It"
    risk = f"is liquidated with probability {_first(policies, LIQUIDATION).rstrip(' *')}"
    if "return_mean" not in policies:
        return f"{it} {risk}."
    earned = _first(policies, "return_mean")
    verb = "loses" if earned.startswith("-") else "earns"
    return f"{it} {verb} {earned.lstrip('-')} of the starting equity on average, and {risk}."


def _first(policies: xr.Dataset, name: str) -> str:
    return estimate_words(policies, name, " ± ")[0].strip()


def _figures(ranking: Ranking) -> tuple[tuple[str, str, str], ...]:
    """Return the estimates of the best policy, each at its own worst market."""
    policies = ranking.policies
    found: list[tuple[str, str, str]] = []
    for name in (str(name) for name in policies.data_vars if f"{name}_se" in policies):
        if name == "difference_to_best":
            continue
        note = f"limit {label(ranking.max_liquidation)}" if name == LIQUIDATION else ""
        title = column_title(policies[name]).replace("\n", " ")
        found.append((title, _minus(_first(policies, name)), note))
    return tuple(found)


def _doubts(ranking: Ranking) -> list[str]:
    best = ranking.policies.isel(rank=0)
    lines: list[str] = []
    risk, error = float(best[LIQUIDATION]), float(best[f"{LIQUIDATION}_se"])
    if ranking.satisfied and risk + SURE * error > ranking.max_liquidation:
        lines.append(
            "Its liquidation probability is less than two standard errors below the limit: "
            "more paths would tell whether it keeps it."
        )
    if "few_events" in best and bool(best["few_events"]):
        text = "Fewer than 10 of its paths were liquidated, so that risk is known roughly"
        if "paths_needed" in best:
            least = "" if risk > 0 else "at least "
            paths = f"{least}{round_up(float(best['paths_needed'])):,}"
            text += f": {paths} paths would tell it to {WANTED_ERROR:.0%}"
        lines.append(f"{text}.")
    if alike := _alike(ranking):
        of = ranking.policies.sizes["rank"] - 1
        which = f"{alike} of the next {of} policies" if of > 1 else "the next policy"
        lines.append(
            f"By {_words(ranking.by)}, {which} cannot be told apart from it: "
            "within two paired standard errors."
        )
    if ranking.missing:
        lines.append("The run is not finished: policies with missing cells are left out.")
    return lines


def _alike(ranking: Ranking) -> int:
    """Return how many of the listed policies differ from the best by chance alone, as it seems."""
    policies = ranking.policies
    if "difference_to_best" not in policies or not ranking.satisfied:
        return 0
    differences = policies["difference_to_best"].values[1:]
    errors = policies["difference_to_best_se"].values[1:]
    return int(np.sum(np.abs(differences) <= SURE * errors))


def _table(ranking: Ranking) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    policies = ranking.policies
    columns: dict[str, list[str]] = {"#": [str(row + 1) for row in range(policies.sizes["rank"])]}
    columns |= {
        header_lines(dim): words
        for dim, words in policy_words(ranking.policies, ranking.fixed).items()
    }
    for name in (str(name) for name in policies.data_vars if f"{name}_se" in policies):
        words = estimate_words(policies, name, " ± ")
        columns[column_title(policies[name])] = [_minus(word.strip()) for word in words]
    for dim, values in ranking.worst_at.items():
        columns[f"worst {ranking.by}\nat {dim}"] = [label(value) for value in values]
    headers = tuple(name.replace("\n", " ") for name in columns)
    return headers, tuple(zip(*columns.values(), strict=True))


def _minus(number: str) -> str:
    return number.replace("-", "−")


def _words(name: str) -> str:
    return name.replace("_", " ")
