"""kill -9 anywhere, then the same command again: the same bytes as without."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

import crashes
from crashes import KILLED


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole") / "small.run"
    assert crashes.outcome(crashes.start(folder)) == 0
    return folder


def test_forty_kills_at_random_moments_leave_no_trace(tmp_path: Path, whole: Path) -> None:
    rng = random.Random(11)
    begun = time.monotonic()
    assert crashes.outcome(crashes.start(tmp_path / "timing", seconds=0.02)) == 0
    length = time.monotonic() - begun
    kills, runs = 0, 0
    while kills < 40:
        folder = tmp_path / f"{runs}.run"
        runs += 1
        while True:
            process = crashes.start(folder, seconds=0.02)
            time.sleep(rng.uniform(0.0, length))
            if crashes.kill(process) != KILLED:
                break
            kills += 1
        assert (folder / "_control/COMPLETE").exists()
        assert crashes.content(folder) == crashes.content(whole)
