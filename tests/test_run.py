"""Running: resuming, refusing, stopping, and the same bits whatever memory and threads."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import stresscube as sc
from fakes import FakeBackend, scenario
from stresscube.errors import RunError, StresscubeError
from stresscube.plan import Block, Plan
from stresscube.runner import run
from stresscube.store import local
from stresscube.store.layout import ROOT
from stresscube_kernels.contract import Outcome

HERE = Path(__file__).parent


def chunks(folder: Path) -> dict[str, bytes]:
    """Return every object of a run's cube."""
    root = folder / ROOT
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def group(folder: Path, name: str) -> xr.Dataset:
    """Return one group of a run's cube."""
    return sc.open(folder).children[name].to_dataset()


class Told:
    """Keeps what a run tells."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.steps = 0

    def start(self, plan: Plan, done_blocks: frozenset[int], mine: frozenset[int]) -> None:
        self.words.append(f"start {len(plan.blocks)} {sorted(done_blocks)}")

    def advance(self, policy_steps: int) -> None:
        self.steps += policy_steps

    def block_done(self, block: Block) -> None:
        self.words.append(f"done {block.index}")

    def say(self, text: str) -> None:
        self.words.append(text)

    def finish(self) -> None:
        self.words.append("finish")


def test_importing_the_package_imports_little() -> None:
    heavy = ("numpy", "xarray", "zarr", "numba", "pydantic")
    code = f"import sys, stresscube; print(*(m for m in {heavy} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
    assert {"load", "run", "open", "market", "verify"} <= set(dir(sc))
    # A module of that name would take the function's place as soon as it is imported.
    assert not any(find_spec(f"stresscube.{name}") for name in dir(sc))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sc.nothing  # noqa: B018


def test_a_run_tells_its_progress_and_lies_as_described(tmp_path: Path) -> None:
    told = Told()
    folder = run(
        scenario(), tmp_path / "out", backend=FakeBackend(block_policies=18), progress=told
    )
    assert folder == tmp_path / "out"
    assert told.words == ["start 4 []", "done 0", "done 1", "done 2", "done 3", "finish"]
    assert told.steps == 60 * 3000 * 120
    control = folder / "_control"
    assert sorted(p.name for p in control.iterdir()) == [
        "COMPLETE",
        "cube.json",
        "lock",
        "plan.json",
        "receipts",
    ]
    assert len(list((control / "receipts").iterdir())) == 4
    plan = json.loads((control / "plan.json").read_text())
    assert plan["identity"]["scenario"]["simulation"]["seed"] == 5
    assert plan["scenario"]["text"].startswith('\nname = "small"')
    assert json.loads((control / "COMPLETE").read_text())["blocks"] == 4


def test_the_default_folder_is_named_after_the_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(scenario(50), backend=FakeBackend()) == Path("small.run")
    assert (tmp_path / "small.run/_control/COMPLETE").exists()


def test_running_again_does_nothing(tmp_path: Path) -> None:
    run(scenario(50), tmp_path / "out", backend=FakeBackend())
    before, backend, told = chunks(tmp_path / "out"), FakeBackend(), Told()
    run(scenario(50), tmp_path / "out", backend=backend, progress=told)
    assert backend.prepared == []
    assert told.words == [f"start 12 {list(range(12))}", "finish"]
    assert chunks(tmp_path / "out") == before


def test_a_run_that_was_broken_off_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole = run(scenario(), tmp_path / "whole", backend=FakeBackend())
    batches = 0

    def break_off(first_path: int) -> None:
        nonlocal batches
        batches += 1
        if batches == 4:
            raise RuntimeError("the power failed")

    with pytest.raises(RuntimeError, match="power"):
        run(scenario(), tmp_path / "part", backend=FakeBackend(before=break_off))
    assert not (tmp_path / "part/_control/COMPLETE").exists()
    backend, told = FakeBackend(), Told()
    run(scenario(), tmp_path / "part", backend=backend, progress=told)
    assert told.words[0].startswith("start 12 [0")
    assert 0 < len(backend.prepared) < 12
    assert chunks(tmp_path / "part") == chunks(whole)


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_memory_threads_and_saved_paths_change_no_bit(tmp_path: Path, precision: str) -> None:
    made = scenario(5000, True, f"simulation.precision={precision}")
    backend = FakeBackend(block_policies=18, dtype=precision)
    whole = run(made, tmp_path / "a", backend=backend, threads=1)
    first = chunks(whole)
    small = run(made, tmp_path / "b", backend=backend, threads=3, memory="64MiB")
    assert chunks(small) == first
    assert not list((small / "_control").glob("tmp*"))
    without = run(
        scenario(5000, False, f"simulation.precision={precision}"), tmp_path / "c", backend=backend
    )
    xr.testing.assert_equal(group(whole, "summary"), group(without, "summary"))


def test_spilling_is_what_the_small_memory_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stresscube import block, spill

    used: list[tuple[int, int, int]] = []

    class Seen(spill.Spilled):
        def __init__(self, shape: tuple[int, int, int], *rest: Any) -> None:
            used.append(shape)
            super().__init__(shape, *rest)

    monkeypatch.setattr(block, "Spilled", Seen)
    run(scenario(20_000), tmp_path / "b", backend=FakeBackend(block_policies=18), memory="50MiB")
    fields = len(Outcome._fields)
    assert used == [(fields, 18, 20_000), (fields, 12, 20_000)] * 2


def test_too_little_memory_names_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(StresscubeError, match=r"--memory 10MiB is too little: .* \d+MiB at least"):
        run(scenario(), tmp_path / "out", backend=FakeBackend(), memory="10MiB")
    with pytest.raises(StresscubeError, match="--memory lots: expected a size such as 4GB"):
        run(scenario(), tmp_path / "out", backend=FakeBackend(), memory="lots")
    assert not (tmp_path / "out").exists()


def test_another_plan_is_refused_with_what_differs(tmp_path: Path) -> None:
    run(scenario(50), tmp_path / "out", backend=FakeBackend())
    other = scenario(60, False, "market.regimes.calm.volatility=[0.6, 0.7]")
    with pytest.raises(RunError) as caught:
        run(other, tmp_path / "out", backend=FakeBackend())
    text = str(caught.value)
    assert "simulation.paths is 50 there and 60 here" in text
    assert "market.regimes[0].volatility is [0.6, 0.8] there and [0.6, 0.7] here" in text
    assert "Give another folder with -o, or remove this one, to start a new run" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ("simulation.seed=6", "simulation.seed is 5 there and 6 here"),
        ("simulation.precision=float64", "simulation.precision is float32 there and float64 here"),
        ("market.regimes.calm.drift=[0.1, 0]", "drift is [0, 0] there and [0.1, 0] here"),
        ("venues.A.taker_fee=0.001", "venues[0].taker_fee is 0.0005 there and 0.001 here"),
        ("sweep.leverage=[2, 10]", "sweep.leverage is [2, 10, 50] there and [2, 10] here"),
        ("policy.holding=1h", "policy.holding is inf there and 1 here"),
    ],
)  # fmt: skip
def test_a_changed_scenario_is_refused_and_nothing_is_touched(
    tmp_path: Path, change: str, differs: str
) -> None:
    run(scenario(50), tmp_path / "out", backend=FakeBackend())
    before, backend = chunks(tmp_path / "out"), FakeBackend(dtype="float64")
    with pytest.raises(RunError) as caught:
        run(scenario(50, False, change), tmp_path / "out", backend=backend)
    assert differs in str(caught.value)
    assert str(caught.value).endswith("or remove this one, to start a new run")
    assert backend.prepared == []
    assert chunks(tmp_path / "out") == before
    assert (tmp_path / "out/_control/COMPLETE").exists()


def test_another_version_or_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stresscube import identity

    run(scenario(50), tmp_path / "out", backend=FakeBackend())
    with monkeypatch.context() as patch:
        patch.setattr(identity, "versions", lambda _: {"numpy": "9.9"})
        with pytest.raises(RunError, match=rf"numpy is {np.__version__} there and 9\.9 here"):
            run(scenario(50), tmp_path / "out", backend=FakeBackend())
    with monkeypatch.context() as patch:
        patch.setattr(identity, "sources_hash", lambda name: name)
        with pytest.raises(RunError, match="source code of stresscube_kernels has changed"):
            run(scenario(50), tmp_path / "out", backend=FakeBackend())
    with pytest.raises(RunError, match="backend is cpu there and gpu here"):
        run(scenario(50), tmp_path / "out", backend=FakeBackend(name="gpu"))


def test_a_change_of_the_division_alone_is_named(tmp_path: Path) -> None:
    run(scenario(50), tmp_path / "out", backend=FakeBackend(block_policies=9))
    with pytest.raises(RunError, match="block_shape is"):
        run(scenario(50), tmp_path / "out", backend=FakeBackend(block_policies=3))


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="is not empty and holds no run"):
        run(scenario(50), tmp_path, backend=FakeBackend())
    with pytest.raises(RunError, match="is a file"):
        run(scenario(50), tmp_path / "letter.txt", backend=FakeBackend())
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(RunError, match="is not a run"):
        sc.open(tmp_path)


def test_a_damaged_plan_is_said_to_be_damaged(tmp_path: Path) -> None:
    run(scenario(50), tmp_path / "out", backend=FakeBackend())
    (tmp_path / "out/_control/plan.json").write_text("{")
    with pytest.raises(RunError, match=r"plan\.json is damaged: stresscube verify .* --repair"):
        sc.open(tmp_path / "out")
    (tmp_path / "out/_control/plan.json").unlink()
    with pytest.raises(RunError, match=r"plan\.json is lost: stresscube verify .* --repair"):
        sc.open(tmp_path / "out")


@pytest.mark.parametrize("lost", [True, False], ids=["lost", "damaged"])
def test_a_plan_is_written_again_by_its_own_scenario_only(tmp_path: Path, lost: bool) -> None:
    run(scenario(50), tmp_path / "out", backend=FakeBackend())
    plan = tmp_path / "out/_control/plan.json"
    before = plan.read_bytes()
    plan.unlink() if lost else plan.write_bytes(before[:100])
    with pytest.raises(RunError, match=r"holds another run, and its plan\.json is damaged or lost"):
        run(scenario(60), tmp_path / "out", backend=FakeBackend())
    told = Told()
    run(scenario(50), tmp_path / "out", backend=FakeBackend(), progress=told)
    assert told.words == [f"start 12 {list(range(12))}", "finish"]
    assert plan.read_bytes() == before


def test_a_second_run_on_the_same_folder_is_turned_away(tmp_path: Path) -> None:
    caught: list[str] = []

    def second(first_path: int) -> None:
        if not caught:
            with pytest.raises(RunError) as it:
                run(scenario(50), tmp_path / "out", backend=FakeBackend())
            caught.append(str(it.value))

    run(scenario(50), tmp_path / "out", backend=FakeBackend(before=second))
    assert caught == [f"{tmp_path / 'out'} is being written by another run (process {os.getpid()})"]
    assert (tmp_path / "out/_control/COMPLETE").exists()


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "no space left on the disk"), (errno.EROFS, "the file system is read-only"),
     (errno.EACCES, "permission denied")],
)  # fmt: skip
def test_a_fault_of_the_disk_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    real, written = local._create, 0

    def failing(path: str) -> int:
        nonlocal written
        written += 1
        if written > 500:
            raise OSError(number, os.strerror(number), path)
        return real(path)

    monkeypatch.setattr(local, "_create", failing)
    with pytest.raises(RunError) as caught:
        run(scenario(50), tmp_path / "out", backend=FakeBackend())
    assert str(caught.value) == (
        f"cannot write to {tmp_path / 'out'}: {words}; finished blocks are kept, "
        "mend this and run the same command again to go on"
    )
    monkeypatch.undo()
    told = Told()
    run(scenario(50), tmp_path / "out", backend=FakeBackend(), progress=told)
    assert told.words[0] != "start 12 []"
    whole = run(scenario(50), tmp_path / "whole", backend=FakeBackend())
    assert chunks(tmp_path / "out") == chunks(whole)


def test_a_file_that_cannot_grow_is_one_line(tmp_path: Path) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60000, 60000))\n"
        "from fakes import *; from stresscube.runner import run\n"
        "from stresscube.errors import RunError\n"
        "try: run(scenario(2000, True), sys.argv[1], backend=FakeBackend(block_policies=36))\n"
        "except RunError as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "out")], capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}, check=True,
    )  # fmt: skip
    assert done.stdout.startswith(f"cannot write to {tmp_path / 'out'}: File too large; finished")
    assert not list((tmp_path / "out").rglob("*.partial"))
    assert not list((tmp_path / "out/_control").glob("receipts/*"))


SLOW = """
import sys, threading, time
from fakes import *
from stresscube.errors import Interrupted
from stresscube.runner import run

class Slow(FakePrepared):
    def run(self, first_path, n_paths, *, stop, advance):
        print("batch", flush=True)
        while len(backend.prepared) > 2 and not stop.is_set():
            time.sleep(0.01)
        return super().run(first_path, n_paths)

class SlowBackend(FakeBackend):
    def prepare(self, job, threads, shape, **rest):
        self.prepared.append(job)
        return Slow(job, self.dtype, self.before)

backend = SlowBackend()
try:
    run(scenario(500), sys.argv[1], backend=backend)
except Interrupted as error:
    print(error)
    sys.exit(error.exit_code)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_inside_a_block_and_says_how_to_go_on(tmp_path: Path, number: int) -> None:
    """The block would never end by itself."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    command = [sys.executable, "-c", SLOW, str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline() == "batch\n"
        process.send_signal(number)
        try:
            rest, _ = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 128 + number
    assert rest == (
        "stopped with 2 of 12 blocks done; run the same command again to go on "
        f"in {tmp_path / 'out'}\n"
    )
    told = Told()
    run(scenario(500), tmp_path / "out", backend=FakeBackend(), progress=told)
    assert told.words[0] == "start 12 [0, 1]"


def test_a_run_outside_the_main_thread_works(tmp_path: Path) -> None:
    done: list[Path] = []
    thread = threading.Thread(
        target=lambda: done.append(run(scenario(50), tmp_path / "out", backend=FakeBackend()))
    )
    thread.start()
    thread.join()
    assert done == [tmp_path / "out"]


def test_a_backend_of_the_wrong_shape_is_not_believed(tmp_path: Path) -> None:
    class Wrong(FakeBackend):
        def prepare(self, job: Any, threads: int, shape: Any, **_: Any) -> Any:
            whole = super().prepare(job, threads, shape)

            class Half:
                def run(self, first_path: int, n_paths: int, **_: Any) -> Any:
                    made = whole.run(first_path, n_paths)
                    return made._replace(per_policy=made.per_policy[:, :1])

            return Half()

    with pytest.raises(ValueError, match="backend returned outcomes"):
        run(scenario(50), tmp_path / "out", backend=Wrong())


def test_paths_of_a_short_run_are_the_first_of_a_long_one(tmp_path: Path) -> None:
    short = run(scenario(300, True), tmp_path / "300", backend=FakeBackend())
    long = run(scenario(600, True), tmp_path / "600", backend=FakeBackend())
    there = group(long, "paths").isel(path=slice(0, 300))
    xr.testing.assert_equal(group(short, "paths"), there)
    assert np.isfinite(there["final_equity"].sel(venue="A")).all()


def test_the_cpu_backend_gives_the_same_bits_however_it_is_run(tmp_path: Path) -> None:
    whole = run(scenario(3000, True), tmp_path / "a", threads=2)
    small = run(scenario(3000, True), tmp_path / "b", threads=3, memory="80MiB")
    assert chunks(whole) == chunks(small)
    short = run(scenario(300, True), tmp_path / "c", threads=1)
    xr.testing.assert_equal(group(short, "paths"), group(whole, "paths").isel(path=slice(0, 300)))
