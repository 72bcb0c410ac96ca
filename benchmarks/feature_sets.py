"""What features cost: rates and instructions of the scenarios' feature sets, now and before.

`python -m benchmarks features --before COMMIT` also checks COMMIT out beside this tree and runs its
own code on its own btc_eth_hourly.toml, which this tree's code runs too: features that a policy
does not use must cost nothing. Every contestant is a process of its own (`rate_worker.py`); they
take turns, on one thread.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .case import ROOT
from .record import significant
from .timing import rounds, spread

BEFORE = "5b6f83a"
"""The last commit whose policies knew neither funding nor mispricing, sides nor isolated margin."""
SCENARIOS = ("btc_eth_hourly", "cross_exchange", "flash_crash")


@dataclass(frozen=True)
class Entry:
    """A contestant: whose code runs which file, whole or without the features that came later."""

    name: str
    tree: Path
    scenario: Path
    plain: bool = False


class Worker:
    """A process that measures one entry once, whenever it is asked."""

    def __init__(self, entry: Entry, size: dict[str, int]) -> None:
        paths = [str(entry.tree / name) for name in ("engine", "kernels")]
        asked = json.dumps({"scenario": str(entry.scenario), "plain": entry.plain, **size})
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "rate_worker.py"), *paths,
             str(entry.tree), asked],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=entry.tree,
        )  # fmt: skip
        self.about = self._answer()

    def measure(self) -> float:
        """Seconds of one run."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(self._answer())

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ChildProcessError(f"a worker ended with {self._process.wait()}")
        return json.loads(line)


def measure(
    *, policies: int, paths: int, steps: int, count: int, before: str
) -> Iterator[dict[str, Any]]:
    """One line an entry; rates relative to the old code's on the same file, where there is one."""
    size = {"policies": policies, "paths": paths, "steps": steps}
    with ExitStack() as stack:
        old = stack.enter_context(checked_out(before))
        entered = list(entries(old, before))
        workers = [Worker(entry, size) for entry in entered]
        for worker in workers:
            stack.callback(worker.close)
        found = rounds([worker.measure for worker in workers], count)
    for entry, worker, row in zip(entered, workers, found, strict=True):
        rate = spread([policies * paths * steps / seconds for seconds in row])
        line = {
            "benchmark": "features",
            "code": entry.name,
            "scenario": entry.scenario.stem,
            "features": "plain" if entry.plain else "whole",
            "policy_steps_per_second": significant(rate.median),
            "slowest": significant(rate.least),
            "fastest": significant(rate.greatest),
            "rounds": count,
            "threads": 1,
            **size,
            **worker.about,
        }
        if entry.scenario == entered[0].scenario:
            ratio = spread([a / b for a, b in zip(found[0], row, strict=True)])
            line["over_before"] = significant(ratio.median)
            line["over_before_least"] = significant(ratio.least)
            line["over_before_greatest"] = significant(ratio.greatest)
        yield line


def entries(old: Path, before: str) -> Iterator[Entry]:
    """The old code and this on the old file; then each scenario, plain and whole."""
    file = old / "scenarios" / "btc_eth_hourly.toml"
    yield Entry(before, old, file)
    yield Entry("this tree", ROOT, file)
    for name in SCENARIOS:
        path = ROOT / "scenarios" / f"{name}.toml"
        yield Entry("this tree", ROOT, path, plain=True)
        yield Entry("this tree", ROOT, path)


@contextmanager
def checked_out(commit: str) -> Generator[Path]:
    """A commit's files in a folder of their own, for a while."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "before"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(place), commit], check=True)
        try:
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)
