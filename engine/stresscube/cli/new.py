"""`stresscube new`: a commented scenario to start from."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from pathlib import Path

from rich.markup import escape

from stresscube.cli.as_json import emit
from stresscube.cli.console import console
from stresscube.errors import RunError, StresscubeError
from stresscube.templates import PRICES_OF, TEMPLATES, prices, text
from stresscube.text import suggest

NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}")


def new(path: Path | None, *, template: str, as_json: bool = False) -> None:
    """Write a scenario, and the prices that it reads if it is a replay; overwrite nothing.

    Raises StresscubeError for an unknown template, a name that no scenario may have, and files
    that are there already; RunError where nothing can be written.
    """
    if template not in TEMPLATES:
        names = f"must be one of {', '.join(TEMPLATES)}{suggest(template, TEMPLATES)}"
        raise StresscubeError(f"--template {template}: {names}")
    path = path if path is not None else Path(template)
    name = path.name.removesuffix(".toml")
    if not NAME.fullmatch(name):
        raise StresscubeError(f'{path}: the name may have letters, digits, "-", "_" and "."')
    contents: dict[Path, Iterable[str]] = {path.with_name(f"{name}.toml"): [text(template, name)]}
    if template in PRICES_OF:
        contents[path.with_name(f"{name}-prices.csv")] = prices(template)
    there = [file for file in contents if file.exists()]
    if there:
        raise StresscubeError(
            "\n".join(f"{it}: is there already; give another name" for it in there)
        )
    for file, lines in contents.items():
        _write(file, lines)
    scenario, *others = contents
    if as_json:
        emit({"scenario": scenario, "template": template, "others": others})
        return
    out = console()
    out.print(escape(f"{scenario}: {TEMPLATES[template]}"), soft_wrap=True)
    for file in others:
        out.print(escape(f"{file}: made-up prices; put your own in their place"), soft_wrap=True)
    out.print(f"\n[bold]next[/]:\n  stresscube check {escape(shlex.quote(str(scenario)))}")
    out.print(f"  stresscube run {escape(shlex.quote(str(scenario)))}", soft_wrap=True)


def _write(file: Path, lines: Iterable[str]) -> None:
    try:
        with file.open("x", encoding="utf-8", newline="") as opened:
            opened.writelines(lines)
    except OSError as error:
        raise RunError(f"{file}: cannot be written: {error.strerror or error}") from error
