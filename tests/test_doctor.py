"""What is said of a machine's backends, on machines made up of a stub driver and package lists."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from emulator.fake_cupy import Machine, install
from stresscube import backends, doctor
from stresscube.cli.app import app
from stresscube_kernels import cache, cards
from stresscube_kernels.cards import Card, CuPy, Driver, NoDriver

H100 = Card("NVIDIA H100", 80 * 2**30, (9, 0))
V100 = Card("Tesla V100", 16 * 2**30, (7, 0))
CUPY = {12: CuPy("cupy-cuda12x", "14.2.0", 12), 13: CuPy("cupy-cuda13x", "14.2.0", 13)}

STUB = """
#include <string.h>
int cuInit(unsigned flags) { return STARTS; }
int cuDriverGetVersion(int *number) { *number = 13010; return 0; }
int cuDeviceGetCount(int *count) { *count = 2; return 0; }
int cuDeviceGet(int *device, int index) { *device = index; return 0; }
int cuDeviceGetName(char *name, int size, int device) {
  strncpy(name, device ? "second" : "first", size);
  return 0;
}
int cuDeviceTotalMem_v2(unsigned long *bytes, int device) { *bytes = 5ul << 32; return 0; }
int cuDeviceGetAttribute(int *value, int what, int device) {
  *value = what == 75 ? 9 : what == 76 ? device : -1;
  return 0;
}
int cuGetErrorString(int error, const char **text) {
  *text = error == 803 ? "versions of driver and library differ" : 0;
  return *text == 0;
}
"""


def machine(
    monkeypatch: pytest.MonkeyPatch, found: Driver | NoDriver, cupy: CuPy | None = None
) -> None:
    """A machine with that driver and that CuPy."""

    def driver() -> Driver:
        if isinstance(found, NoDriver):
            raise found
        return found

    monkeypatch.setattr(cards, "driver", driver)
    monkeypatch.setattr(cards, "installed", lambda: cupy)


def starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let CuPy be one that works."""
    install(Machine(cards=2), monkeypatch)


def said() -> str:
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


def test_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, NoDriver("there is no NVIDIA driver"))
    text = said()
    assert "cuda missing there is no NVIDIA driver" in text
    assert "pip install 'stresscube[cuda]' (for CUDA 13)" in text
    assert "pip install 'stresscube[cuda12]' (where nvidia-smi says CUDA 12)" in text
    assert "--backend auto takes cpu: there is no NVIDIA driver" in text


@pytest.mark.parametrize(
    ("driver", "cupy", "reason", "mend"),
    [
        (Driver((13, 0), ()), None, "sees no card", "stresscube[cuda]'"),
        (Driver((11, 8), (H100,)), CUPY[12], "for CUDA 11.8; 12 is needed", "newer NVIDIA driver"),
        (Driver((13, 1), (H100,)), None, "CuPy is not installed", "stresscube[cuda]'"),
        (Driver((12, 4), (H100,)), None, "CuPy is not installed", "stresscube[cuda12]'"),
        (
            Driver((12, 4), (H100,)),
            CUPY[13],
            "cupy-cuda13x is for CUDA 13, the driver for 12.4: pip uninstall cupy-cuda13x",
            "stresscube[cuda12]'",
        ),
        (
            Driver((13, 0), (V100,)),
            CUPY[13],
            "V100 is of compute capability 7.0, which CUDA 13 has left behind: "
            "pip uninstall cupy-cuda13x, then pip install 'stresscube[cuda12]'",
            "stresscube[cuda12]'",
        ),
        (Driver((13, 0), (V100,)), None, "CuPy is not installed", "stresscube[cuda12]'"),
        (
            Driver((13, 0), (H100,)),
            CuPy("cupy-cuda13x", "13.6.0", 13),
            "cupy-cuda13x 13.6.0 is too old",
            "stresscube[cuda]'",
        ),
    ],
)
def test_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, driver: Driver, cupy: CuPy | None, reason: str, mend: str
) -> None:
    machine(monkeypatch, driver, cupy)
    finding = doctor.cuda_backend()
    assert not finding.ready
    assert reason in finding.missing
    assert mend in finding.mend
    assert reason in said()


@pytest.mark.parametrize(("cuda", "cupy"), [(13, CUPY[13]), (12, CUPY[12]), (13, CUPY[12])])
def test_everything_is_here(monkeypatch: pytest.MonkeyPatch, cuda: int, cupy: CuPy) -> None:
    machine(monkeypatch, Driver((cuda, 2), (H100, H100)), cupy)
    starts(monkeypatch)
    assert cards.why_not() is None
    text = said()
    assert f"cuda ready NVIDIA driver for CUDA {cuda}.2" in text
    assert "card 1: NVIDIA H100, 80 GiB, compute capability 9.0" in text
    assert f"{cupy.package} 14.2.0" in text


def test_a_cupy_that_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its own words, in one line; `auto` takes the processor then."""
    machine(monkeypatch, Driver((13, 1), (H100,)), CUPY[13])
    (tmp_path / "cupy.py").write_text(
        'raise ImportError("""\n====\nFailed to import CuPy.\n\nOriginal error: no libnvrtc""")'
    )
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    reason = "CuPy does not start (ImportError: Failed to import CuPy.)"
    assert cards.why_not() == reason
    assert backends.automatic() == (backends.CpuBackend(), reason)
    finding = doctor.cuda_backend()
    assert (finding.ready, finding.missing) == (False, reason)
    assert finding.mend.startswith("pip install")


def test_cupy_keeps_its_code_where_ours_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By itself it takes the home folder, and cannot be imported where that is read-only."""
    starts(monkeypatch)
    monkeypatch.setenv("CUPY_CACHE_DIR", "")  # so that it is set back at the end
    monkeypatch.delenv("CUPY_CACHE_DIR")
    monkeypatch.setattr(cache, "folder", lambda: tmp_path)
    assert cards.cupy().__name__ == "cupy"
    assert os.environ["CUPY_CACHE_DIR"] == str(tmp_path / "cupy")
    monkeypatch.setenv("CUPY_CACHE_DIR", "/elsewhere")
    cards.cupy()
    assert os.environ["CUPY_CACHE_DIR"] == "/elsewhere"


def test_cards_that_are_used_together_are_alike() -> None:
    """An old one first does not hinder, one of another kind stays out."""
    driver = Driver((13, 1), (V100, H100, Card("NVIDIA L4", 24 * 2**30, (8, 9)), H100))
    assert cards.usable(driver, CUPY[13]) == (1, 3)
    assert cards.usable(driver, CUPY[12]) == (0,)
    assert cards.usable(Driver((13, 1), (V100,)), CUPY[13]) == ()


@pytest.mark.needs("compiler")
@pytest.mark.parametrize(
    ("starts", "expected"),
    [
        (
            0,
            Driver(
                (13, 1), (Card("first", 20 * 2**30, (9, 0)), Card("second", 20 * 2**30, (9, 1)))
            ),
        ),
        (100, Driver((13, 1), ())),
        (803, "does not start: versions of driver and library differ"),
        (999, "does not start: error 999"),
    ],
)
def test_the_driver_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, starts: int, expected: Driver | str
) -> None:
    """A library with the driver's functions, loaded in its place."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler is not None
    source, library = tmp_path / "stub.c", tmp_path / f"libstub{starts}.so"
    source.write_text(STUB.replace("STARTS", str(starts)))
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    monkeypatch.setattr(cards, "_LIBRARY", str(library))
    if isinstance(expected, Driver):
        assert cards.driver() == expected
    else:
        with pytest.raises(NoDriver, match=expected):
            cards.driver()


def test_a_missing_library_is_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "_LIBRARY", "libnothing.so.0")
    with pytest.raises(NoDriver, match=r"no NVIDIA driver \(libnothing\.so\.0 was not found\)"):
        cards.driver()


SCENARIO = str(Path(__file__).resolve().parents[1] / "scenarios" / "quickstart.toml")


def test_kernel_prints_one_unit() -> None:
    done = CliRunner().invoke(app, ["kernel", SCENARIO])
    assert done.exit_code == 0
    assert done.stdout.startswith("// Generated by stresscube")
    assert "// policy.py:" in done.stdout
    assert 'extern "C" __global__' in done.stdout
    assert '#include "' not in done.stdout
    float64 = CliRunner().invoke(app, ["kernel", SCENARIO, "--set", "simulation.precision=float64"])
    assert "#define REAL double" in float64.stdout


def test_kernel_prints_what_numba_compiles() -> None:
    done = CliRunner().invoke(app, ["kernel", SCENARIO, "--backend", "cpu"])
    assert done.exit_code == 0
    compile(done.stdout, "printed", "exec")
    assert "def policy_run(" in done.stdout


def test_kernel_knows_its_backends() -> None:
    done = CliRunner().invoke(app, ["kernel", SCENARIO, "--backend", "xla"])
    assert done.exit_code == 2
    assert "--backend xla: must be one of cpu, cuda" in done.output
