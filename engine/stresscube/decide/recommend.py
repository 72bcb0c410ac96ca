"""The policy to take: best at what is maximised, among those shown to keep the constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from stresscube.decide.apart import Comparisons, averaged, lower_bound, with_the_best
from stresscube.decide.bounds import holm
from stresscube.decide.constraints import check_terms
from stresscube.decide.deflated import Luck, deflated, luck
from stresscube.decide.held import Held, excess, factor_needed, held
from stresscube.decide.question import LIMIT, Question, ask
from stresscube.errors import StresscubeError
from stresscube.policies import (
    Booleans,
    Estimates,
    Indices,
    at_market,
    check_dims,
    cut_extra_dims,
    estimates,
    market_values,
    repeats,
    rows_of,
    sweep_dims,
    table,
    worst_index,
)
from stresscube.where import Where, select

TAKEN = (
    "rank", "constraint", "goal", "goal_se", "difference_to_best", "difference_to_best_se",
    "apart", "value", "value_se", "bound", "confidence", "confidence_after_choice",
)  # fmt: skip
"""What a recommendation calls its own; no axis may have such a name."""
SHARPES = ("sharpe", "sharpe_adjusted", "trade_sharpe", "trade_sharpe_adjusted")


@dataclass(frozen=True, slots=True)
class Deflation:
    """The Sharpe ratio of the recommended policy against the luckiest of all that were tried.

    probability: that the true ratio exceeds luck.maximum.
    """

    metric: str
    sharpe: float
    error: float
    luck: Luck
    probability: float


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The answer, and what stands behind it.

    policies: along `rank`, best first; coordinates: every policy dim. Variables: `goal` and
        `goal_se`, `difference_to_best` and `difference_to_best_se`, `apart` (shown to be worse
        than the first); along (rank, constraint): `value`, `value_se`, `bound`; `confidence` that
        all constraints hold at every market, and `confidence_after_choice`, with the choice among
        all policies allowed for; `goal_at_DIM` and, along (rank, constraint), `value_at_DIM`: the
        worst market's value of each market dim of several.
    standing: "shown" (the first keeps the constraints with the confidence asked for, choice
        allowed for), "estimated" (none is shown to, the first does by the estimates), or "none"
        (no policy does even so; the nearest stand here).
    attained: what the first policy's goal attains at least (or at most, if less is better).
    equals: policies that cannot be told apart from the first, itself left out. paired: whether
    batch means gave the errors of differences.
    candidates: policies judged; kept: by the estimates; shown: with confidence.
    paths_needed: that would show the first policy to keep the constraints; NaN if not known.
    """

    question: Question
    policies: xr.Dataset
    standing: str
    attained: float
    equals: int
    paired: bool
    critical: float
    deflation: Deflation | None
    fixed: dict[str, Any]
    market: dict[str, list[Any]]
    candidates: int
    kept: int
    shown: int
    paths_needed: float


def recommend(
    summary: xr.Dataset,
    *,
    maximise: str | None = None,
    minimise: str | None = None,
    subject_to: Sequence[str] = (LIMIT,),
    case: str = "worst",
    where: Where | None = None,
    confidence: float = 0.95,
    top: int = 10,
) -> Recommendation:
    """Return the best policy over all market points at once, with what is known of it.

    case: "worst" judges goal and constraints at each policy's worst market, "mean" by their means
    over markets. Statistics: docs/decisions.md.
    Raises StresscubeError for a question that cannot be asked of this cube, and if no policy can
    be opened at every market.
    """
    question = ask(maximise, minimise, subject_to, case, confidence)
    check_terms(summary, [question.goal, *(it.term for it in question.constraints)])
    source = select(summary, where or {})
    data, extra = cut_extra_dims(source, question.goal.metric, question.goal.at)
    own, market = sweep_dims(data, question.goal.metric)
    check_dims([*own, *market], TAKEN, "a recommendation")
    found = estimates(data, question.goal.metric, own, market)
    rows = _usable(data, found, own, market)
    mean = case == "mean"
    judged = [
        _at(held(source, it, own, market, mean=mean, confidence=confidence), rows)
        for it in question.constraints
    ]
    return _answer(question, source, own, market, rows, found.at(rows), judged, extra, top)


def _usable(data: xr.Dataset, found: Estimates, own: list[str], market: list[str]) -> Indices:
    """Return the policies to judge: known at every market, and none twice."""
    known = np.isfinite(found.values).all(axis=1) & np.isfinite(found.errors).all(axis=1)
    rows = np.flatnonzero(known & ~repeats(data, own, market))
    if not rows.size:
        possible = table(data["feasible"], own, market) > 0
        reason = "infeasible at some market"
        if possible.all(axis=1).any():
            reason += ", not run yet, or without a value of the goal"
        raise StresscubeError(f"nothing to recommend: every policy selected is {reason}")
    return rows


def _at(judged: Held, rows: Indices) -> Held:
    return Held(
        judged.constraint, judged.values[rows], judged.errors[rows], judged.bound[rows],
        judged.by_estimate[rows], judged.p_value[rows], judged.worst[rows],
    )  # fmt: skip


def _answer(
    question: Question,
    data: xr.Dataset,
    own: list[str],
    market: list[str],
    rows: Indices,
    found: Estimates,
    judged: list[Held],
    extra: dict[str, Any],
    top: int,
) -> Recommendation:
    """Choose among the policies judged, whose rows of the cube are `rows`."""
    number, risk = len(rows), 1.0 - question.confidence
    if question.case == "mean" and found.values.shape[1] > 1:
        found = averaged(found)
    p_value = np.max([np.zeros(number), *(it.p_value for it in judged)], axis=0)
    kept = np.all([np.ones(number, dtype=bool), *(it.by_estimate for it in judged)], axis=0)
    adjusted = holm(p_value) if judged else p_value
    shown = adjusted <= risk
    standing = "shown" if shown.any() else "estimated" if kept.any() else "none"
    pool, first = _pool(shown, kept, judged, standing)
    among = with_the_best(
        found.at(pool), larger=question.larger, confidence=question.confidence, best=first
    )
    order = np.arange(number) if standing == "none" else _order(among, question)
    best, listed = int(pool[order[0]]), order[:top]
    several = [dim for dim in market if data.sizes[dim] > 1]
    policies = _describe(data, own, market, rows, pool, listed, found, among, judged)
    policies["confidence"] = ("rank", 1.0 - p_value[pool[listed]])
    policies["confidence_after_choice"] = ("rank", 1.0 - adjusted[pool[listed]])
    dims = [*own, *market]
    return Recommendation(
        question=question,
        policies=policies,
        standing=standing,
        attained=lower_bound(
            found, best, len(pool), larger=question.larger, confidence=question.confidence
        ),
        equals=int((~among.apart).sum()) - 1,
        paired=among.paired,
        critical=among.critical,
        deflation=_deflate(question, data, own, market, rows, best),
        fixed={dim: data[dim].values.tolist()[0] for dim in dims if data.sizes[dim] == 1} | extra,
        market={dim: data[dim].values.tolist() for dim in several},
        candidates=number,
        kept=int(kept.sum()),
        shown=int(shown.sum()),
        paths_needed=_paths_needed(data, judged, best, risk / number),
    )


def _pool(
    shown: Booleans, kept: Booleans, judged: list[Held], standing: str
) -> tuple[Indices, int | None]:
    """Return the policies to choose among; if none keeps the constraints, all, nearest first."""
    if standing == "none":
        return np.argsort(np.max([excess(it) for it in judged], axis=0), kind="stable"), 0
    return np.flatnonzero(shown if standing == "shown" else kept), None


def _order(among: Comparisons, question: Question) -> Indices:
    """Return places in the pool, best first."""
    loss = -among.difference if question.larger else among.difference
    return np.argsort(loss, kind="stable")


def _describe(
    data: xr.Dataset,
    own: list[str],
    market: list[str],
    rows: Indices,
    pool: Indices,
    listed: Indices,
    found: Estimates,
    among: Comparisons,
    judged: list[Held],
) -> xr.Dataset:
    """Return the listed policies with goal, differences and constraints, each at its worst."""
    picked = rows_of(data, own, rows[pool[listed]], "rank")
    chosen, worst = pool[listed], among.worst[listed]
    columns: dict[str, Any] = {
        "goal": ("rank", at_market(found.values[chosen], worst)),
        "goal_se": ("rank", at_market(found.errors[chosen], worst)),
        "difference_to_best": ("rank", among.difference[listed]),
        "difference_to_best_se": ("rank", among.error[listed]),
        "apart": ("rank", among.apart[listed]),
    }
    several = [dim for dim in market if data.sizes[dim] > 1]
    if found.values.shape[1] > 1:
        places = market_values(data, market, worst)
        columns |= {f"goal_at_{dim}": ("rank", places[dim]) for dim in several}
    if judged:
        for name, its in (
            ("value", [it.values for it in judged]),
            ("value_se", [it.errors for it in judged]),
            ("bound", [it.bound for it in judged]),
        ):
            columns[name] = (("rank", "constraint"), np.stack(its, axis=-1)[chosen])
        if found.values.shape[1] > 1:
            its = [market_values(data, market, it.worst[chosen]) for it in judged]
            for dim in several:
                values = np.stack([place[dim] for place in its], axis=-1)
                columns[f"value_at_{dim}"] = (("rank", "constraint"), values)
    coords: dict[str, Any] = {
        dim: ("rank", np.atleast_1d(picked[dim].values), data[dim].attrs) for dim in own
    }
    coords["constraint"] = [str(it.constraint) for it in judged]
    return xr.Dataset(columns, coords=coords)


def _deflate(
    question: Question,
    data: xr.Dataset,
    own: list[str],
    market: list[str],
    rows: Indices,
    best: int,
) -> Deflation | None:
    """Deflate the goal if it is a Sharpe ratio, else `sharpe`; None if the cube has none."""
    metric = question.goal.metric if question.goal.metric in SHARPES else "sharpe"
    if f"{metric}_batch" not in data:
        return None
    found = estimates(data, metric, own, market).at(rows)
    if question.case == "mean" and found.values.shape[1] > 1:
        found = averaged(found)
    worst = worst_index(found.values, less=False)
    if found.batches is None:
        return None
    chance = luck(at_market(found.batches, worst))
    sharpe = float(found.values[best, worst[best]])
    error = float(found.errors[best, worst[best]])
    return Deflation(metric, sharpe, error, chance, deflated(sharpe, error, chance.maximum))


def _paths_needed(data: xr.Dataset, judged: list[Held], best: int, risk: float) -> float:
    paths = float(data.attrs.get("paths", float("nan")))
    factors = [factor_needed(it, best, risk) for it in judged]
    needed = paths * max(factors, default=0.0)
    return float(np.ceil(needed - 1e-6)) if np.isfinite(needed) else needed
