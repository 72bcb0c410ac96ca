"""What a claim is: a sentence, the runs that test it, and how figures become findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from stresscube.claims.cells import Cube
from stresscube.claims.estimate import Estimate
from stresscube.claims.trial import Trial
from stresscube.claims.units import Unit
from stresscube.claims.verdicts import Verdict, every, or_only_if

__all__ = ["Claim", "Finding", "Judge", "Market", "Study", "Unit", "overall"]


class Market(Enum):
    """In which market a claim is tested."""

    ARTICLE = "article"
    PAIR = "pair"
    BASIS = "basis"

    @property
    def file(self) -> str | None:
        """The scenario whose [market] takes the place of the claim's own, if any."""
        return None if self is Market.ARTICLE else f"markets/{self.value}.toml"

    @property
    def real(self) -> bool:
        """Whether it was calibrated to recorded prices."""
        return self is not Market.ARTICLE


@dataclass(frozen=True, slots=True)
class Study:
    """One run: a claim's scenario in one market.

    settings: "key=value" laid over it, for what the market names otherwise or a variant changes.
    file: the scenario, if it is not named as the claim is. variants: further runs that are judged
    together with this one, by name.
    """

    market: Market = Market.ARTICLE
    settings: tuple[str, ...] = ()
    file: str | None = None
    variants: tuple[tuple[str, Study], ...] = ()

    def runs(self, name: str = "") -> Iterator[tuple[str, Study]]:
        """Yield this run and its variants; the name is the market's, then the variant's."""
        own = name or self.market.value
        yield own, self
        for variant, study in self.variants:
            yield from study.runs(f"{own}-{variant}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of a claim, judged in one market.

    question: what was compared. figure: None where this market cannot put it to the test. stated:
    the verdict on the claim as it stands. why: the reason, the same in every market, without
    results. depends: what hangs on this market; its numbers are formatted from results. tried:
    every other setting that was tried. never: why none can make it hold as it stands, a proof and
    no result; empty where one can.
    """

    market: Market
    question: str
    figure: Estimate | None
    unit: Unit
    stated: Verdict
    depends: str = ""
    why: str = ""
    tried: tuple[Trial, ...] = ()
    never: str = ""

    @property
    def verdict(self) -> Verdict:
        """The verdict, with what was tried.

        A claim that holds under another reading, policy or venue holds only if. So it does in the
        article's market if that is altered, which is made up as it is; of a market that was
        measured an altered one says nothing.
        """
        near = (it for it in self.tried if not (it.altered and self.market.real))
        return or_only_if(self.stated, (it.verdict for it in near))

    @property
    def conditioned(self) -> bool:
        """Whether it holds as stated, or is known where it would, or why it cannot."""
        if self.stated is Verdict.HOLDS:
            return True
        return bool(self.never) or any(it.holds for it in self.tried)


Judge = Callable[[Cube], Iterable[Finding]]
"""From the cube of one market to what it says."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim of the article that can be put to a test.

    name: also of its scenario file. sentence: the article's words. taken: how the sentence is
    taken, so that it can be tested; no results.
    """

    name: str
    title: str
    sentence: str
    taken: str
    studies: tuple[Study, ...]
    judge: Judge

    def runs(self) -> Iterator[tuple[str, Study]]:
        """Yield all runs of the claim with their names."""
        for study in self.studies:
            yield from study.runs()

    def findings(self, cubes: Iterable[Cube]) -> tuple[Finding, ...]:
        """Judge the claim in every market that was run."""
        return tuple(it for cube in cubes for it in self.judge(cube))


def overall(findings: Iterable[Finding]) -> Verdict:
    """Return the verdict on a claim as a whole: all its parts must hold."""
    return every(it.verdict for it in findings)
