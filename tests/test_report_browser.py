"""The page of `stresscube report` in a real browser: it draws, moves, fits and stays silent."""

from __future__ import annotations

import json
import math
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import report_cubes
from browser import Page, chromium
from stresscube.report import Asked, Goal, page, write
from stresscube.show import rank
from stresscube.text import uncertain

pytestmark = pytest.mark.needs("chromium")

PHONE: dict[str, Any] = {"width": 390, "height": 844, "mobile": True}
DESK: dict[str, Any] = {"width": 1280, "height": 900}
HEAT = "document.querySelector('#map .plot').data.find((trace) => trace.type === 'heatmap').z"


@pytest.fixture(scope="module")
def cube() -> xr.Dataset:
    return report_cubes.whole()


@pytest.fixture(scope="module")
def tab() -> Generator[Page]:
    with chromium() as it:
        yield it


@pytest.fixture(scope="module")
def file(cube: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write(page(cube), path)
    return path


def fresh(tab: Page, path: Path, **look: Any) -> Page:
    """Open a page in a window of that look; what earlier pages said is forgotten."""
    tab.look(**{**DESK, **look})
    tab.complaints.clear()
    tab.requests.clear()
    tab.open(path)
    return tab


def put(tab: Page, name: str, value: object) -> None:
    """Move a slider or choose from a select, as a reader does."""
    tab.evaluate(
        f"(() => {{ const it = document.getElementById({json.dumps(name)}); it.value = '{value}'; "
        "it.dispatchEvent(new Event('input')); it.dispatchEvent(new Event('change')); })()"
    )


def shown(tab: Page) -> np.ndarray:
    """Return the heat map's cells, NaN where there is none."""
    rows = tab.evaluate(HEAT)
    return np.array([[math.nan if it is None else it for it in row] for row in rows])


def standing(tab: Page) -> dict[str, int]:
    """Return where each slider and select of an axis stands."""
    return tab.evaluate(
        "Object.fromEntries([...document.querySelectorAll('#map-controls [data-dim]')]"
        ".map((it) => [it.dataset.dim, Number(it.value)]))"
    )


def assert_shows(tab: Page, cube: xr.Dataset, metric: str, x: str, y: str) -> None:
    """Hold the heat map to the cube, wherever the sliders stand."""
    at = {dim: index for dim, index in standing(tab).items() if dim in cube[metric].dims}
    expected = cube[metric].isel(at).transpose(y, x).values.astype(np.float32)
    np.testing.assert_array_equal(shown(tab).astype(np.float32), expected)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_page_opens_in_silence_and_fits(
    tab: Page, file: Path, size: dict[str, Any], dark: bool
) -> None:
    fresh(tab, file, **size, dark=dark)
    tab.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
    tab.settle()
    assert tab.complaints == []
    assert [url for url in tab.requests if not url.startswith(("data:", "file:"))] == []
    assert tab.evaluate("document.documentElement.scrollWidth") <= size["width"]
    drawn = "document.querySelectorAll('.plot .main-svg').length"
    pictures = "document.querySelectorAll('.plot').length"
    assert tab.evaluate(f"{drawn} >= {pictures} && {pictures} === 9")
    widest = "Math.max(...[...document.querySelectorAll('.plot')].map((it) => it.scrollWidth))"
    assert tab.evaluate(widest) <= size["width"]


def test_the_recommendation_fits_a_phone(tab: Page, cube: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write(page(cube, Asked(goal=Goal(subject_to=("liquidation_probability<0.05",)))), path)
    fresh(tab, path, **PHONE, dark=True)
    assert tab.complaints == []
    assert tab.evaluate("document.querySelector('h2').textContent") == "Recommended"
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    inside = "document.querySelector('.policy').getBoundingClientRect().right"
    assert tab.evaluate(inside) <= PHONE["width"]


def test_the_first_picture_is_the_one_that_plot_draws(
    tab: Page, file: Path, cube: xr.Dataset
) -> None:
    from stresscube.plane import cut

    fresh(tab, file)
    plane = cut(cube, "liquidation_probability")
    expected = plane.values.astype(np.float32)
    np.testing.assert_array_equal(shown(tab).astype(np.float32), expected)
    words = "document.querySelector('#map .plot').layout.xaxis.ticktext"
    assert tab.evaluate(words) == list(plane.x.words)


def test_each_slider_changes_the_heat_map(tab: Page, file: Path, cube: xr.Dataset) -> None:
    fresh(tab, file)
    put(tab, "map-metric", "sharpe")
    sides = ("leverage", "hedge_ratio")
    names = standing(tab)
    assert set(names) == {"stress_correlation", "venue", "rebalance_threshold"}
    for dim, index in names.items():
        before = shown(tab)
        put(tab, f"map-{dim}", (index + 1) % cube.sizes[dim])
        assert not np.array_equal(before, shown(tab), equal_nan=True), dim
        assert_shows(tab, cube, "sharpe", *sides)
    assert tab.complaints == []


@pytest.mark.parametrize(
    ("metric", "x", "y"),
    [
        ("return_mean", "venue", "stress_correlation"),
        ("return_quantile", "quantile", "leverage"),
        ("survival", "time", "hedge_ratio"),
        ("regime_gain_quantile", "regime", "quantile"),
    ],
)
def test_any_two_axes_are_shown(
    tab: Page, file: Path, cube: xr.Dataset, metric: str, x: str, y: str
) -> None:
    fresh(tab, file)
    put(tab, "map-metric", metric)
    put(tab, "map-x", x)
    put(tab, "map-y", y)
    for dim, index in standing(tab).items():
        put(tab, f"map-{dim}", (index + 1) % cube.sizes[dim])
        assert_shows(tab, cube, metric, x, y)
    put(tab, "map-metric", "sharpe")
    caption = tab.evaluate("document.getElementById('map-caption').textContent")
    assert caption.startswith("Sharpe"), "a metric without that axis gets others"
    assert tab.complaints == []


def test_the_infeasible_region_is_hatched(tab: Page, file: Path, cube: xr.Dataset) -> None:
    fresh(tab, file)
    hatch = (
        "(() => { const it = document.querySelector('#map .plot').data"
        ".find((trace) => trace.fillpattern); return [it.x, it.y]; })()"
    )
    x, y = tab.evaluate(hatch)
    corners = {(x[at] + 0.5, y[at] + 0.5) for at in range(0, len(x), 6)}
    feasible = cube["feasible"].isel(standing(tab)).transpose("hedge_ratio", "leverage").values
    assert corners == {(column, row) for row, column in np.argwhere(~feasible).tolist()}
    assert corners
    patterns = "document.querySelectorAll('#map pattern').length"
    assert tab.evaluate(patterns) > 0
    assert "infeasible" in tab.evaluate("document.getElementById('map-key').textContent")


def test_the_line_parts_cells_beyond_the_limit(tab: Page, file: Path, cube: xr.Dataset) -> None:
    fresh(tab, file)
    line = (
        "document.querySelector('#map .plot').data.filter((trace) => trace.mode === 'lines' "
        "&& !trace.fillpattern).map((trace) => trace.x.length)"
    )
    at = cube["liquidation_probability"].isel(standing(tab)).transpose("hedge_ratio", "leverage")
    over, known = (at > 0.01).values, at.notnull().values
    edges = (over[1:] != over[:-1]) & known[1:] & known[:-1]
    sideways = (over[:, 1:] != over[:, :-1]) & known[:, 1:] & known[:, :-1]
    assert tab.evaluate(line) == [3 * int(edges.sum() + sideways.sum())] * 2


def test_values_are_written_as_python_writes_them(tab: Page, file: Path) -> None:
    fresh(tab, file)
    rng = np.random.default_rng(3)
    sizes = 10.0 ** rng.uniform(-9, 7, (2, 500))
    values = np.append(sizes[0] * rng.choice([-1, 1], 500), [0.0, -0.0, math.nan, math.inf, 0.5])
    errors = np.append(sizes[1], [0.01, 0.01, 0.1, 1.0, 0.0])
    pairs = [[str(value), str(error)] for value, error in zip(values, errors, strict=True)]
    expression = (
        f"{json.dumps(pairs)}.map(([value, error]) => uncertain(number(value), number(error)))"
    )
    number = "const number = (it) => it === 'inf' ? Infinity : Number(it);"
    found = tab.evaluate(f"(() => {{ {number} return {expression}; }})()")
    expected = [list(uncertain(float(v), float(e))) for v, e in zip(values, errors, strict=True)]
    assert found == expected


def test_the_closer_look_follows_its_slider_and_boxes(
    tab: Page, file: Path, cube: xr.Dataset
) -> None:
    fresh(tab, file)
    lines = (
        "document.querySelector('[data-chart=survival] .plot').data"
        ".filter((trace) => trace.hovertemplate).map((trace) => trace.y)"
    )
    best = rank(cube).policies
    for market in (0, 2):
        put(tab, "compared-stress_correlation", market)
        found = tab.evaluate(lines)
        assert len(found) == 3
        for row, line in enumerate(found):
            cell = cube["survival"].sel({str(dim): best[dim].values[row] for dim in best.coords})
            expected = cell.isel(stress_correlation=market).values.astype(np.float32)
            np.testing.assert_array_equal(np.array(line, np.float32), expected)
    tab.evaluate("document.getElementById('policy-4').click()")
    assert len(tab.evaluate(lines)) == 4
    for row in (0, 1, 2, 4):
        tab.evaluate(f"document.getElementById('policy-{row}').click()")
    assert tab.evaluate(lines) == []
    assert tab.complaints == []


def test_every_picture_has_error_bars(tab: Page, file: Path) -> None:
    fresh(tab, file)
    charts = tab.evaluate(
        "Object.fromEntries([...document.querySelectorAll('figure.chart')].map((it) => "
        "[it.dataset.chart, it.querySelector('.plot').data.some((trace) => trace.fillcolor || "
        "(trace.error_x?.array ?? []).some((error) => error > 0))]))"
    )
    assert len(charts) == 8
    assert all(charts.values()), charts


def test_numbers_stand_under_a_picture_that_is_opened(tab: Page, file: Path) -> None:
    fresh(tab, file)
    cells = "document.querySelectorAll('#map .numbers td').length"
    assert tab.evaluate(cells) == 0
    tab.evaluate("document.querySelector('#map details').open = true")
    tab.until(f"{cells} === 5 * 6")
    text = "document.querySelector('#map .numbers td:nth-child(2)').textContent"
    before = tab.evaluate(text)
    assert "±" in before
    put(tab, "map-metric", "sharpe")
    assert tab.evaluate(text) != before


def test_the_dark_theme_is_drawn_in_its_colours_at_once(tab: Page, file: Path) -> None:
    fresh(tab, file)
    ground = "getComputedStyle(document.body).backgroundColor"
    ink = "document.querySelector('#map .plot').layout.font.color"
    light = tab.evaluate(f"[{ground}, {ink}]")
    tab.look(**DESK, dark=True)
    tab.until(f"{ink} !== '{light[1]}'")
    assert tab.evaluate(f"[{ground}, {ink}]") == ["rgb(20, 23, 28)", "#e7eaee"]
    assert light == ["rgb(255, 255, 255)", "#1b1f24"]


def test_pictures_follow_the_width(tab: Page, file: Path) -> None:
    fresh(tab, file)
    tab.look(**PHONE)
    tab.until("document.querySelector('#map .main-svg').clientWidth <= 390")
    tab.settle()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.complaints == []


@pytest.mark.parametrize("picture", ["#map", "[data-chart=account]"])
def test_a_finger_on_a_picture_scrolls_the_page(tab: Page, file: Path, picture: str) -> None:
    fresh(tab, file, **PHONE)
    tab.send("Emulation.setTouchEmulationEnabled", enabled=True, maxTouchPoints=1)
    tab.evaluate(f"document.querySelector('{picture} .plot').scrollIntoView()")
    before = tab.evaluate("scrollY")
    assert before > 500
    inside = f"document.elementFromPoint(200, 60).closest('{picture} .plot') !== null"
    assert tab.evaluate(inside)
    for kind, points in (
        ("touchStart", [{"x": 200, "y": 60}]),
        *(("touchMove", [{"x": 200, "y": 60 + 30 * step}]) for step in range(1, 11)),
        ("touchEnd", []),
    ):
        tab.send("Input.dispatchTouchEvent", type=kind, touchPoints=points)
    tab.until(f"scrollY < {before - 100}")
    tab.send("Emulation.setTouchEmulationEnabled", enabled=False)
    assert tab.complaints == []


def test_hostile_texts_do_nothing(tab: Page, tmp_path: Path) -> None:
    path = tmp_path / "hostile.html"
    write(page(report_cubes.hostile()), path)
    fresh(tab, path)
    tab.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
    for metric in ("regime_gain_quantile", "sharpe"):
        put(tab, "map-metric", metric)
    put(tab, "map-x", "venue")
    tab.settle()
    assert tab.complaints == []
    assert tab.evaluate("document.scripts.length") == 3
    assert tab.evaluate("document.querySelectorAll('img, a').length") == 0
    assert tab.evaluate("document.querySelector('h1').textContent") == report_cubes.HOSTILE
    ticks = "[...document.querySelectorAll('#map .xtick text')].map((it) => it.textContent)"
    assert tab.evaluate(ticks) == [f"{report_cubes.HOSTILE}{name}" for name in "ABC"]


def test_a_cube_of_one_axis_is_a_curve_with_error_bars(tab: Page, tmp_path: Path) -> None:
    cube = report_cubes.whole({"leverage": [2.0, 5.0, 10.0]}, regimes=())
    path = tmp_path / "one.html"
    write(page(cube), path)
    fresh(tab, path)
    trace = "document.querySelector('#map .plot').data[0]"
    expected = cube["liquidation_probability"].values.astype(np.float32)
    np.testing.assert_array_equal(np.array(tab.evaluate(f"{trace}.y"), np.float32), expected)
    errors = cube["liquidation_probability_se"].values.astype(np.float32)
    found = tab.evaluate(f"[...{trace}.error_y.array]")
    np.testing.assert_array_equal(np.array(found, np.float32), errors)
    put(tab, "map-metric", "return_quantile")
    assert shown(tab).shape == (9, 3)
    put(tab, "map-metric", "sharpe")
    assert len(tab.evaluate(f"{trace}.y")) == 3
    assert tab.complaints == []
