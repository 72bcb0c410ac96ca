"""Runs on Dask clusters: the same bytes, whoever dies."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from buckets import contents, free_port
from dask_fakes import DieAtFirst, FailAndKill, Fated, Is, Wait
from fakes import FakeBackend, scenario
from stresscube.backends import CudaBackend, elsewhere
from stresscube.cli.dask_option import completed
from stresscube.errors import BlocksFailed, Interrupted, RunError, StresscubeError
from stresscube.interrupts import Stop
from stresscube.runner import run
from stresscube.store.layout import ROOT
from stresscube_kernels.cards import CuPy
from test_run import Told

pytest.importorskip("distributed")
HERE = Path(__file__).parent
SMALL: Any = (300, False, "sweep.venue=['A']")
"""Two markets and 18 policies: six blocks of six."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The cube of the same run without Dask."""
    place = tmp_path_factory.mktemp("dask") / "run"
    return cube(run(scenario(*SMALL), place, backend=FakeBackend()))


def cube(folder: Path) -> dict[str, bytes]:
    root = folder / ROOT
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@contextmanager
def process(*words: str) -> Generator[subprocess.Popen[bytes]]:
    """Run a program of Dask's that finds what the tests define."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), *sys.path])}
    command = [sys.executable, "-W", "ignore", "-m", "distributed.cli." + words[0], *words[1:]]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=env, stdout=quiet, stderr=quiet) as it:
        try:
            yield it
        finally:
            it.kill()


@contextmanager
def scheduler(port: int) -> Generator[subprocess.Popen[bytes]]:
    with process(
        "dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"
    ) as it:
        yield it


@contextmanager
def worker(port: int, folder: Path) -> Generator[subprocess.Popen[bytes]]:
    """A worker without a nanny, that gives up soon when its scheduler is gone."""
    words = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
    words += ["--death-timeout", "20", "--local-directory", str(folder)]
    with process("dask_worker", f"tcp://127.0.0.1:{port}", *words) as it:
        yield it


@contextmanager
def when(sign: Path, then: Callable[[], None]) -> Generator[None]:
    """Do something once, as soon as a file is there."""

    def wait() -> None:
        while not sign.exists() and not done.wait(0.05):
            pass
        if not done.is_set():
            then()

    done = threading.Event()
    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def test_workers_that_are_killed_change_no_byte(tmp_path: Path, whole: dict[str, bytes]) -> None:
    told, place = Told(), tmp_path / "run"
    backend = Fated(fate=DieAtFirst(tmp_path, 2))
    assert run(scenario(*SMALL), place, backend=backend, dask="local", progress=told) == place
    assert len(list(tmp_path.glob("death-*"))) == 2
    assert cube(place) == whole
    assert told.words[0] == "start 6 []"
    done = [word for word in told.words if word.startswith("done")]
    assert sorted(done) == [f"done {n}" for n in range(6)]
    assert told.steps == 36 * 300 * 120
    again = Told()
    run(scenario(*SMALL), place, backend=FakeBackend(), dask="local", progress=again)
    assert again.words == ["start 6 [0, 1, 2, 3, 4, 5]", "finish"]


def test_blocks_that_always_fail_are_named_and_the_rest_is_done(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stresscube.foreman.ALLOWED_DEATHS", 1)
    told, place = Told(), tmp_path / "run"
    backend = Fated(fate=FailAndKill(fails=Is(1.2, 0.9), kills=Is(0.8, 0.5)))
    with pytest.raises(BlocksFailed) as caught:
        run(scenario(*SMALL), place, backend=backend, dask="local", progress=told)
    assert caught.value.exit_code == 5
    head, *lines = str(caught.value).splitlines()
    assert (
        head == "2 blocks failed, all others are done; run the same command again to try once more:"
    )
    assert lines[0] == (
        "block 000002 (calm_correlation = 0.9, venue = A, hedge_ratio = 1.2, leverage = 2 to 50, "
        "rebalance_threshold = 0.01 to inf): ValueError: a matrix is not positive definite"
    )
    assert lines[1].startswith("block 000003 (calm_correlation = 0.5, venue = A, hedge_ratio = 0.8")
    assert lines[1].endswith(": 2 workers died over it")
    reason = "ValueError: a matrix is not positive definite"
    assert told.words.count(f"block 000002 failed, to be tried again: {reason}") == 2
    assert told.words.count(f"block 000002 failed for good: {reason}") == 1
    assert sum(word.startswith("done") for word in told.words) == 4
    assert not (place / "_control/COMPLETE").exists()
    run(scenario(*SMALL), place, backend=FakeBackend())
    assert cube(place) == whole


def test_a_scheduler_that_is_killed_ends_the_run_and_the_next_goes_on(
    tmp_path: Path, whole: dict[str, bytes]
) -> None:
    place, port = tmp_path / "run", free_port()
    address = f"tcp://127.0.0.1:{port}"
    backend = Fated(fate=Wait(Is(1.0, 0.5), tmp_path))
    with (
        scheduler(port) as doomed,
        worker(port, tmp_path),
        worker(port, tmp_path),
        when(tmp_path / "waiting", doomed.kill),
        pytest.raises(RunError, match="the Dask scheduler is gone; finished blocks are kept"),
    ):
        run(scenario(*SMALL), place, backend=backend, dask=address)
    (tmp_path / "go").touch()
    assert 0 < len(list((place / "_control/receipts").iterdir())) < 6
    with scheduler(port), worker(port, tmp_path):
        run(scenario(*SMALL), place, backend=backend, dask=address)
    assert cube(place) == whole


def test_a_cluster_outlives_a_run_that_is_stopped(
    tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And refuses one that its workers would compute otherwise; its workers come and go."""
    place, port = tmp_path / "run", free_port()
    address = f"127.0.0.1:{port}"
    backend = Fated(fate=Wait(Is(1.0, 0.5), tmp_path))
    with scheduler(port), worker(port, tmp_path) as first:
        ask = lambda: os.kill(os.getpid(), signal.SIGINT)  # noqa: E731
        with when(tmp_path / "waiting", ask), pytest.raises(Interrupted, match="of 6 blocks done"):
            run(scenario(*SMALL), place, backend=backend, dask=address)
        (tmp_path / "waiting").unlink()
        monkeypatch.setattr("stresscube.identity.versions", lambda backend: {"numpy": "1.0"})
        with pytest.raises(
            StresscubeError,
            match=rf"^--dask {address}: a worker cannot take part: it would compute other numbers "
            r"\(there is the client's\): versions.numpy is 1.0 there and 2\.",
        ):
            run(scenario(*SMALL), tmp_path / "other", backend=backend, dask=address)
        monkeypatch.undo()
        told = Told()
        with ExitStack() as stack:

            def replace() -> None:
                first.kill()
                (tmp_path / "go").touch()
                deadline = time.monotonic() + 60
                while not waits(told) and time.monotonic() < deadline:
                    time.sleep(0.05)
                stack.enter_context(worker(port, tmp_path))

            with when(tmp_path / "waiting", replace):
                run(scenario(*SMALL), place, backend=backend, dask=address, progress=told)
    assert waits(told)
    assert cube(place) == whole


def waits(told: Told) -> bool:
    """Whether a run has said that it waits for workers."""
    return any(word.startswith("no worker is ready") for word in told.words)


def test_workers_write_to_a_bucket_themselves(bucket: str, whole: dict[str, bytes]) -> None:
    place = f"{bucket}/small"
    run(scenario(*SMALL), place, backend=Fated(), dask="local")
    assert contents(place) == whole


def test_where_no_scheduler_answers_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stresscube.dask_engine.CONNECTING", "1s")
    for address in ("tcp://127.0.0.1:9", "no-such-host.invalid:8786", "nonsense://x"):
        with pytest.raises(StresscubeError, match=f"^--dask {address}: no scheduler answers"):
            run(scenario(*SMALL), tmp_path / "run", backend=FakeBackend(), dask=address)


def test_without_dask_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("stresscube.dask_worker")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "stresscube.foreman", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StresscubeError, match=r"pip install 'stresscube\[dask\]'"):
        run(scenario(*SMALL), tmp_path / "run", backend=FakeBackend(), dask="local")


def test_a_worker_that_sees_another_place_takes_no_part(tmp_path: Path) -> None:
    from stresscube.dask_engine import Cluster, work_of
    from stresscube.dask_worker import prepare
    from stresscube.plan import make_plan
    from stresscube.store.local import LocalObjects

    plan = make_plan(scenario(*SMALL), FakeBackend())
    place = run(scenario(*SMALL), tmp_path / "run", backend=FakeBackend())
    work = work_of(Cluster("x"), plan, FakeBackend(), LocalObjects(place), 1)
    assert prepare(work, Stop()).plan.hash == plan.hash
    there = dataclasses.replace(work, place=str(tmp_path / "elsewhere"))
    with pytest.raises(StresscubeError, match="elsewhere is not seen from there: a folder must be"):
        prepare(there, Stop())
    other = run(scenario(60), tmp_path / "other", backend=FakeBackend())
    with pytest.raises(StresscubeError, match="sees another run in"):
        prepare(dataclasses.replace(work, place=str(other)), Stop())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a.toml", "--dask"], ["a.toml", "--dask", "local"]),
        (["--dask", "a.toml"], ["--dask", "local", "a.toml"]),
        (["--dask", "--quiet", "a.toml"], ["--dask", "local", "--quiet", "a.toml"]),
        (["--dask", "tcp://node1:8786", "a.toml"], ["--dask", "tcp://node1:8786", "a.toml"]),
        (["--dask", "node-1.here:8786"], ["--dask", "node-1.here:8786"]),
        (["--dask=tcp://x:1", "a.toml"], ["--dask=tcp://x:1", "a.toml"]),
        (["a.toml"], ["a.toml"]),
    ],
)
def test_the_address_may_be_left_out(words: list[str], expected: list[str]) -> None:
    assert list(completed(words)) == expected


def test_a_card_for_each_process() -> None:
    from stresscube.dask_engine import only_device

    cards = CudaBackend((0, 2), "cupy-cuda13x", "a card")
    assert only_device(FakeBackend(), 0, {}) == {}
    assert only_device(cards, 1, {}) == {"CUDA_VISIBLE_DEVICES": "2"}
    assert only_device(cards, 1, {"CUDA_VISIBLE_DEVICES": "4,5,7"}) == {"CUDA_VISIBLE_DEVICES": "7"}


def test_cards_need_not_be_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stresscube_kernels.cards.why_not", lambda: "no card")
    monkeypatch.setattr("stresscube_kernels.cards.installed", lambda: None)
    with pytest.raises(StresscubeError, match="must be installed here too, though no card"):
        elsewhere("cuda")
    monkeypatch.setattr(
        "stresscube_kernels.cards.installed", lambda: CuPy("cupy-cuda13x", "14.0", 13)
    )
    assert elsewhere("cuda") == CudaBackend((), "cupy-cuda13x", "")
    assert elsewhere("cpu").name == "cpu"
