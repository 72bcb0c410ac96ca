"""The commands that look after a run: what they print, and with which exit code."""

from __future__ import annotations

import importlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fakes import TEXT, FakeBackend
from stresscube.cli import app
from stresscube.cli.run import RunOptions
from stresscube.lock import locked

SHARP = "cube.zarr/summary/sharpe/c.0.1.0.0.0"


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    """A backend in an instant in the place of the real ones."""
    fake = FakeBackend()
    for name in ("runner", "plan", "recompute"):
        module = importlib.import_module(f"stresscube.{name}")
        monkeypatch.setattr(module, "choose", lambda _: fake)
    return fake


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: FakeBackend) -> Path:
    """A folder of our own with a scenario in it, and a cache of our own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRESSCUBE_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "small.toml").write_text(TEXT.format(paths=100, save_paths="false"))
    return tmp_path


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_shards_say_what_they_did_and_the_last_one_shows_the_best(here: Path) -> None:
    first = call("run", "small.toml", "--shard", "2/2")
    assert first.exit_code == 0, first.output
    assert first.stdout.splitlines() == [
        "shard 2/2 of small.run: 6 blocks done, 0 of them before",
        "the run has 6 of its 12 blocks",
    ]
    last = call("run", "small.toml", "--shard", "1/2")
    assert last.exit_code == 0, last.output
    assert last.stdout.splitlines()[:2] == [
        "shard 1/2 of small.run: 6 blocks done, 0 of them before",
        "the run has 12 of its 12 blocks: it is complete",
    ]
    assert "stresscube show small.run" in last.stdout


def test_a_shard_that_is_none_is_refused(here: Path) -> None:
    result = call("run", "small.toml", "--shard", "0/4")
    assert result.exit_code == 2
    assert "parts count from 1 to 4; where an index counts from 0, add 1" in result.stderr
    assert not (here / "small.run").exists()


def test_the_command_to_go_on_has_the_shard() -> None:
    assert RunOptions(Path("a.toml"), shard="3/8").command == "stresscube run a.toml --shard 3/8"


def test_status_tells_how_far_a_run_is(here: Path) -> None:
    call("run", "small.toml", "--shard", "2/3", "--quiet")
    result = call("status", "small.run")
    assert result.exit_code == 4
    text = result.stdout.splitlines()
    assert text[0] == "small.run: small, 4 of 12 blocks, 8 missing"
    assert text[1] == "missing: 000000 000002 000003 000005 000006 000008 and 2 more"
    assert re.fullmatch(r"done: .* of computing, on a made-up processor", text[2])
    assert "writing now: nobody" in text
    assert "to go on: give the command that made it again" in text
    call("run", "small.toml", "--quiet")
    result = call("status", "small.run")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "small.run: small, 12 of 12 blocks, complete"
    assert "stresscube verify small.run" in result.stdout


def test_status_names_who_is_writing(here: Path) -> None:
    call("run", "small.toml", "--shard", "2/3", "--quiet")
    (here / "small.run/cube.zarr/summary/x.partial").write_bytes(b"")
    assert "half written: 1 object; the next run sweeps them" in call("status", "small.run").stdout
    with locked(here / "small.run", None):
        result = call("status", "small.run", "--json")
    assert result.exit_code == 4
    found = json.loads(result.stdout)
    assert found["writers"] == [f"another run (process {os.getpid()})"]
    assert (found["blocks"], found["partials"], found["complete"]) == (12, 1, False)
    assert found["missing"] == [f"{at:06d}" for at in (0, 2, 3, 5, 6, 8, 9, 11)]


def test_verify_says_that_a_run_is_sound(here: Path) -> None:
    call("run", "small.toml", "--quiet")
    result = call("verify", "small.run", "--recompute", "1")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "small.run: 12 of 12 blocks finished, 1,416 chunks decoded and hashed"
    assert re.fullmatch(r"block 0000\d\d: identical when recomputed", lines[1])
    assert lines[2] == "sound and complete"


def test_verify_names_damage_and_repair_mends_it(here: Path, backend: FakeBackend) -> None:
    call("run", "small.toml", "--quiet")
    (here / "small.run" / SHARP).write_bytes(b"")
    for arguments in ((), ("--json",)):
        result = call("verify", "small.run", *arguments)
        assert result.exit_code == 3
    assert json.loads(result.stdout)["damage"] == [
        {"key": SHARP, "what": "empty", "block": "000003"}
    ]
    lines = call("verify", "small.run").stdout.splitlines()
    assert lines[1] == f"damaged: {SHARP} (block 000003): empty"
    assert lines[2] == "to mend it: stresscube verify small.run --repair"
    shown = call("show", "small.run", "--max-liquidation", "1")
    assert shown.exit_code == 1
    assert shown.stderr.splitlines() == [
        f"stresscube: small.run/{SHARP} is damaged (empty): "
        "stresscube verify small.run --repair mends it"
    ]
    jobs = len(backend.prepared)
    result = call("verify", "small.run", "--repair")
    assert result.exit_code == 0, result.output
    assert len(backend.prepared) == jobs + 1
    assert f"mended: {SHARP} (block 000003): empty" in result.stdout
    assert "sound and complete" in result.stdout
    assert call("show", "small.run", "--max-liquidation", "1").exit_code == 0


def test_verify_of_a_sound_part_says_that_it_is_a_part(here: Path) -> None:
    call("run", "small.toml", "--shard", "1/2", "--quiet")
    result = call("verify", "small.run")
    assert result.exit_code == 4
    assert "sound as far as it goes" in result.stdout
    assert json.loads(call("verify", "small.run", "--json").stdout)["complete"] is False


def test_many_damages_are_not_all_listed(here: Path) -> None:
    call("run", "small.toml", "--quiet")
    for path in (here / "small.run/cube.zarr/summary").glob("*/c.0.1.0.0.0*"):
        path.unlink()
    lines = call("verify", "small.run").stdout.splitlines()
    assert len([line for line in lines if line.startswith("damaged: ")]) == 20
    assert "and 98 more" in lines


@pytest.mark.parametrize("command", ["status", "verify"])
def test_what_is_no_run_is_refused_in_one_line(here: Path, command: str) -> None:
    for name, message in (("none.run", "no such run folder"), (".", "is not a run")):
        result = call(command, name)
        assert result.exit_code == 2
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1


SLOW = """
import time
from fakes import FakeBackend, FakePrepared
from stresscube import runner, plan, recompute
from stresscube.cli import main

class Slow(FakePrepared):
    def run(self, first_path, n_paths, *, stop, advance=None):
        print("batch", flush=True)
        while not stop.is_set():
            time.sleep(0.01)
        return super().run(first_path, n_paths)

class SlowBackend(FakeBackend):
    def prepare(self, job, threads, shape, **options):
        fast = super().prepare(job, threads, shape, **options)
        return fast if len(self.prepared) < 3 else Slow(fast.job, self.dtype, self.before)

backend = SlowBackend()
for module in (runner, plan, recompute):
    module.choose = lambda _: backend
main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("command", ["run", "verify"])
def test_a_signal_has_an_exit_code_of_its_own(
    here: Path, command: str, number: int, code: int
) -> None:
    """The run gives up its block at once, says how to go on, and the same command does."""
    arguments = ["run", "small.toml", "--quiet", "--shard", "1/1"]
    if command == "verify":
        call(*arguments)
        arguments = ["verify", "small.run", "--recompute", "12"]
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    with subprocess.Popen(
        [sys.executable, "-c", SLOW, *arguments], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "batch\n"
        process.send_signal(number)
        try:
            out, errors = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == code
    assert (out, "Traceback" in errors) == ("", False)
    if command == "verify":
        assert errors == "stresscube: stopped\n"
        return
    assert errors == (
        "\nstresscube: stopped; 2 of 12 blocks are kept\n"
        "to go on: stresscube run small.toml --shard 1/1 --quiet\n"
    )
    assert call(*arguments).exit_code == 0
    assert call("verify", "small.run").exit_code == 0
