"""The tables of keys in scenarios/README.md, written from the grammar.

`python -m stresscube.scenario.reference scenarios/README.md` renews them, and the JSON
Schema beside them, after the grammar has changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from stresscube.scenario.faults import toml
from stresscube.scenario.grammar import Key, children, keys
from stresscube.scenario.jsonschema import default_of, json_schema

BEGIN = "<!-- keys: written by stresscube.scenario.reference -->"
END = "<!-- end of keys -->"
SCHEMA = "scenario.schema.json"


def reference() -> str:
    """Markdown tables of every key: meaning, unit, range, default, example."""
    sections = [("The top of the file", "", "")]
    for entry in keys().values():
        if entry.model is not None:
            words = entry.info.description or ""
            sections.append((_heading(entry), entry.pattern, words))
    return "\n".join(_section(*section) for section in sections)


def renewed(readme: str) -> str:
    """The README with its tables written anew."""
    before, _, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{reference()}\n{END}{after}"


def schema_text() -> str:
    """The JSON Schema as the file beside the scenarios has it."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def main(readme: Path) -> None:
    """Renew the README's tables and the schema file beside it."""
    readme.write_text(renewed(readme.read_text(encoding="utf-8")), encoding="utf-8")
    (readme.parent / SCHEMA).write_text(schema_text(), encoding="utf-8")


def _heading(entry: Key) -> str:
    path = entry.pattern.replace("[]", "")
    if not entry.many:
        inline = "[]" in entry.pattern
        return f"`{path} = {{ ... }}`" if inline else f"`[{path}]`"
    inline = "[]" in entry.pattern[:-2]
    return f"`{path} = [{{ ... }}]`" if inline else f"`[[{path}]]`"


def _section(heading: str, pattern: str, words: str) -> str:
    lines = [f"### {heading}", ""]
    if words.strip():
        lines += [words.strip(), ""]
    lines += ["| key | meaning | unit | range | default | example |", "|---|---|---|---|---|---|"]
    lines += [_row(entry) for entry in children(pattern).values() if entry.leaf is not None]
    return "\n".join([*lines, ""])


def _row(entry: Key) -> str:
    assert entry.leaf is not None
    unit = {"": "–", "1": "1"}.get(entry.leaf.unit, entry.leaf.unit)
    meaning = entry.info.description or ""
    cells = [f"`{entry.word}`", meaning, unit, entry.leaf.allowed, _default(entry)]
    cells.append(f"`{toml(entry.example)}`")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(entry: Key) -> str:
    if entry.required:
        return "required"
    default = default_of(entry)
    return "none" if default is None else f"`{toml(default)}`"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
