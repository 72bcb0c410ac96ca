"""A claim's scenario in another market: the text of one file with the [market] of another."""

from __future__ import annotations

import re

HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z_]\w*)")


def with_market(text: str, other: str) -> str:
    """Return a scenario's text with its market tables replaced by those of another text.

    Axes of [sweep] over the old market, lines that begin with `"market.`, go with it. Both texts
    must write their market as tables ([market], [[market.regimes]] ...), as the files of
    scenarios/claims do. Comments over a header go with it.
    """
    kept = "".join(words for name, words in sections(text) if name != "market")
    kept = "".join(it for it in kept.splitlines(keepends=True) if not it.startswith('"market.'))
    market = "".join(words for name, words in sections(other) if name == "market")
    return f"{kept.rstrip()}\n\n{market.strip()}\n"


def sections(text: str) -> list[tuple[str, str]]:
    """Return the parts of a TOML text in order, each with the first key of its header.

    What stands before the first header has the name "".
    """
    found: list[tuple[str, list[str]]] = [("", [])]
    waiting: list[str] = []
    for line in text.splitlines(keepends=True):
        header = HEADER.match(line)
        if header:
            found.append((header[1], [*waiting, line]))
            waiting = []
        elif not line.strip() or line.lstrip().startswith("#"):
            waiting.append(line)
        else:
            found[-1][1].extend([*waiting, line])
            waiting = []
    found[-1][1].extend(waiting)
    return [(name, "".join(lines)) for name, lines in found]
