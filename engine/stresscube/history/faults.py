"""What is wrong with a file of data, in one sentence."""

from __future__ import annotations

from stresscube.errors import StresscubeError


class HistoryError(StresscubeError):
    """Recorded data cannot be used. str() is one line: the file, what is wrong, what to do."""

    def __init__(self, source: str, sentence: str) -> None:
        super().__init__(f"{source}: {sentence}")
        self.source = source
        self.sentence = sentence
