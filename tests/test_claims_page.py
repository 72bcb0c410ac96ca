"""`stresscube claims`: what it prints and writes, and that docs/claims.md is that."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from claim_cubes import ROOT, SCENARIOS, made
from stresscube.claims import studies
from stresscube.claims.catalogue import CLAIMS
from stresscube.claims.cells import Cube
from stresscube.claims.claim import Claim, Study
from stresscube.claims.conditions import UNKNOWN
from stresscube.claims.page import MARKETS
from stresscube.claims.studies import How, stamp
from stresscube.cli import app
from stresscube.cli import claims as command
from stresscube.errors import Interrupted
from stresscube_kernels.contract import Shape
from stresscube_kernels.lines import Constant
from stresscube_kernels.programs import Programs, programs

DOCS = ROOT / "docs" / "claims.md"
NUMBER = r"-?[\d,.]+"
VERDICTS = r"(holds only if|holds|does not hold|not settled)"


def call(*arguments: str | Path) -> Result:
    words = ["claims", str(SCENARIOS), *(str(argument) for argument in arguments)]
    return CliRunner().invoke(app, words)


def shape(text: str) -> list[str]:
    """Return a page without what depends on its figures."""
    lines = [line for line in text.splitlines() if line and not line.startswith("- ")]
    found = "\n".join(lines).replace("**", "")
    found = re.sub(rf"{VERDICTS}( \([\w ,]+\))?(?= \|)", "V", found)
    found = re.sub(r"\| [^|]* \| V \|", "| F | V |", found)
    return re.sub(r"\| [\d,]+ \| (\d+) \| `", r"| N | \1 | `", found).splitlines()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the page as written from made-up cubes: no run is made."""
    out = tmp_path_factory.mktemp("page") / "claims.md"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "run_study", lambda claim, study, _: made(claim, study, {}))
        found = call("--quiet", "-o", out)
    # Nothing is shown by figures that are all 0, so nothing holds under any condition.
    assert found.exit_code == 1, found.output
    assert "claims.md: no condition is known under which it would hold: fees of" in found.output
    return out.read_text()


def test_the_page_in_docs_is_what_the_command_writes(page: str) -> None:
    assert shape(DOCS.read_text()) == shape(page)


def test_the_page_in_docs_was_made_with_the_scenarios_as_they_are() -> None:
    found = call("--check", "-o", DOCS)
    assert found.exit_code == 0, found.output


@pytest.mark.parametrize(("place", "what"), [(0, "another scenario"), (1, "other steps")])
def test_a_page_of_other_scenarios_or_steps_is_out_of_date(
    place: int, what: str, tmp_path: Path
) -> None:
    old = tmp_path / "claims.md"
    text = DOCS.read_text()
    digest = re.findall(r"`([0-9a-f]{12})`", text)[place]
    old.write_text(text.replace(digest, "0" * 12, 1))
    found = call("--check", "-o", old)
    assert found.exit_code == 1
    assert f"claims.md: out of date: {what}: threshold (article)" in found.output


def test_a_step_that_computes_something_else_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """One constant of the account's step, a millionth larger: another digest, for every claim."""
    first = stamp(CLAIMS[0], CLAIMS[0].studies[0], SCENARIOS)

    def changed(shape: Shape) -> Programs:
        made = programs(shape)
        lines = list(made.policy_step.lines)
        place, constant = next(
            (i, it)
            for i, line in enumerate(lines)
            for it in line.operands
            if isinstance(it, Constant) and it.kind == "f"
        )
        larger = replace(constant, value=constant.value + 1e-6)
        operands = tuple(larger if it is constant else it for it in lines[place].operands)
        lines[place] = replace(lines[place], operands=operands)
        return replace(made, policy_step=replace(made.policy_step, lines=tuple(lines)))

    monkeypatch.setattr(studies, "programs", changed)
    studies.traced.cache_clear()
    try:
        then = stamp(CLAIMS[0], CLAIMS[0].studies[0], SCENARIOS)
    finally:
        studies.traced.cache_clear()
    assert then.scenario == first.scenario
    assert then.step != first.step


def test_a_claim_for_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sampling errors of a record, with a few paths; a second call finds the runs complete."""
    monkeypatch.chdir(tmp_path)
    words = ("--only", "paper-trading", "--paths", "64")
    first = call(*words, "--json")
    assert first.exit_code == 0, first.output
    document = json.loads(first.stdout)
    (claim,) = document["claims"]
    assert claim["claim"] == "paper-trading"
    assert [it["verdict"] for it in claim["findings"]][2] == "holds"
    assert [it["paths"] for it in claim["runs"]] == [64, 64]
    assert claim["runs"][1]["settings"] == ['simulation.horizon="547d"']
    assert claim["findings"][0]["tried"][0]["setting"] == "after 18 months"
    folders = sorted(it.name for it in Path("runs/claims").iterdir())
    assert len(folders) == 2
    again = call(*words)
    assert again.exit_code == 0, again.output
    assert "holds · article's: standard errors between a Sharpe ratio of 2" in again.stdout
    assert sorted(it.name for it in Path("runs/claims").iterdir()) == folders


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--only", "threshhold"), "--only threshhold: no such claim; did you mean threshold?"),
        (("--only", "noise", "-o", "x.md"), "-o writes the page of all claims"),
        (("--check",), "--check: name the page to check with -o"),
        (("--check", "-o", "none.md"), "none.md: no such file"),
    ],
)
def test_bad_requests_are_one_sentence(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = call(*arguments)
    assert found.exit_code == 2
    assert message in found.output
    assert "Traceback" not in found.output


def test_a_stop_keeps_what_is_done_and_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(claim: Claim, study: Study, how: How) -> Cube:
        if claim.name == "noise":
            raise Interrupted("stopped", signal.SIGTERM)
        return made(claim, study, {})

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "run_study", stopped)
    found = call("--only", "noise", "--only", "holding", "--paths", "64", "--quiet")
    assert found.exit_code == 143
    assert "stopped; 1 claim done" in found.output
    again = f"stresscube claims {SCENARIOS} --runs runs/claims --only noise --only holding"
    assert f"to go on: {again} --paths 64" in found.output


def under(text: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield (claim's title, market, question, verdict) of every row of a page's tables."""
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[2:-1]:
        title = section.partition("\n")[0]
        for row in re.findall(r"^\| ([\w' ]+) \| (.+) \| [^|]+ \| \*\*(.+)\*\* \|$", section, re.M):
            yield title, *row


def condition_of(text: str, title: str, market: str, question: str) -> str:
    """Return what a page says of one row under its table."""
    section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    part = section.partition(f"\n*{question[:1].upper()}{question[1:]}.*")[2].partition("\n*")[0]
    (line,) = re.findall(rf"^- {market.capitalize()}: (.*)$", part, re.MULTILINE)
    return line


def test_every_row_that_does_not_hold_names_the_assumption_under_which_it_would() -> None:
    """With the figure of a run that held, or with the reason why none can."""
    text = DOCS.read_text()
    rows = list(under(text))
    assert len(rows) > 70
    failing = [it for it in rows if it[3] != "holds"]
    assert len(failing) > 40
    held = rf"\*\*(It holds|It would hold)\*\* .*?\({NUMBER}( ± {NUMBER})?"
    for title, market, question, verdict in failing:
        words = condition_of(text, title, market, question)
        assert UNKNOWN not in words
        found = re.search(held, words) or re.search(r"\*\*It cannot hold\*\* \w", words)
        assert found, (title, market, question)
        assert ("It holds" in words) == (verdict == "holds only if"), words


def test_what_fails_on_the_page_is_tried_otherwise_by_the_code() -> None:
    failing = {it[:3] for it in under(DOCS.read_text()) if it[3] != "holds"}
    findings = {
        (claim.title, MARKETS[it.market], it.question): it
        for claim in CLAIMS
        for study in claim.studies
        for it in claim.judge(made(claim, study, {}))
    }
    assert failing <= set(findings)
    for key in failing:
        assert findings[key].tried or findings[key].never, key


def test_a_page_with_a_claim_that_lacks_its_condition_is_refused(page: str, tmp_path: Path) -> None:
    old = tmp_path / "claims.md"
    text = DOCS.read_text()
    section = text.index("## 0.5% for noisy pairs, 1.2% for stable ones")
    start = text.index("**It holds**", section)
    old.write_text(f"{text[:start]}**{UNKNOWN}**{text[text.index('.', start + 60) :]}")
    found = call("--check", "-o", old)
    assert found.exit_code == 1
    assert "claims.md: no condition is known under which it would hold: 0.5% for" in found.output
    assert page.count(UNKNOWN) > 40


def test_every_claim_is_on_the_page(page: str) -> None:
    for claim in CLAIMS:
        assert f"## {claim.title}\n" in page
        assert claim.sentence in page
        assert page.count(f"| {claim.name} |") == len(list(claim.runs()))
