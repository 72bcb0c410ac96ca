"""The tests for a card, run on a made-up one: what they say of a card must not wait for a card."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.needs("compiler")
def test_they_pass() -> None:
    """All but those that start programs of the CUDA toolkit."""
    options = ("-q", "-p", "emulator.stand_in", "-p", "no:cacheprovider", "-k", "not sanitizer")
    command = [sys.executable, "-m", "pytest", *options, str(TESTS / "test_gpu.py")]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    counts = re.search(r"(\d+) passed", done.stdout)
    assert counts is not None
    assert int(counts[1]) >= 12
    assert "skipped" not in done.stdout


def test_without_a_card_they_fail_for_want_of_one() -> None:
    """Where STRESSCUBE_REQUIRE asks for one, with that reason and no other."""
    env = {**os.environ, "STRESSCUBE_REQUIRE": "gpu", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "pytest", "-q", str(TESTS / "test_gpu.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if re.search(r"\d+ passed", done.stdout):
        pytest.skip("there is a card")
    unmet = re.search(r"(\d+) errors", done.stdout)
    assert unmet is not None
    assert "failed" not in done.stdout
    reasons = re.findall(r"^skipped, but .*: needs gpu: an NVIDIA GPU and CuPy$", done.stdout, re.M)
    assert len(reasons) == int(unmet[1]) >= 12
