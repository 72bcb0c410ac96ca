"""The sentence under a table that says where a claim holds: with figures, and nothing left out."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from stresscube.claims.claim import Finding
from stresscube.claims.trial import Trial
from stresscube.claims.units import Unit
from stresscube.claims.verdicts import Verdict
from stresscube.claims.words import written

UNKNOWN = "No condition is known under which it would hold"
"""What stands on a page of a claim that fails and says no more; `lacking` finds it there."""


def condition(finding: Finding) -> str:
    """Return where a claim holds and where not, of all that was tried; "" if nothing was."""
    parts: list[str] = []
    held = [it for it in finding.tried if it.holds]
    if held:
        near = finding.verdict in (Verdict.HOLDS, Verdict.ONLY_IF)
        start = "It holds" if near else "It would hold"
        start = start if finding.stated is Verdict.HOLDS else f"**{start}**"
        parts.append(f"{start} {_listed(held, finding.unit)}")
    if finding.never:
        parts.append(f"**It cannot hold** {finding.never}")
    elif not held and finding.stated is not Verdict.HOLDS:
        parts.append(f"**{UNKNOWN}**")
    for verdict, word in ((Verdict.UNSETTLED, "Not settled"), (Verdict.FAILS, "Not")):
        rest = [it for it in finding.tried if it.verdict is verdict]
        parts += [f"{word} {_listed(rest, finding.unit)}"] if rest else []
    return ". ".join(parts)


def lacking(findings: Iterable[Finding]) -> list[str]:
    """Return the findings that fail without a condition, in words."""
    return [
        f"{it.question} ({it.market.value}: {it.verdict.value})"
        for it in findings
        if not it.conditioned
    ]


def _listed(trials: Iterable[Trial], unit: Unit) -> str:
    """Return trials with their figures, each place once."""
    groups: list[str] = []
    for place, group in groupby(trials, lambda it: it.place):
        words = ", ".join(f"{it.label} ({written(it.figure, unit)})".strip() for it in group)
        groups.append(f"{place} {words}".strip())
    return "; ".join(groups)
