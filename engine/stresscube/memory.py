"""How a memory budget is spent: paths in flight, outcomes in memory or on disk, estimators.

Nothing here changes a number of the cube, only when it is computed and where it waits.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from stresscube.backends import Backend
from stresscube.errors import StresscubeError
from stresscube.plan import PATH_STEP, Plan

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
          "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}  # fmt: skip
RESERVE = 16 * 2**20
"""For what is not counted one by one: packed policies, chunks being written, small arrays."""
SUMMARY_COLUMNS = 20
"""Columns [policy, path] of float64 that the estimators hold at most."""
DEVICE_CHUNK = 2**24
"""Numbers of such a column on a device."""


@dataclass(frozen=True, slots=True)
class Shares:
    """batch: paths simulated at a time. spill: whether outcomes wait on disk.

    threads: that simulate. workers: chunks of policies whose metrics are computed at a time.
    chunk: policies of such a chunk. on_device: whether outcomes stay on the backend's device.
    bring: whether they go back there, a chunk at a time, for the metrics.
    """

    batch: int
    spill: bool
    threads: int
    workers: int
    chunk: int
    on_device: bool = False
    bring: bool = False


def parse_size(text: str | int | float) -> int:
    """Return bytes of '4GB', '512 MiB' or a plain number of bytes.

    Raises StresscubeError for anything else.
    """
    if isinstance(text, int | float):
        return int(text)
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([kmgt]?i?b?)\s*", text.lower())
    unit = match[2] if match else "?"
    unit = unit if unit.endswith("b") or not unit else unit + "b"
    if not match or unit not in _UNITS:
        raise StresscubeError(f"--memory {text}: expected a size such as 4GB or 512MiB")
    return int(float(match[1]) * _UNITS[unit])


def default_budget() -> int:
    """Return half of the memory that this process may use."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            text = (Path("/sys/fs/cgroup") / limit).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            whole = min(whole, int(text))
    return whole // 2


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def shares(plan: Plan, backend: Backend, budget: int, threads: int) -> Shares:
    """Divide a budget of bytes among what a block needs, or as many as run at the same time.

    A block whose outcomes fit is simulated in one batch. Otherwise batches are as large as
    they can be and go to disk. The simulation and the metrics of a block never overlap.

    Raises StresscubeError, with the least that would do, if the budget is too small.
    """
    need = _needs(plan, backend)
    if backend.keeps(need.column * plan.paths + _summary_bytes(plan)):
        return Shares(plan.paths, False, threads, 1, plan.block_policies, on_device=True)
    blocks = max(1, min(len(backend.workers()), len(plan.blocks)))
    least = need.fixed + max(need.batch(need.unit) + need.thread, need.worker)
    if least * blocks > budget:
        mib = -(-least * blocks // 2**20)
        raise StresscubeError(
            f"--memory {budget / 2**20:.0f}MiB is too little: this run needs {mib}MiB at least"
        )
    room, most = budget // blocks - need.fixed, backend.simulating(threads)
    whole = need.column * plan.paths
    if whole + max(need.thread, need.worker) <= room:
        left = room - whole
        simulating = _fit(most, left, need.thread)
        return _metrics(Shares(plan.paths, False, simulating, threads, 0), plan, backend, left)
    simulating = _fit(most, room - need.batch(need.unit), need.thread)
    units = (room - simulating * need.thread) // need.batch(need.unit)
    spilled = Shares(int(units) * need.unit, True, simulating, threads, 0)
    return _metrics(spilled, plan, backend, room)


def _metrics(share: Shares, plan: Plan, backend: Backend, room: int) -> Shares:
    """Add how the metrics are computed: on the device where a chunk fits, or by `workers` threads.

    room: bytes of the machine's memory.
    """
    need = _needs(plan, backend)
    each = need.column // plan.block_policies * plan.paths
    # On its way to the device a chunk stands twice in the machine's memory.
    chunk = max(1, min(plan.block_policies, DEVICE_CHUNK // plan.paths, room // (2 * each)))
    if backend.keeps(chunk * each + _summary_bytes(plan)):
        return replace(share, workers=1, chunk=chunk, bring=True)
    workers = _fit(share.workers, room, need.worker)
    return replace(share, workers=workers, chunk=plan.chunk_policies)


@dataclass(frozen=True, slots=True)
class _Needs:
    """Bytes. fixed: always. column: outcomes of a block on one path. copies: of a batch that
    is on its way to disk. thread: a simulating thread. worker: metrics of a chunk of policies.
    unit: paths of the smallest batch.
    """

    fixed: int
    column: int
    copies: float
    thread: int
    worker: int
    unit: int

    def batch(self, paths: int) -> int:
        return int(paths * self.column * self.copies)


def _needs(plan: Plan, backend: Backend) -> _Needs:
    width = 8 if plan.simulation.precision == "float64" else 4
    policies, fields = min(plan.chunk_policies, plan.block_policies), len(plan.outcomes)
    threads = (backend.thread_bytes(code, plan.block_policies, width) for code in plan.codes)
    return _Needs(
        fixed=RESERVE + 2 * 8 * plan.paths + plan.data_bytes,
        column=fields * plan.block_policies * width,
        # Beside a batch: one chunk of its policies going to the file, one outcome to a store.
        copies=1.0 + min(1.0, (policies + 2.0) / plan.block_policies),
        thread=max(threads, default=0),
        worker=policies * plan.paths * (fields * width + SUMMARY_COLUMNS * 8),
        unit=min(plan.chunk_paths if plan.save_paths else PATH_STEP, plan.paths),
    )


def _summary_bytes(plan: Plan) -> int:
    """What the metrics of a block need on a device."""
    values = max(plan.paths, min(plan.block_policies * plan.paths, DEVICE_CHUNK))
    return SUMMARY_COLUMNS * 8 * values


def _fit(most: int, room: int, each: int) -> int:
    return max(1, min(most, room // each if each else most))
