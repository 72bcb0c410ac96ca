"""docs/claims.md: verdicts, the figures that they were computed from, and what they depend on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stresscube.claims.claim import Claim, Finding, Market, Study, overall
from stresscube.claims.studies import stamp
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
it is stated and does under another reading or setting that was tried; the text under the \
table says which, and lists all that were tried, since each had its chance. Beside the verdict \
on the whole stands what became of its parts. ± is one standard error; differences and ratios \
are paired, on the same paths.

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
RUN = re.compile(r"^\| ([\w-]+) \| ([\w-]+) \| .* \| `([0-9a-f]{12})` \|$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Tested:
    """A claim with what was found. runs: (name, study, paths, seed, stamp)."""

    claim: Claim
    findings: tuple[Finding, ...]
    runs: tuple[tuple[str, Study, int, int, str], ...]


def page(tested: Sequence[Tested]) -> str:
    """Return the page as Markdown."""
    parts = [HEAD, "## In short\n", _summary(tested)]
    parts += [_section(it) for it in tested]
    parts += ["## Runs\n", _runs(tested)]
    return "\n".join(parts)


def stale(text: str, claims: Iterable[Claim], folder: Path) -> list[str]:
    """Return what on a page was not run with the scenarios as they are now, as `claim (market)`."""
    on_page = {(name, market): digest for name, market, digest in RUN.findall(text)}
    asked = {
        (claim.name, name): stamp(claim, study, folder)
        for claim in claims
        for name, study in claim.runs()
    }
    changed = [it for it in asked if on_page.get(it) != asked[it]]
    changed += [it for it in on_page if it not in asked]
    return [f"{name} ({market})" for name, market in changed]


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
    lines.append("")
    lines += [
        f"- {MARKETS[finding.market].capitalize()}, {finding.question}: {finding.depends}."
        for finding in it.findings
        if finding.depends
    ]
    return "\n".join(lines) + "\n"


def _runs(tested: Sequence[Tested]) -> str:
    lines = ["| claim | run | scenario | paths | seed | digest |", "|---|---|---|---:|---:|---|"]
    for it in tested:
        for name, study, paths, seed, digest in it.runs:
            file = study.file or f"{it.claim.name}.toml"
            lines.append(
                f"| {it.claim.name} | {name} "
                f"| [{file}](../scenarios/claims/{file}) | {paths:,} | {seed} | `{digest}` |"
            )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _anchor(title: str) -> str:
    """Return what a heading is linked by: small letters, spaces as hyphens, no other signs."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
