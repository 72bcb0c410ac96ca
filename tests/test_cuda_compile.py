"""NVIDIA's compiler takes the kernels, keeps accounts in registers, and needs no more instructions
than benchmarks/results/sass.jsonl says. `python -m benchmarks.sass` rewrites that file."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stresscube.cli.app import app
from stresscube_kernels.cuda_code import MOST_REGISTERS, PER_THREAD, THREADS
from stresscube_kernels.print_cpp import BUILD, cuda_source
from stresscube_kernels.programs import programs

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks/ is not installed
nvrtc = importlib.import_module("benchmarks.nvrtc")
sass = importlib.import_module("benchmarks.sass")

WARPS = {
    "policy_run": {"float32": 12, "float64": 8},
    "market_run": {"float32": 16, "float64": 12},
    "gather_outcomes": {"float32": 48, "float64": 48},
}
"""Of a multiprocessor, at least: a policy kernel leaves three or two for each of its schedulers."""
SLACK = 0.02
"""What an instruction count may grow by, with the compiler that the file was made with."""
LOOSE = 0.15
"""And with another."""


@lru_cache(maxsize=64)
def measured(scenario: str, architecture: str, precision: str, per_thread: int) -> Any:
    source = cuda_source(programs(sass.scenario_shape(scenario)), precision, THREADS, per_thread)
    return sass.measure(source, architecture)


@pytest.fixture(autouse=True)
def _known(request: pytest.FixtureRequest) -> None:
    """Skip a card generation that this compiler does not know (sm_80 and sm_90 it must)."""
    call = getattr(request.node, "callspec", None)
    newest = call is not None and call.params.get("architecture") == "sm_100"
    if newest and "sm_100" not in nvrtc.architectures():
        pytest.skip("this compiler does not know sm_100")


@pytest.mark.needs("nvrtc")
@pytest.mark.parametrize("scenario", sass.SCENARIOS)
@pytest.mark.parametrize("architecture", sass.ARCHITECTURES)
@pytest.mark.parametrize("precision", sass.PRECISIONS)
def test_everything_stays_in_registers(scenario: str, architecture: str, precision: str) -> None:
    """No stack and no local memory in the kernels that the host picks, and warps enough."""
    choices = {n: measured(scenario, architecture, precision, n) for n in PER_THREAD}
    policy = {n: choices[n]["policy_run"] for n in PER_THREAD}
    most = MOST_REGISTERS[precision]
    fitting = [n for n in PER_THREAD if policy[n].stack == 0 and policy[n].registers <= most]
    per_thread = fitting[0]  # as cuda_code.cuda_kernels picks
    kernels = choices[per_thread]
    assert set(kernels) == {"market_run", "policy_run", "gather_outcomes"}
    for name, kernel in kernels.items():
        assert kernel.stack == 0, name
        assert kernel.spills == 0, name
        assert kernel.warps(THREADS) >= WARPS[name][precision], name


@pytest.mark.needs("nvrtc")
@pytest.mark.parametrize("line", sass.recorded(), ids=lambda line: "-".join(
    str(line[key]) for key in ("scenario", "architecture", "precision", "policies_per_thread")
))  # fmt: skip
def test_no_more_instructions_than_recorded(line: dict[str, Any]) -> None:
    """If this fails and the change is worth it: python -m benchmarks.sass, and commit the file."""
    if line["architecture"] not in nvrtc.architectures():
        pytest.skip(f"this compiler does not know {line['architecture']}")
    known = ("scenario", "architecture", "precision", "policies_per_thread")
    kernels = measured(*(line[key] for key in known))
    slack = SLACK if line["versions"]["nvrtc"] == nvrtc.version() else LOOSE
    for name in ("policy_run", "market_run"):
        now, then = kernels[name].instructions, line[name]["instructions"]
        assert abs(now - then) <= slack * then, f"{name}: {now} instructions, {then} are recorded"


def test_the_record_is_whole() -> None:
    """Every shipped scenario, card generation and precision, the step loop found in each."""
    found = {
        (line["scenario"], line["architecture"], line["precision"]) for line in sass.recorded()
    }
    wanted = {
        (s, a, p) for s in sass.SCENARIOS for a in sass.ARCHITECTURES for p in sass.PRECISIONS
    }
    assert found == wanted
    scenarios = {path.stem for path in (sass.ROOT / "scenarios").glob("*.toml")}
    assert scenarios == set(sass.SCENARIOS)
    assert all(line["instructions_per_policy_step"] > 50 for line in sass.recorded())


@pytest.mark.needs("nvrtc")
def test_what_costs_instructions_shows() -> None:
    """The count is of the step loop: work put into the step is counted, work before it is not."""
    source = cuda_source(programs(sass.scenario_shape("quickstart")), "float32", THREADS, 1)
    before = sass.measure(source, "sm_90")["policy_run"].instructions
    step = "      const Tick tick = tile[step];\n"
    assert source.count(step) == 1
    dearer = source.replace(step, step + "      account[0].fees += sinf(tick.noise_a);\n")
    assert sass.measure(dearer, "sm_90")["policy_run"].instructions > before + 10
    opening = "  bool busy = true;\n  for"
    assert source.count(opening) == 1
    once = source.replace(opening, "  account[0].fees += sinf(float(path));\n" + opening)
    assert abs(sass.measure(once, "sm_90")["policy_run"].instructions - before) <= 8


@pytest.mark.needs("nvrtc")
def test_a_kernel_that_spills_is_seen() -> None:
    source = """
    extern "C" __global__ void f(float *x, int n) {
      float kept[300];
      for (int i = 0; i < 300; ++i) kept[i] = x[i * n];
      for (int i = 0; i < n; ++i) kept[(i * 7) % 300] += x[i];
      float sum = 0;
      for (int i = 0; i < 300; ++i) sum += kept[i];
      x[0] = sum;
    }"""
    kernel = sass.measure(source, "sm_90")["f"]
    assert kernel.stack >= 1200
    assert kernel.spills > 0


@pytest.mark.needs("nvrtc")
def test_a_mistake_shows_the_compilers_words() -> None:
    with pytest.raises(nvrtc.CompileError, match=r"identifier .nothing. is undefined"):
        nvrtc.compile_cubin("__global__ void f() { nothing(); }", "sm_90")


@pytest.mark.needs("nvcc")
@pytest.mark.parametrize("scenario", sass.SCENARIOS)
@pytest.mark.parametrize("precision", sass.PRECISIONS)
def test_nvcc_takes_what_is_printed(scenario: str, precision: str, tmp_path: Path) -> None:
    """`stresscube kernel` prints one self-contained unit, and the command that compiles it."""
    file = sass.ROOT / "scenarios" / f"{scenario}.toml"
    asked = ["--backend", "cuda", "--set", f"simulation.precision={precision}"]
    printed = CliRunner().invoke(app, ["kernel", str(file), *asked])
    assert printed.exit_code == 0, printed.output
    assert printed.stdout.isascii()
    (tmp_path / "kernel.cu").write_text(printed.stdout)
    found = re.search(r"^// One self-contained unit: (nvcc .*)$", printed.stdout, re.MULTILINE)
    assert found is not None
    command = [*found[1].split(), "-Werror", "all-warnings", "kernel.cu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "kernel.cubin").stat().st_size > 1000


def test_the_documented_command_is_the_printed_one() -> None:
    assert f"$ {BUILD['device.cu']} kernel.cu" in (sass.ROOT / "docs" / "gpu.md").read_text()
