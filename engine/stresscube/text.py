"""Numbers, sizes and suggestions as short text, for tables, pictures and messages."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Sequence

MISSING = "–"


def suggest(word: str, allowed: Iterable[str]) -> str:
    """Return '; did you mean X?' for the allowed word nearest to `word`, or ''."""
    known = {name.lower(): name for name in allowed}
    near = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.5)
    return f"; did you mean {known[near[0]]}?" if near else ""


def listing(names: Iterable[object], most: int = 12) -> str:
    """Return 'a, b, c', cut after `most` entries with the number left out."""
    words = [label(name) for name in names]
    if len(words) <= most:
        return ", ".join(words)
    return ", ".join(words[: most - 1]) + f", ... ({len(words) - most + 1} more)"


def label(value: object, digits: int = 6) -> str:
    """Return a coordinate value as a user would type it: 10, 0.85, inf, C."""
    if isinstance(value, bool | str):
        return str(value)
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return str(value)
    return f"{number:.{digits}g}"


def round_up(number: float) -> int:
    """Return a number rounded up to two significant digits: 31,400 becomes 32,000."""
    unit = 10 ** max(math.floor(math.log10(max(number, 1.0))) - 1, 0)
    return math.ceil(number / unit) * unit


def error_digits(error: float) -> int:
    """Return to how many decimals a value with this standard error is worth stating.

    One significant digit of the error, two if it begins with a 1. Negative for errors of 20
    and more.
    """
    exponent = math.floor(math.log10(error))
    return -exponent + (1 if error / 10.0**exponent < 1.95 else 0)


def uncertain(value: float, error: float | None = None) -> tuple[str, str]:
    """Return a value and its error as text, both to the digits that the error allows.

    An unknown or zero error gives the value to four digits and ''.
    """
    if math.isnan(value):
        return MISSING, ""
    if error is None or not math.isfinite(error) or error <= 0 or math.isinf(value):
        return f"{value:.4g}", ""
    digits = error_digits(error)
    if digits > 7 or digits < -6:
        return f"{value:.3g}", f"{error:.1g}"
    return fixed(value, digits), fixed(error, digits)


def uncertain_column(values: Sequence[float], errors: Sequence[float]) -> list[tuple[str, str]]:
    """Return values with errors for one column, to the same decimals if they nearly agree."""
    pairs = list(zip(values, errors, strict=True))
    known = [math.isfinite(v) and math.isfinite(e) and e > 0 for v, e in pairs]
    digits = [error_digits(e) for (_, e), good in zip(pairs, known, strict=True) if good]
    if not digits or max(digits) - min(digits) > 1 or not -6 <= max(digits) <= 7:
        return [uncertain(v, e) for v, e in pairs]
    most = max(digits)
    return [
        (fixed(v, most), fixed(e, most)) if good else uncertain(v, e)
        for (v, e), good in zip(pairs, known, strict=True)
    ]


def fixed(value: float, digits: int) -> str:
    """Return `value` rounded to `digits` decimals; negative digits round before the point."""
    rounded = round(value, digits) + 0.0  # + 0.0 turns -0.0 into 0.0
    return f"{rounded:,.{max(digits, 0)}f}"


def count(number: float) -> str:
    """Return a large count with three digits and a prefix: 1.23 G, 45.6 M, 789."""
    for size, prefix in ((1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(number) >= size * 0.9995:
            return f"{number / size:.3g}{prefix}"
    return f"{number:.3g}"


def plural(number: int, noun: str) -> str:
    """Return '1 block', '1,200 blocks'; the plural is regular."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def data_size(number: float) -> str:
    """Return a number of bytes in decimal units: 4.2 GB."""
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.0f} B"


def time_span(seconds: float) -> str:
    """Return a duration for people: 0.4 s, 12 s, 3 min 20 s, 2 h 05 min."""
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
