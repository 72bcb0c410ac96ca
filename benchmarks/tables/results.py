"""The lines that benchmarks left, and numbers as tables show them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent.parent / "results"


def read(folder: Path) -> list[dict[str, Any]]:
    """Return every line of the folder's JSON-lines files, oldest first within a file."""
    files = sorted(folder.glob("*.jsonl"))
    texts = (line for file in files for line in file.read_text().splitlines() if line.strip())
    return [json.loads(text) for text in texts]


def significant(value: float) -> str:
    """Three significant digits, no exponent, no false zeros."""
    if value >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    return f"{value:.{2 if value < 10 else 1}f}" if value >= 1 else f"{value:.3g}"
