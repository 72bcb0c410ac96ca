"""What a ranking says, in words: question, circumstances, columns and footnotes.

The table of `stresscube show` and the page of `stresscube report` print the same words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from stresscube.policies import LIQUIDATION
from stresscube.show import WANTED_ERROR, Ranking
from stresscube.text import label, listing, plural, round_up, uncertain_column


def question(ranking: Ranking) -> str:
    """Return what was asked, or that no policy answers it."""
    limit = label(ranking.max_liquidation)
    if ranking.satisfied:
        return f"best by {ranking.by}, liquidation probability at most {limit}"
    return f"no policy keeps liquidation probability within {limit}; the safest:"


def circumstances(ranking: Ranking) -> list[str]:
    """Return at which values, and as the worst over which markets, the numbers hold."""
    return settings(ranking.fixed, ranking.market, "each number is the worst over")


def settings(fixed: Mapping[str, Any], market: Mapping[str, Sequence[Any]], over: str) -> list[str]:
    """Return lines that tell the dims held fixed, and those judged over all their values."""
    lines: list[str] = []
    if fixed:
        lines.append("at " + ", ".join(f"{dim} = {label(it)}" for dim, it in fixed.items()))
    if market:
        several = "; ".join(f"{dim} = {listing(values)}" for dim, values in market.items())
        lines.append(f"{over} {several}")
    return lines


def estimate_words(policies: xr.Dataset, name: str, sign: str) -> list[str]:
    """Return 'value ± error' texts; too few liquidations are marked."""
    cells = with_errors(
        policies[name].values.tolist(),
        policies[f"{name}_se"].values.tolist(),
        sign,
        blank_first=name == "difference_to_best",
    )
    few = policies["few_events"].values if name == LIQUIDATION and "few_events" in policies else ()
    marks = ["*" if mark else " " for mark in few] if any(few) else [""] * len(cells)
    return [cell + mark for cell, mark in zip(cells, marks, strict=True)]


def column_title(metric: xr.DataArray) -> str:
    """Return the heading of a metric's column, with the quantile if it has one."""
    name = str(metric.name)
    if "quantile" not in metric.attrs:
        return header_lines(name)
    stem = name.removesuffix("_quantile").replace("_", " ")
    return f"{stem}\n{label(metric.attrs['quantile'])} quantile"


def footnotes(ranking: Ranking) -> list[str]:
    """Return what stands outside the table and what its signs mean, one thing a line."""
    policies = ranking.policies
    keep = "policy keeps" if ranking.candidates == 1 else "policies keep"
    lines = [f"{ranking.qualified:,} of {ranking.candidates:,} {keep} the limit."]
    if ranking.infeasible:
        share = f"{ranking.infeasible:,} of {plural(ranking.cells, 'cell')}"
        lines.append(f"{share} infeasible: margin exceeds equity at opening.")
    if ranking.missing:
        share = f"{ranking.missing:,} of {plural(ranking.cells, 'cell')}"
        lines.append(f"{share} not run yet: their policies are left out.")
    lines.append("± one standard error; a difference to the best is paired: same paths.")
    if any("→" in word for word in policy_words(policies, ranking.fixed).get("leverage", [])):
        lines.append("→ the leverage that the venue's cap leaves.")
    if "few_events" in policies and bool(policies["few_events"].any()):
        lines.append(f"* {few_words(policies)}")
    return lines


def few_words(policies: xr.Dataset) -> str:
    """Return that few liquidations were seen, and how many paths would tell their probability."""
    text = "fewer than 10 liquidations seen"
    if "paths_needed" not in policies:
        return f"{text}."
    few = policies["few_events"].values
    seen = policies[LIQUIDATION].values > 0
    needed = policies["paths_needed"].values
    counts = (round_up(float(needed[rows].max(initial=0.0))) for rows in (few & seen, few & ~seen))
    some, none = (f"{it:,}" if it else "" for it in counts)
    told = f"paths would tell their probability to {WANTED_ERROR:.0%}"
    if not none:
        return f"{text}: {some} {told}."
    if not some:
        return f"{text}, and none at all: at least {none} {told}."
    return f"{text}: {some} {told}, at least {none} where none was seen."


def with_errors(
    values: Sequence[float],
    errors: Sequence[float],
    sign: str = " ± ",
    *,
    blank_first: bool = False,
) -> list[str]:
    """Return 'value ± error' texts, lined up at the sign."""
    pairs = uncertain_column(values, errors)
    if blank_first:
        pairs[0] = ("", "")
    width = max((len(error) for _, error in pairs), default=0)
    return [f"{value}{sign}{error:<{width}}" if error else value for value, error in pairs]


def header_lines(name: str) -> str:
    """Break a name into lines of about equal length at its underscores."""
    first, second = "", name.replace("_", " ")
    while " " in second and len(first) < len(second.partition(" ")[2]) + 1:
        word, _, second = second.partition(" ")
        first = f"{first} {word}".strip()
    return f"{first}\n{second}" if first else second


def policy_words(policies: xr.Dataset, fixed: Iterable[str]) -> dict[str, list[str]]:
    """Return the values of each policy dim along `rank`, as text; a capped leverage as '50→20'."""
    left_out = set(fixed)
    dims = [str(dim) for dim in policies.coords if policies[dim].dims == ("rank",)]
    words = {
        dim: [label(value) for value in np.atleast_1d(policies[dim].values).tolist()]
        for dim in dims
        if dim not in left_out
    }
    if "leverage" in words and "leverage_effective" in policies:
        effective = [label(value) for value in policies["leverage_effective"].values.tolist()]
        words["leverage"] = [
            want if want == got else f"{want}→{got}"
            for want, got in zip(words["leverage"], effective, strict=True)
        ]
    return words
