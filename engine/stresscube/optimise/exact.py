"""Exact runs of small grids of policies: ordinary runs of the cpu backend, judged by `recommend`'s
bounds, in folders that are gone afterwards.
"""

from __future__ import annotations

import itertools
import math
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stresscube.decide.question import Question
from stresscube.optimise.box import Box, Range
from stresscube.optimise.goal import Judged, judged
from stresscube.optimise.rewritten import with_values
from stresscube.runner import Silent, run
from stresscube.scenario import Scenario
from stresscube.store.reader import open_run

Array = NDArray[np.float64]
Markets = Mapping[str, Sequence[float | str]]


@dataclass(frozen=True, slots=True)
class Exact:
    """How exact runs are made. markets: market axes, as the file has them. steps: of a path."""

    scenario: Scenario
    question: Question
    markets: Markets
    steps: int
    threads: int | None = None
    trust: bool = False

    def grid(
        self,
        axes: Mapping[str, Sequence[float]],
        paths: int,
        seed: int,
        share: Callable[[float], None] = lambda _: None,
    ) -> Judged:
        """Judge every combination of the axes' values. share: told which part is done."""
        single = {key: values[0] for key, values in axes.items()}
        made = with_values(self.scenario, single, {**self.markets, **axes}, paths=paths, seed=seed)
        work = self.work(math.prod(len(values) for values in axes.values()), paths)
        teller = Share(work, share)
        with tempfile.TemporaryDirectory(prefix="stresscube-") as folder:
            place = Path(folder) / "exact.run"
            run(made, place, backend="cpu", threads=self.threads, trust=self.trust, progress=teller)
            summary = open_run(place)["summary"].to_dataset().load()
        return judged(summary, self.question)

    def work(self, policies: int, paths: int) -> int:
        """Policy-steps of that, every market counted."""
        return policies * self.market_points * paths * self.steps

    @property
    def market_points(self) -> int:
        """How many markets there are."""
        return math.prod(len(values) for values in self.markets.values())


class Share(Silent):
    """Tells which part of a run is done."""

    def __init__(self, work: int, tell: Callable[[float], None]) -> None:
        self._work, self._done, self._tell = work, 0, tell
        self._lock = threading.Lock()

    def advance(self, policy_steps: int) -> None:
        """Count the work of a batch."""
        with self._lock:
            self._done += policy_steps
            self._tell(min(self._done / self._work, 1.0))


def joined(parts: Sequence[Judged]) -> Judged:
    """Policies of several runs on the same paths."""
    batches = [it.batches for it in parts if it.batches is not None]
    return Judged(
        policies=tuple(itertools.chain.from_iterable(it.policies for it in parts)),
        goal=np.concatenate([it.goal for it in parts]),
        goal_se=np.concatenate([it.goal_se for it in parts]),
        values=np.concatenate([it.values for it in parts], axis=1),
        values_se=np.concatenate([it.values_se for it in parts], axis=1),
        bounds=np.concatenate([it.bounds for it in parts], axis=1),
        sure=np.concatenate([it.sure for it in parts]),
        kept=np.concatenate([it.kept for it in parts]),
        beyond=np.concatenate([it.beyond for it in parts]),
        batches=np.concatenate(batches) if len(batches) == len(parts) else None,
    )


def around(box: Box, policy: Mapping[str, float], reach: float) -> dict[str, list[float]]:
    """Axes of a policy and its neighbours: each number, a step down and a step up."""
    return {it.key: _near(it, policy[it.key], reach) for it in box.ranges}


def _near(it: Range, value: float, reach: float) -> list[float]:
    """A number and its neighbours; of one besides the range, the range's end before it."""
    if not math.isfinite(value):
        end = 1.0 if value > 0 else 0.0
        return it.values([end - reach, end] if end else [end, end + reach])
    middle = it.place(value)
    return sorted({value, *it.values([middle - reach, middle + reach])})
