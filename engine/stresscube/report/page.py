"""The page itself: a template, its style, its script, the plotting library and the numbers."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from html import unescape
from importlib.resources import files
from pathlib import Path

import xarray as xr
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stresscube.errors import RunError
from stresscube.report.answer import answer
from stresscube.report.asked import assumptions, grid, setting
from stresscube.report.compared import compared
from stresscube.report.maps import describe_dims, heat_maps
from stresscube.report.pack import script_json
from stresscube.report.provenance import provenance
from stresscube.report.recommended import Goal, recommended
from stresscube.show import rank
from stresscube.where import Where, select

LIBRARY = "vendor/plotly-cartesian.min.js"
SCRIPTS = ("common.js", "controls.js", "maps.js", "compared.js", "start.js")


@dataclass(frozen=True, slots=True)
class Asked:
    """The question of a page, as `stresscube show` takes it.

    goal: what `stresscube recommend` is to answer at its head; nothing unless given.
    """

    where: Where = field(default_factory=dict[str, list[str]])
    max_liquidation: float = 0.01
    by: str = "sharpe"
    top: int = 10
    goal: Goal | None = None


def page(summary: xr.Dataset, asked: Asked | None = None) -> str:
    """Return the report of a run as one HTML document that loads nothing else.

    The same cube and question give the same page, byte for byte.
    Raises StresscubeError where `stresscube show` would.
    """
    asked = asked or Asked()
    ranking = rank(
        summary,
        where=asked.where,
        max_liquidation=asked.max_liquidation,
        by=asked.by,
        top=asked.top,
    )
    goal = asked.goal
    advised = recommended(summary, goal, asked.where, asked.top) if goal is not None else None
    data = select(summary, asked.where)
    maps = heat_maps(data, asked.by, asked.max_liquidation)
    details = compared(data, ranking)
    content = {
        "by": asked.by,
        "limit": asked.max_liquidation,
        "extents": describe_dims(data),
        "maps": maps.content,
        "compared": details,
    }
    library, script = _text(LIBRARY), "\n".join(map(_text, SCRIPTS))
    return _environment().get_template("page.html.jinja").render(
        name=str(summary.attrs.get("name", "")),
        description=" ".join(str(summary.attrs.get("description", "")).split()),
        answer=answer(ranking),
        recommended=advised,
        setting=setting(data),
        grid=grid(summary, data),
        assumptions=assumptions(str(summary.attrs.get("scenario", ""))),
        overrides=[str(it) for it in summary.attrs.get("overrides", [])],
        maps=maps,
        details=details,
        limit=f"{asked.max_liquidation:g}",
        provenance=provenance(summary),
        policy=_policy(library, script),
        style=Markup(_text("page.css")),
        library=Markup(library),
        script=Markup(script),
        data=Markup(script_json(content)),
    )  # fmt: skip


def sections(text: str) -> list[str]:
    """Return the titles of a page's sections and pictures, in their order."""
    found = re.findall(r'<h[23] id="[^"]*">([^<]*)</h[23]>', text)
    return [unescape(title) for title in found]


def write(text: str, path: Path) -> None:
    """Write a page.

    Raises RunError if the file cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{path}: cannot be written: {error.strerror or error}") from error


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("stresscube.report", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _text(name: str) -> str:
    """Return a file of the page. No script of ours may end its element early."""
    return (files("stresscube.report") / "assets" / name).read_text(encoding="utf-8")


def _policy(*scripts: str) -> str:
    """Return a content security policy: these scripts, no other, and nothing from a network.

    Even a text that got past the template's escaping could then run nothing.
    """
    known = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {known}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
