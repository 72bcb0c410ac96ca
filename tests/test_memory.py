"""--memory: what it means, and that a run keeps to it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fakes import FakeBackend, scenario
from stresscube.backends import CpuBackend
from stresscube.errors import StresscubeError
from stresscube.memory import default_budget, parse_size, shares
from stresscube.plan import make_plan

MIB = 2**20

PEAK = """
import resource, sys
from fakes import *
from stresscube.runner import run
from stresscube.backends import CpuBackend
from stresscube.plan import make_plan

backend = CpuBackend() if sys.argv[2] == "cpu" else FakeBackend(block_policies=36)
made = scenario(int(sys.argv[3]), sys.argv[5] == "paths", 'simulation.horizon="10min"')
run(scenario(40, False, 'simulation.horizon="10min"'), sys.argv[1] + "/first", backend=backend)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run(made, sys.argv[1] + "/second", backend=backend, memory=sys.argv[4], threads=2)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4 * 10**9), ("512MiB", 512 * MIB), ("1.5g", 1_500_000_000), ("100 kb", 10**5),
     ("12345", 12345), (7, 7), ("2 TiB", 2 * 2**40)],
)  # fmt: skip
def test_sizes_are_read_as_people_write_them(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "4 XB", "-1GB", "4GBs", "1e9", "4,5GB"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(StresscubeError, match="expected a size such as 4GB"):
        parse_size(text)


def test_the_default_is_a_share_of_the_machine() -> None:
    assert 64 * MIB < default_budget() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize("save_paths", [False, True])
@pytest.mark.parametrize("budget", [100, 150, 400, 4000])
def test_batches_grow_with_the_budget_and_stay_whole_chunks(budget: int, save_paths: bool) -> None:
    plan = make_plan(scenario(100_000, save_paths), CpuBackend())
    share = shares(plan, CpuBackend(), budget * MIB, 8)
    assert share.spill == (share.batch < plan.paths)
    if share.spill:
        assert share.batch % (plan.chunk_paths if save_paths else 1024) == 0
    else:
        assert budget > 300
    assert 1 <= share.threads <= 8
    assert 1 <= share.workers <= 8


def test_the_least_that_would_do_does() -> None:
    plan, backend = make_plan(scenario(50_000), FakeBackend()), FakeBackend()
    with pytest.raises(StresscubeError) as caught:
        shares(plan, backend, MIB, 2)
    least = int(str(caught.value).split("needs ")[1].split("MiB")[0])
    assert shares(plan, backend, least * MIB, 2).spill
    with pytest.raises(StresscubeError):
        shares(plan, backend, (least - 1) * MIB, 2)


@pytest.mark.parametrize(
    ("backend", "paths", "memory", "saved"),
    [("fake", 200_000, 150, "no"), ("fake", 100_000, 150, "paths"), ("cpu", 100_000, 120, "no"),
     ("cpu", 60_000, 900, "no")],
)  # fmt: skip
def test_a_run_keeps_to_its_memory(
    tmp_path: Path, backend: str, paths: int, memory: int, saved: str
) -> None:
    words = [str(tmp_path), backend, str(paths), f"{memory}MiB", saved]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *words], capture_output=True, text=True, env=env, check=True
    )
    grown = int(done.stdout.split()[-1]) * (1 if sys.platform == "darwin" else 1024)
    assert grown <= memory * MIB


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_what_a_thread_takes_is_not_underestimated(precision: str) -> None:
    from stresscube_kernels import cpu

    made = scenario(100, False, f"simulation.precision={precision}")
    plan = make_plan(made, CpuBackend())
    job = plan.job(plan.blocks[0])
    width = 8 if precision == "float64" else 4
    taken = cpu.prepare(job, threads=1).scratch_bytes()
    assert taken <= CpuBackend().thread_bytes(plan.code(plan.blocks[0]), len(job.policies), width)
