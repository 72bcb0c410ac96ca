"""docs/claims.md: verdicts, the figures that they were computed from, and what they depend on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from stresscube.claims.claim import Claim, Finding, Market, Study, overall
from stresscube.claims.conditions import UNKNOWN, condition
from stresscube.claims.studies import Stamp, stamp
from stresscube.claims.verdicts import SIGMAS, Verdict
from stresscube.claims.words import written

MARKETS = {
    Market.ARTICLE: "article's",
    Market.PAIR: "real pair",
    Market.BASIS: "real basis",
}
HEAD = f"""\
# The article's claims, put to the test

An article on market-neutral trading by machine makes claims that can be tested. Each has a \
scenario in [scenarios/claims](../scenarios/claims/README.md); `stresscube claims -o \
docs/claims.md` runs them all and writes this page. No verdict is written by hand: a claim \
holds, or does not, where its figure lies {SIGMAS:g} standard errors on one side of what the \
sentence says, and is not settled in between. "Holds only if" is a claim that does not hold as \
it is stated and does under another reading, policy or venue that was tried, or in the \
article's market made different. Where only a market other than the fitted one would do, the \
verdict on a fitted market stays "does not hold", and the text under the table says in what \
market it **would hold**. Every claim that does not hold as stated has such a sentence, with the \
figure of a run. Such settings were searched for: all that the runs of this page tried stand \
beside it, since each had its chance; others were looked at on the way. Beside the \
verdict on the whole stands what became of its parts. ± is one standard error; differences and \
ratios are paired, on the same paths.

The **article's** market is made to suit it: two coins with a correlation of .85, and a basis \
between them that jumps, and reverts within the hour, so that a trader who enters by the \
spread earns it after fees. The **real pair** is fitted to five years of hourly BTC and ETH \
perpetuals with their funding; its legs are not cointegrated, so nothing in it reverts. The \
**real basis** is one coin on two exchanges, fitted to a year of hourly bars. Fitted markets \
are in [markets](../scenarios/claims/markets), each number with its standard error. Leverage \
is gross, both legs together, unless a line says otherwise. Fees and margin tiers are in the \
style of large exchanges and stand in each scenario.
"""
PARTS = {
    Verdict.HOLDS: "holds",
    Verdict.ONLY_IF: "only if",
    Verdict.FAILS: "not",
    Verdict.UNSETTLED: "open",
}
RUNS = """\
`stresscube claims --check -o docs/claims.md` says whether the page is of the code as it is. The \
scenario's digest is of all that a run asks; the step's is of every line that market and account \
compute in it (`stresscube kernel` prints them), so that a change of the model shows. How units \
are converted and how outcomes are summarised stands in neither. A run of several words is the \
scenario with settings laid over it; `stresscube claims --json` prints them, and all that was tried.
"""
RUN = re.compile(
    r"^\| ([\w-]+) \| ([\w-]+) \| .* \| `([0-9a-f]{12})` \| `([0-9a-f]{12})` \|$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Tested:
    """A claim with what was found. runs: (name, study, paths, seed, stamp)."""

    claim: Claim
    findings: tuple[Finding, ...]
    runs: tuple[tuple[str, Study, int, int, Stamp], ...]


def page(tested: Sequence[Tested]) -> str:
    """Return the page as Markdown."""
    parts = [HEAD, "## In short\n", _summary(tested)]
    parts += [_section(it) for it in tested]
    parts += ["## Runs\n", _runs(tested)]
    return "\n".join(parts)


def stale(text: str, claims: Iterable[Claim], folder: Path) -> list[str]:
    """Return in words what on a page was not run with scenarios and steps as they are now."""
    on_page = {(name, run): Stamp(*digests) for name, run, *digests in RUN.findall(text)}
    asked = {
        (claim.name, name): stamp(claim, study, folder)
        for claim in claims
        for name, study in claim.runs()
    }
    both = [it for it in asked if it in on_page]
    parts = {
        "not on it": [it for it in asked if it not in on_page],
        "no longer asked": [it for it in on_page if it not in asked],
        "another scenario": [it for it in both if on_page[it].scenario != asked[it].scenario],
        "other steps": [it for it in both if on_page[it].step != asked[it].step],
    }
    return [
        f"{what}: {', '.join(f'{name} ({run})' for name, run in found)}"
        for what, found in parts.items()
        if found
    ]


def unconditioned(text: str) -> list[str]:
    """Return the titles of a page's claims that fail somewhere without a condition."""
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return [it.partition("\n")[0] for it in sections if UNKNOWN in it]


def _summary(tested: Sequence[Tested]) -> str:
    lines = [f"| claim | {' | '.join(MARKETS.values())} |", "|---|" + "---|" * len(MARKETS)]
    for it in tested:
        cells: list[str] = []
        for market in MARKETS:
            found = [finding for finding in it.findings if finding.market is market]
            cells.append(_verdicts(found) if found else "")
        lines.append(f"| [{it.claim.title}](#{_anchor(it.claim.title)}) | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _verdicts(found: Sequence[Finding]) -> str:
    """Return the verdict on the whole, and what became of its parts if there are several."""
    whole = f"**{overall(found).value}**"
    if len(found) == 1:
        return whole
    numbers = Counter(finding.verdict for finding in found)
    parts = [f"{numbers[it]} {word}" for it, word in PARTS.items() if it in numbers]
    return f"{whole} ({', '.join(parts)})"


def _section(it: Tested) -> str:
    lines = [f"## {it.claim.title}\n", f"> {it.claim.sentence}\n", f"{it.claim.taken}\n"]
    lines += ["| market | figure | | verdict |", "|---|---|---:|---|"]
    for finding in it.findings:
        figure = "–" if finding.figure is None else written(finding.figure, finding.unit)
        lines.append(
            f"| {MARKETS[finding.market]} | {_cell(finding.question)} | {figure} "
            f"| **{finding.verdict.value}** |"
        )
    said: set[str] = set()
    for question, group in groupby(sorted_by_question(it.findings), lambda one: one.question):
        lines += _under(question, tuple(group), said)
    return "\n".join(lines) + "\n"


def sorted_by_question(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings with the markets of a question next to each other, else as they were."""
    places = [it.question for it in findings]
    return sorted(findings, key=lambda it: places.index(it.question))


def _under(question: str, group: Sequence[Finding], said: set[str]) -> list[str]:
    """Return what stands under a table of one question: why, and each market with its condition.

    said: reasons that stand there already; one that is new is added.
    """
    why = next((it.why for it in group if it.why not in ("", *said)), "")
    said.add(why)
    lines = ["", f"*{question[:1].upper()}{question[1:]}.* {_sentence(why) if why else ''}".strip()]
    found = [(it.market, (it.depends, condition(it))) for it in group]
    bullets = [
        f"- {MARKETS[market].capitalize()}: {' '.join(_sentence(it) for it in parts if it)}"
        for market, parts in found
        if any(parts)
    ]
    return [*lines, "", *bullets] if bullets else lines


def _sentence(text: str) -> str:
    """Return a text that begins with a capital and ends with a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def _runs(tested: Sequence[Tested]) -> str:
    lines = [RUNS, "| claim | run | scenario | paths | seed | scenario's digest | step's |"]
    lines.append("|---|---|---|---:|---:|---|---|")
    for it in tested:
        for name, study, paths, seed, of in it.runs:
            file = study.file or f"{it.claim.name}.toml"
            lines.append(
                f"| {it.claim.name} | {name} "
                f"| {file} | {paths:,} | {seed} "
                f"| `{of.scenario}` | `{of.step}` |"
            )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _anchor(title: str) -> str:
    """Return what a heading is linked by: small letters, spaces as hyphens, no other signs."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
