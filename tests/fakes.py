"""A scenario in a few lines and a backend that makes outcomes up from the path's number."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stresscube.scenario import Scenario, loads
from stresscube_kernels.contract import Outcome, Shape
from stresscube_kernels.spec import Job

TEXT = """
name = "small"
description = "a test's scenario"

[simulation]
paths = {paths}
horizon = "2h"
step = "1min"
seed = 5
save_paths = {save_paths}

[market]
assets = ["BTC", "ETH"]

[[market.regimes]]
name = "calm"
volatility = [0.6, 0.8]
correlation = 0.85

[[venues]]
name = "A"
taker_fee = 0.0005
slippage = 0.0001
max_leverage = 20
maintenance_tiers = [[0, 0.004], [50_000, 0.005]]

[[venues]]
name = "B"
taker_fee = 0.0003
max_leverage = 100
maintenance_tiers = [[0, 0.04]]

[policy]
venue = "A"
hedge_ratio = 1.0
leverage = 5

[sweep]
"market.regimes.calm.correlation" = [0.9, 0.5]
venue = ["A", "B"]
hedge_ratio = [0.8, 1.0, 1.2]
leverage = [2, 10, 50]
rebalance_threshold = [0.01, inf]
"""


def scenario(paths: int = 3000, save_paths: bool = False, *overrides: str) -> Scenario:
    """Return the scenario: 2 markets x 2 venues x 3 x 3 x 2 policies; B at 50x is infeasible."""
    text = TEXT.format(paths=paths, save_paths=str(save_paths).lower())
    return loads(text, "small.toml", overrides)


class Made(NamedTuple):
    """One batch of made-up outcomes."""

    per_policy: NDArray[Any]
    market: NDArray[np.float64]


@dataclass
class FakePrepared:
    """Outcomes that depend on path, policy and market only, however they are batched."""

    job: Job
    dtype: str
    before: Callable[[int], None]

    def run(
        self,
        first_path: int,
        n_paths: int,
        *,
        stop: threading.Event | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> Made:
        self.before(first_path)
        if advance is not None:
            advance(n_paths * len(self.job.policies) * self.job.simulation.steps)
        path = np.arange(first_path, first_path + n_paths, dtype=np.float64)
        correlation = self.job.simulated.regimes[0].correlation or 0.0
        level = np.array(
            [p.leverage * (p.hedge_ratio or 0.0) + correlation for p in self.job.policies]
        )
        wave = np.sin(path * 12.9898) * 43758.5453
        noise = wave - np.floor(wave) - 0.5
        outcomes = np.zeros((len(Outcome._fields), len(level), n_paths), dtype=self.dtype)

        def put(name: str, values: Any) -> None:
            outcomes[Outcome._fields.index(name)] = values

        gone = np.floor(path * 7.0) % 11 == 0
        put("final_equity", np.maximum(1.0 + 0.01 * level[:, None] * noise, 0.0))
        put("max_drawdown", 0.1 * np.abs(noise) + 0.001 * level[:, None])
        put("liquidation_step", np.where(gone, 1 + path % 120, 0))
        put("pnl_a", 0.02 * level[:, None] * noise)
        put("fees", 0.001 * level[:, None])
        put("trades", 2)
        put("wins", 1)
        put("trade_sum_1", 0.01 * noise)
        put("trade_sum_2", 0.01 * noise**2)
        return Made(outcomes, 0.01 * np.stack([noise, noise**2]))


@dataclass
class FakeBackend:
    """A backend in an instant. before: called with the first path of each batch."""

    name: str = "cpu"
    block_policies: int = 9
    packages: tuple[str, ...] = ("numpy",)
    device: str = "a made-up processor"
    dtype: str = "float32"
    before: Callable[[int], None] = lambda first_path: None
    prepared: list[Job] = field(default_factory=list)

    def prepare(
        self, job: Job, threads: int, shape: Shape, *, on_device: bool = False
    ) -> FakePrepared:
        self.prepared.append(job)
        return FakePrepared(job, self.dtype, self.before)

    def simulating(self, threads: int) -> int:
        return threads

    def thread_bytes(self, code: Shape, policies: int, width: int) -> int:
        return 0

    def workers(self) -> tuple[FakeBackend, ...]:
        return (self,)

    def keeps(self, count: int) -> bool:
        return False

    def active(self) -> AbstractContextManager[None]:
        return nullcontext()

    def bring(self, array: NDArray[Any]) -> Any:
        return array
