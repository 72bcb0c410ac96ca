"""The command line: what is printed, where to, and with which exit code."""

from __future__ import annotations

import importlib
import io
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

import cubes
from fakes import TEXT, FakeBackend
from stresscube.cli import app
from stresscube.cli.progress import Bar, Lines, Meter
from stresscube.cli.run import RunOptions
from stresscube.cli.show import print_ranking
from stresscube.errors import RunError
from stresscube.plan import make_plan
from stresscube.scenario import loads
from stresscube.show import rank

SMALL = TEXT.format(paths=640, save_paths="false")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of our own with a scenario in it, and a cache of our own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRESSCUBE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("STRESSCUBE_DEBUG", raising=False)
    (tmp_path / "small.toml").write_text(SMALL)
    return tmp_path


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> FakeBackend:
    """A backend in an instant in the place of the real ones."""
    fake = FakeBackend()
    use(fake, monkeypatch)
    return fake


def use(backend: FakeBackend, patch: pytest.MonkeyPatch) -> None:
    for name in ("stresscube.runner", "stresscube.plan", "stresscube.cli.check"):
        patch.setattr(importlib.import_module(name), "choose", lambda _: backend)


@pytest.fixture
def run_folder(here: Path, backend: FakeBackend) -> Path:
    """A finished run of the small scenario."""
    result = call("run", "small.toml", "--quiet")
    assert result.exit_code == 0, result.output
    return here / "small.run"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def widest(text: str) -> int:
    return max(len(line) for line in text.splitlines())


def test_help_names_every_command_and_fits() -> None:
    result = call("--help")
    assert result.exit_code == 0
    for command in ("run", "check", "show", "recommend", "export", "plot", "schema"):
        assert re.search(rf"^\W*{command}\s", result.stdout, re.MULTILINE)
        assert call(command, "--help").exit_code == 0


def test_version() -> None:
    import stresscube

    result = call("--version")
    assert result.stdout.strip() == f"stresscube {stresscube.__version__}"


def test_schema_is_json() -> None:
    result = call("schema")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["type"] == "object"


def test_run_prints_the_best_policies_and_the_next_commands(
    here: Path, backend: FakeBackend
) -> None:
    result = call("run", "small.toml", "--set", "sweep.leverage=[2, 10]")
    assert result.exit_code == 0, result.output
    assert "small.run: 48 cells × 640 paths" in result.stdout
    assert "stresscube show small.run" in result.stdout
    assert "stresscube plot small.run --x leverage --y hedge_ratio -o plot.png" in result.stdout
    assert (here / "small.run" / "_control" / "COMPLETE").exists()


def test_the_next_commands_work(here: Path, backend: FakeBackend) -> None:
    import shlex

    printed = call("run", "small.toml", "-o", "a run").stdout
    commands = [line.strip() for line in printed.splitlines() if line.startswith("  stresscube ")]
    assert len(commands) == 3
    for command in commands:
        result = call(*shlex.split(command)[1:])
        assert result.exit_code == 0, result.output
    assert Path("plot.png").stat().st_size > 10_000


def test_a_finished_run_is_not_run_again(run_folder: Path, backend: FakeBackend) -> None:
    jobs = len(backend.prepared)
    result = call("run", "small.toml")
    assert result.exit_code == 0
    assert "small.run was complete already" in result.stdout
    assert len(backend.prepared) == jobs


def test_quiet_prints_nothing(here: Path, backend: FakeBackend) -> None:
    result = call("run", "small.toml", "--quiet")
    assert (result.exit_code, result.output) == (0, "")


def test_options_reach_the_scenario(here: Path, backend: FakeBackend) -> None:
    arguments = ("--paths", "64", "--seed", "7", "--set", "policy.holding=30min")
    assert call("run", "small.toml", "--quiet", *arguments).exit_code == 0
    plan = json.loads(Path("small.run/_control/plan.json").read_text())
    assert plan["identity"]["scenario"]["simulation"]["paths"] == 64
    assert plan["identity"]["scenario"]["simulation"]["seed"] == 7
    assert "policy.holding=30min" in plan["scenario"]["overrides"]


def test_another_scenario_in_the_folder_is_refused_in_one_line(run_folder: Path) -> None:
    result = call("run", "small.toml", "--seed", "9")
    assert result.exit_code == RunError.exit_code
    assert len(result.stderr.splitlines()) == 1
    assert "holds another run" in result.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("hedge_ratio = 1.0", "hedge_ration = 1.0"), "hedge_ratio"),
        (("correlation = 0.85", "correlation = 1.4"), "1.4"),
        (("paths = 640", "paths = "), "small.toml"),
    ],
)
def test_a_broken_scenario_is_told_in_lines(
    here: Path, change: tuple[str, str], message: str
) -> None:
    (here / "small.toml").write_text(SMALL.replace(*change, 1))
    for command in ("run", "check"):
        result = call(command, "small.toml")
        assert result.exit_code == 2
        assert result.stdout == ""
        assert message in result.stderr
        assert all(line.startswith("stresscube: ") for line in result.stderr.splitlines())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "none.toml"), "none.toml"),
        (("run", "small.toml", "--memory", "4 apples"), "--memory 4 apples: expected a size"),
        (("check", "small.toml", "--memory", "1kB"), "is too little: this run needs"),
        (("run", "small.toml", "--set", "policy.leverge=3"), "leverage"),
        (("show", "none.run"), "none.run: no such run folder"),
        (("show", "."), "is not a run"),
        (("plot", "none.run"), "none.run: no such run folder"),
        (("plot", "none.run", "-o", "x.jpg"), "x.jpg: .jpg"),
    ],
)
def test_wrong_calls_are_told_in_one_line(
    here: Path, backend: FakeBackend, arguments: tuple[str, ...], message: str
) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "Traceback" not in result.output


def test_an_unknown_backend_is_told_with_the_known_ones(here: Path) -> None:
    result = call("run", "small.toml", "--backend", "gpu")
    assert result.exit_code == 2
    assert "auto, cpu" in result.stderr


def test_an_unexpected_fault_is_one_line_unless_debugging(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("[/red] over\nnothing")

    monkeypatch.setattr("stresscube.cli.run.load_scenario", broken)
    result = call("run", "small.toml")
    assert result.exit_code == 70
    assert result.stderr.startswith("stresscube: unexpected ZeroDivisionError: [/red] over nothing")
    assert len(result.stderr.splitlines()) == 1
    monkeypatch.setenv("STRESSCUBE_DEBUG", "1")
    assert isinstance(call("run", "small.toml").exception, ZeroDivisionError)


def test_check_tells_the_plan_before_anything_runs(here: Path, backend: FakeBackend) -> None:
    result = call("check", "small.toml")
    assert result.exit_code == 0, result.output
    assert widest(result.stdout) <= 80
    text = " ".join(result.stdout.split())
    assert "calm_correlation market 2 0.9, 0.5" in text
    assert "cells 72 = 2 markets × 36 policies; " in text
    assert "paths 640 of 120 steps (1 min each, 2 h)" in text
    assert "measured just now" in text
    assert not list(here.glob("*.run"))


def test_check_remembers_the_rate_of_a_run(
    here: Path, backend: FakeBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stresscube.cli.rates.SHORTEST", 0.0)
    assert call("run", "small.toml", "--quiet", "--threads", "2").exit_code == 0
    jobs = len(backend.prepared)
    printed = call("check", "small.toml", "--threads", "2").stdout
    assert "as its run of 20" in " ".join(printed.split())
    assert len(backend.prepared) == jobs
    assert "measured just now" in call("check", "small.toml", "--threads", "1").stdout
    (here / "cache" / "rates.json").write_text("[not json")
    assert "measured just now" in call("check", "small.toml", "--threads", "2").stdout


def test_show_fits_80_columns_and_says_what_it_left_out(run_folder: Path) -> None:
    result = call("show", run_folder, "--max-liquidation", "0.5", "--top", "3")
    assert result.exit_code == 0, result.output
    assert widest(result.stdout) <= 80
    assert "small: best by sharpe, liquidation probability at most 0.5" in result.stdout
    assert "each number is the worst over calm_correlation = 0.9, 0.5" in result.stdout
    assert "cells infeasible: margin exceeds equity at opening" in result.stdout
    assert re.search(r"^3 ", result.stdout, re.MULTILINE)
    assert not re.search(r"^4 ", result.stdout, re.MULTILINE)


def test_show_says_when_nothing_keeps_the_limit(run_folder: Path) -> None:
    result = call("show", run_folder, "--max-liquidation", "0")
    assert result.exit_code == 0
    assert "no policy keeps liquidation probability within 0; the safest:" in result.stdout


def test_show_takes_where_and_by(run_folder: Path) -> None:
    result = call("show", run_folder, "--where", "venue=B", "--where", "leverage=2,10",
                  "--by", "max_drawdown_quantile", "--max-liquidation", "1")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "at venue = B" in result.stdout
    wrong = call("show", run_folder, "--where", "venu=B")
    assert wrong.exit_code == 2
    assert "did you mean venue?" in wrong.stderr
    wrong = call("show", run_folder, "--by", "sharp")
    assert wrong.exit_code == 2
    assert "did you mean sharpe?" in wrong.stderr


def test_show_works_on_a_run_that_is_not_finished(here: Path) -> None:
    def stop_at(first: int) -> None:
        if len(backend.prepared) > 3:
            raise KeyboardInterrupt

    backend = FakeBackend(before=stop_at)
    with pytest.MonkeyPatch.context() as patch:
        use(backend, patch)
        stopped = call("run", "small.toml", "-o", "part.run", "--paths", "320")
    assert stopped.exit_code == 130
    assert "blocks are kept" in stopped.stderr
    assert "to go on: stresscube run small.toml -o part.run --paths 320" in stopped.stderr
    shown = call("show", "part.run", "--where", "calm_correlation=0.9", "--max-liquidation", "1")
    assert shown.exit_code == 0, shown.output
    assert "blocks are missing" in shown.stderr
    assert "not run yet" in shown.stdout


@pytest.mark.parametrize("dims", range(8))
def test_the_table_fits_whatever_the_dims_are_called(dims: int) -> None:
    names = ["leverage", "a_long_name_of_a_threshold", "venue", "[bold]", "x", "holding", "q"]
    cube = cubes.summary({"hedge_ratio": [0.8, 1.2]})
    cube = cube.expand_dims({name: [1.25, np.inf] for name in names[:dims]})
    out = Console(width=80, record=True, file=io.StringIO())
    print_ranking(rank(cube.drop_vars("leverage_effective")), out, name="[red]odd[/] name")
    text = out.export_text()
    assert widest(text) <= 80
    assert "[red]odd[/] name" in text
    assert "…" not in text


def test_plot_writes_a_picture_and_says_what_was_fixed(run_folder: Path) -> None:
    result = call("plot", run_folder, "--metric", "sharpe", "--x", "leverage", "--y",
                  "hedge_ratio", "-o", "p.svg", "--where", "venue=A")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("p.svg: sharpe over leverage and hedge_ratio at ")
    assert "venue = A," in result.stdout
    assert Path("p.svg").read_text().startswith("<?xml")
    wrong = call("plot", run_folder, "--x", "leverge")
    assert wrong.exit_code == 2
    assert "--x leverge: no dim of" in wrong.stderr
    assert "did you mean leverage?" in wrong.stderr
    same = call("plot", run_folder, "--x", "leverage", "--y", "leverage")
    assert "--x and --y are both leverage: a heat map needs two dims" in same.stderr


def test_the_command_to_go_on_is_the_whole_command() -> None:
    options = RunOptions(Path("my file.toml"), Path("out"), "cpu", 10, 3, ("a.b=[1, 2]",), 2, "4GB")
    assert options.command == (
        "stresscube run 'my file.toml' -o out --backend cpu --paths 10 --seed 3 "
        "--set 'a.b=[1, 2]' --threads 2 --memory 4GB"
    )


class Clock:
    """A clock that moves when it is told to."""

    now = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("stresscube.cli.progress.time.monotonic", lambda: clock.now)
    return clock


def test_the_rate_leaves_compiling_out_and_the_total_what_is_done(clock: Clock) -> None:
    plan = make_plan(loads(SMALL), FakeBackend())
    meter = Meter()
    meter.start(plan, frozenset({0}), frozenset(range(len(plan.blocks))))
    assert meter.total < plan.policy_steps
    assert meter.text() == "compiling"
    clock.now += 5
    meter.advance(1000)
    clock.now += 1
    meter.advance(2000)
    assert meter.rate == pytest.approx(2000)
    meter.total = 13_000
    assert meter.text() == "2 k policy-steps/s, 5.0 s left"
    meter.finish()
    assert meter.seconds == pytest.approx(6)


def test_logs_get_a_line_every_ten_seconds(clock: Clock) -> None:
    plan = make_plan(loads(SMALL), FakeBackend())
    out = Console(width=80, record=True, file=io.StringIO())
    lines = Lines(out)
    lines.start(plan, frozenset(), frozenset(range(len(plan.blocks))))
    for _ in range(30):
        clock.now += 1
        lines.advance(10)
    lines.finish()
    text = out.export_text().splitlines()
    assert len(text) == 3
    assert all("policy-steps/s" in line for line in text)


def test_the_bar_is_taken_down_at_the_end() -> None:
    out = Console(width=80, force_terminal=True, file=io.StringIO())
    plan = make_plan(loads(SMALL), FakeBackend())
    bar = Bar(out)
    bar.start(plan, frozenset(), frozenset(range(len(plan.blocks))))
    bar.advance(10)
    bar.block_done(plan.blocks[0])
    bar.finish()
    bar.finish()
    assert bar.blocks == 1


def program(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


MAIN = "from stresscube.cli import main; main()"


def test_help_imports_nothing_heavy() -> None:
    code = "import stresscube.cli, sys; print(' '.join(sys.modules))"
    loaded = set(subprocess.check_output(program(code), text=True).split())
    assert not loaded & {"numpy", "xarray", "zarr", "numba", "matplotlib", "pydantic", "rich"}


def test_show_imports_no_compiler(run_folder: Path) -> None:
    code = (
        "import sys\nfrom stresscube.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert 'numba' not in sys.modules and 'matplotlib' not in sys.modules\n"
    )
    done = subprocess.run(
        program(code, "show", str(run_folder)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert widest(done.stdout) <= 80


def test_a_reader_that_goes_away_is_no_fault(run_folder: Path) -> None:
    shell = f"{sys.executable} -c '{MAIN}' show {run_folder} | true"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert done.stderr == ""


@pytest.mark.slow
def test_ctrl_c_ends_cleanly_and_the_command_goes_on(here: Path) -> None:
    """The real backend, a real signal, and then the command that was printed."""
    arguments = ["run", "small.toml", "--set", "simulation.horizon=15d", "--threads", "1"]
    process = subprocess.Popen(
        program(MAIN, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(here.glob("small.run/_control/receipts/*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "blocks are kept" in errors
    assert "to go on: stresscube run small.toml --set simulation.horizon=15d" in errors
    done = subprocess.run(program(MAIN, *arguments), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "policy-steps in" in done.stdout
