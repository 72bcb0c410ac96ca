"""What a long command tells while it goes on: a live bar on a terminal, lines in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

from stresscube.cli.console import console

if TYPE_CHECKING:
    from stresscube.optimise.optimise import Tell


def telling(*, quiet: bool) -> Bar | Lines:
    """Return what to tell in a `with`; it ends the bar."""
    return Bar() if not quiet and console(stderr=True).is_terminal else Lines(quiet=quiet)


class Lines:
    """A line for each stage, for logs."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._last = quiet, ""

    def __enter__(self) -> Tell:
        return self._tell

    def __exit__(self, *_: object) -> None: ...

    def _tell(self, words: str, _share: float) -> None:
        if words != self._last and not self._quiet:
            console(stderr=True).print(escape(words))
        self._last = words


class Bar:
    """A live bar."""

    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>3.0f}%"),
            console=console(stderr=True),
            transient=True,
            expand=True,
        )
        self._task = self._progress.add_task("", total=1.0)

    def __enter__(self) -> Tell:
        self._progress.start()
        return self._tell

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def _tell(self, words: str, share: float) -> None:
        self._progress.update(self._task, description=words, completed=share)
