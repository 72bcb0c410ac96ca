"""Settings under which a claim is tried that does not hold as it stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stresscube.claims.estimate import Estimate
from stresscube.claims.verdicts import Verdict


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting that was tried, the figure there, and the verdict there.

    place and label: as they follow "It holds": `at`, `20× for 40 days`; of several with one place
    it is written once. altered: whether the market is another than the one that was asked about,
    and not only its trader or its venue.
    """

    place: str
    label: str
    figure: Estimate
    verdict: Verdict
    altered: bool = False

    @property
    def holds(self) -> bool:
        """Whether the claim holds there."""
        return self.verdict is Verdict.HOLDS


def tried(
    place: str,
    settings: Iterable[tuple[str, Estimate]],
    rule: Callable[[Estimate], Verdict],
    *,
    altered: bool = False,
) -> tuple[Trial, ...]:
    """Return what a rule says of each named figure."""
    return tuple(Trial(place, label, figure, rule(figure), altered) for label, figure in settings)
