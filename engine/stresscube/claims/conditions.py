"""The sentence under a table that says where a claim holds: with figures, and nothing left out."""

from __future__ import annotations

from collections.abc import Iterable

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
        word = "would hold" if finding.verdict is Verdict.FAILS else "holds"
        start = f"It {word}" if finding.stated is Verdict.HOLDS else f"**It {word}**"
        parts.append(f"{start} {_listed(held, finding.unit)}")
    if finding.never:
        parts.append(f"**It cannot hold** {finding.never}")
    elif not held and finding.stated is not Verdict.HOLDS:
        parts.append(f"**{UNKNOWN}**")
    for verdict, word in ((Verdict.UNSETTLED, "not settled"), (Verdict.FAILS, "not")):
        rest = [it for it in finding.tried if it.verdict is verdict]
        parts += [f"{word} {_listed(rest, finding.unit)}"] if rest else []
    return "; ".join(parts)


def lacking(findings: Iterable[Finding]) -> list[str]:
    """Return the findings that fail without a condition, in words."""
    return [
        f"{it.question} ({it.market.value}: {it.verdict.value})"
        for it in findings
        if not it.conditioned
    ]


def _listed(trials: Iterable[Trial], unit: Unit) -> str:
    return ", ".join(f"{it.label} ({written(it.figure, it.unit or unit)})" for it in trials)
