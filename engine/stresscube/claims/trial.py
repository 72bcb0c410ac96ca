"""Looking for the setting under which a claim would hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from stresscube.claims.claim import Unit
from stresscube.claims.estimate import Estimate
from stresscube.claims.verdicts import Verdict
from stresscube.claims.words import written


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting that was tried: its name, the figure there, and the verdict there."""

    label: str
    figure: Estimate
    verdict: Verdict

    @property
    def holds(self) -> bool:
        """Whether the claim holds there."""
        return self.verdict is Verdict.HOLDS


def tried(
    settings: Iterable[tuple[str, Estimate]], rule: Callable[[Estimate], Verdict]
) -> list[Trial]:
    """Return what a rule says of each named figure."""
    return [Trial(label, figure, rule(figure)) for label, figure in settings]


def found(trials: Sequence[Trial], unit: Unit, what: str) -> str:
    """Return in words where the claim holds among the settings tried, with all their figures."""
    where = [it.label for it in trials if it.holds]
    start = f"It holds {what} {', '.join(where) or 'none of those tried'}"
    figures = "; ".join(f"{it.label}: {written(it.figure, unit)}" for it in trials)
    return f"{start} ({figures})"
