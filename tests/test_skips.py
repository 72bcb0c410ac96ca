"""A required thing that is missing fails a test instead of skipping it (conftest.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SKIPPING = """
import pytest

def test_skips():
    pytest.skip("no C++ compiler")

@pytest.mark.skipif(True, reason="needs data")
def test_skips_by_mark():
    raise AssertionError

@pytest.mark.xfail(reason="a compiler's bug")
def test_known_failure():
    raise AssertionError
"""


@pytest.mark.parametrize(
    ("required", "skipped", "failed", "errors"),
    [("", 2, 0, 0), ("compiler", 1, 1, 0), ("data", 1, 0, 1), ("all", 0, 1, 1)],
)
def test_required_skips_fail(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    required: str,
    skipped: int,
    failed: int,
    errors: int,
) -> None:
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())
    pytester.makepyfile(SKIPPING)
    monkeypatch.setenv("STRESSCUBE_REQUIRE", required)
    outcome = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    outcome.assert_outcomes(skipped=skipped, failed=failed, errors=errors, xfailed=1)


def test_unknown_requirements_are_refused(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeconftest(Path(__file__).with_name("conftest.py").read_text())
    monkeypatch.setenv("STRESSCUBE_REQUIRE", "compilr")
    outcome = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    outcome.stderr.fnmatch_lines(["*unknown*compilr*known: all,*compiler*"])
