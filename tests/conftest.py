"""What every test may need, and why a test was skipped.

`@pytest.mark.needs("compiler")` skips a test where that thing is missing. The environment variable
STRESSCUBE_REQUIRE names things that must be there, separated by commas ("compiler,data"), or "all":
then a skip whose reason names one of them is a failure, so that no skip can hide.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import buckets

# Set before anything imports pyplot: no test may need a screen.
os.environ.setdefault("MPLBACKEND", "Agg")
# Set before numpy is imported: its own threads spin, and fits have threads of ours.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# A script that starts tests with `&` has SIGINT ignored, for them and for whatever they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

MEMORY = Path("/dev/shm")
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def _gpu() -> bool:
    if importlib.util.find_spec("cupy") is None:
        return False
    cupy = importlib.import_module("cupy")
    try:
        return cupy.cuda.runtime.getDeviceCount() > 0
    except cupy.cuda.runtime.CUDARuntimeError:
        return False


def _nvrtc() -> bool:
    try:
        return all(version(f"nvidia-cuda-{tool}") for tool in ("nvrtc", "nvdisasm"))
    except PackageNotFoundError:
        return False


def _tmpfs() -> bool:
    command = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return (
        bool(shutil.which("unshare"))
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )


def _chromium() -> bool:
    return importlib.import_module("browser").program() is not None


NEEDS: dict[str, tuple[Callable[[], bool], str]] = {
    "chromium": (_chromium, "a Chromium browser (Debian: apt-get install chromium)"),
    "compiler": (lambda: any(map(shutil.which, ("c++", "g++", "clang++"))), "a C++ compiler"),
    "data": (DATA.is_dir, "the recorded market data"),
    "gpu": (_gpu, "an NVIDIA GPU and CuPy"),
    "jax": (lambda: importlib.util.find_spec("jax") is not None, "jax"),
    "nvcc": (lambda: shutil.which("nvcc") is not None, "the CUDA toolkit's nvcc"),
    "nvrtc": (_nvrtc, "NVIDIA's run-time compiler and disassembler, as packages"),
    "tmpfs": (_tmpfs, "the right to mount a small disk in a namespace of its own"),
    "sanitizer": (
        lambda: shutil.which("compute-sanitizer") is not None,
        "the CUDA toolkit's compute-sanitizer",
    ),
    "seaweedfs": (
        (Path(sys.executable).parent / "weed").exists,
        "the SeaweedFS server, as a package",
    ),
    "pyarrow": (lambda: importlib.util.find_spec("pyarrow") is not None, "pyarrow"),
    "vectorbt": (lambda: importlib.util.find_spec("vectorbt") is not None, "vectorbt"),
}


def _required() -> list[str]:
    return [name for name in os.environ.get("STRESSCUBE_REQUIRE", "").lower().split(",") if name]


def pytest_configure() -> None:
    """Refuse names in STRESSCUBE_REQUIRE that nothing stands for."""
    unknown = set(_required()) - {"all", *NEEDS}
    if unknown:
        known = ", ".join(["all", *NEEDS])
        raise pytest.UsageError(f"STRESSCUBE_REQUIRE: unknown {sorted(unknown)}; known: {known}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs something that is missing."""
    missing: dict[str, str | None] = {}
    for item in items:
        names = [name for mark in item.iter_markers("needs") for name in mark.args]
        names += ["gpu"] if item.get_closest_marker("gpu") else []
        for name in names:
            if name not in missing:
                found, words = NEEDS[name]
                missing[name] = None if found() else f"needs {name}: {words}"
            if reason := missing[name]:
                item.add_marker(pytest.mark.skip(reason=reason))


def _forbidden(report: pytest.TestReport | pytest.CollectReport) -> str | None:
    """Return why a skip counts as a failure, or None."""
    if not report.skipped or hasattr(report, "wasxfail"):
        return None
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    for name in _required():
        if name == "all" or name in text.lower():
            return f"skipped, but STRESSCUBE_REQUIRE has {name!r}: {text}"
    return None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a required test into a failure."""
    report = yield
    if why := _forbidden(report):
        report.outcome, report.longrepr = "failed", why
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a required module into an error."""
    report = yield
    if why := _forbidden(report):
        report.outcome, report.longrepr = "failed", why
    return report


@pytest.fixture
def market_data() -> Path:
    """Return the folder of recorded market data; the test is skipped where it is absent."""
    if not DATA.is_dir():
        pytest.skip("needs data: the recorded market data")
    return DATA


@pytest.fixture
def scratch(tmp_path: Path) -> Generator[Path]:
    """Give a folder in memory, where there is one: for runs by the hundred, of small files.

    What a disk would add is the time to write and to remove them.
    """
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="stresscube-") as folder:
        yield Path(folder)


SEAWEEDFS = pytest.param("seaweedfs", marks=[pytest.mark.soak, pytest.mark.needs("seaweedfs")])


@pytest.fixture(scope="session", params=["moto", SEAWEEDFS])
def s3_server(request: pytest.FixtureRequest) -> Generator[str]:
    """Give the URL of an S3 server of this session."""
    import buckets

    with buckets.SERVERS[request.param]() as url:
        yield url


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return `s3://` and the name of an empty bucket, to which the environment leads."""
    import buckets

    buckets.settle(monkeypatch, s3_server)
    return f"s3://{buckets.make_bucket(s3_server)}"


@pytest.fixture
def proxy(bucket: str, s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Generator[buckets.Proxy]:
    """Give a proxy before the server, to which the environment leads now."""
    import buckets

    it = buckets.Proxy(s3_server)
    monkeypatch.setenv("AWS_ENDPOINT_URL", it.url)
    yield it
    it.close()
