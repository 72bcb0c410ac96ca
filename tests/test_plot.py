"""The plane of a heat map, and the picture drawn of it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import Normalize

import cubes
from stresscube.errors import RunError, StresscubeError
from stresscube.plane import Fixed, cut
from stresscube.plot import GAIN, LOSS, heat_map, readable_on, save


def texts(figure: object) -> list[str]:
    found = figure.findobj(lambda it: hasattr(it, "get_text"))  # type: ignore[attr-defined]
    return [it.get_text() for it in found if it.get_text()]


def test_the_plane_holds_the_cells_of_the_cube() -> None:
    cube = cubes.summary()
    where = {"venue": ["B"], "stress_correlation": ["0.6"], "rebalance_threshold": ["inf"]}
    plane = cut(cube, "sharpe", "leverage", "hedge_ratio", where=where)
    cells = cube["sharpe"].sel(venue="B", stress_correlation=0.6, rebalance_threshold=math.inf)
    np.testing.assert_array_equal(plane.values, cells.transpose("hedge_ratio", "leverage"))
    assert plane.x.words == ("2", "5", "10", "20", "50")
    assert plane.y.title == "hedge ratio"
    assert {str(fixed) for fixed in plane.fixed} == {
        "stress_correlation = 0.6",
        "venue = B",
        "rebalance_threshold = inf",
    }


def test_the_picture_turned_is_the_picture_transposed() -> None:
    cube = cubes.summary()
    one = cut(cube, "sharpe", "leverage", "hedge_ratio")
    other = cut(cube, "sharpe", "hedge_ratio", "leverage")
    np.testing.assert_array_equal(one.values, other.values.T)
    np.testing.assert_array_equal(one.over, other.over.T)
    assert one.fixed == other.fixed


def test_what_nobody_fixed_is_chosen_and_said() -> None:
    plane = cut(cubes.summary(), "max_drawdown_quantile", "leverage", "hedge_ratio")
    chosen = {fixed.dim: fixed for fixed in plane.fixed}
    assert chosen["stress_correlation"] == Fixed("stress_correlation", 0.3, "harshest")
    assert chosen["venue"].why == "highest cap"
    assert chosen["quantile"] == Fixed("quantile", 0.95, "bad side")
    assert "quantile = 0.95 (bad side)" in " ".join(texts(heat_map(plane)))


def test_a_market_axis_and_a_further_dim_can_be_sides() -> None:
    plane = cut(cubes.summary(), "max_drawdown_quantile", "stress_correlation", "quantile")
    assert plane.values.shape == (3, 3)
    assert plane.over.shape == plane.feasible.shape == (3, 3)


def test_sides_are_chosen_if_not_given() -> None:
    plane = cut(cubes.summary(), "sharpe")
    assert (plane.x.dim, plane.y.dim) == ("leverage", "hedge_ratio")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sharp", "leverage", "venue"), "no metric sharp; did you mean sharpe?"),
        (("sharpe", "leverge", "venue"), "x = leverge: no dim of sharpe; did you mean leverage?"),
        (("sharpe", "leverage", "batch"), "y = batch: no dim of sharpe"),
        (("sharpe", "leverage", "quantile"), "y = quantile: no dim of sharpe"),
        (("sharpe", "leverage", "leverage"), "are both leverage"),
    ],
)
def test_wrong_questions(arguments: tuple[str, str, str], message: str) -> None:
    with pytest.raises(StresscubeError) as caught:
        cut(cubes.summary(), *arguments)
    assert message in str(caught.value)


def test_one_dim_is_not_enough() -> None:
    with pytest.raises(StresscubeError, match="a heat map needs two dims, and sharpe has only"):
        cut(cubes.summary({"leverage": [2.0, 5.0]}), "sharpe")


def test_the_venue_that_caps_least_is_chosen_where_leverage_is_a_side() -> None:
    fixed = cut(cubes.summary(), "sharpe", "leverage", "stress_correlation").fixed
    assert Fixed("venue", "B", "highest cap") in fixed
    fixed = cut(cubes.summary(), "sharpe", "hedge_ratio", "stress_correlation").fixed
    assert "best" in {it.why for it in fixed if it.dim == "venue"}


def test_long_titles_stay_inside_the_picture() -> None:
    cube = cubes.summary({"stress_correlation": [0.9, 0.3], "leverage": [2.0, 5.0]})
    cube["stress_correlation"].attrs["long_name"] = "correlation of the legs in the regime stress"
    for sides in (("stress_correlation", "leverage"), ("leverage", "stress_correlation")):
        figure = heat_map(cut(cube, "sharpe", *sides))
        figure.canvas.draw()
        width, height = figure.get_size_inches() * figure.dpi
        axes = figure.axes[0]
        for title in (axes.xaxis.label, axes.yaxis.label):
            box = title.get_window_extent()
            assert box.x0 >= 0
            assert box.y0 >= 0
            assert box.x1 <= width
            assert box.y1 <= height - 40


def test_a_leverage_that_the_cap_clips_is_named_with_what_is_left() -> None:
    cube = cubes.summary()
    plane = cut(cube, "sharpe", "leverage", "hedge_ratio", where={"venue": ["A"]})
    assert plane.x.words == ("2", "5", "10", "20→10", "50→10")
    plane = cut(cube, "sharpe", "venue", "leverage")
    assert plane.y.words == ("2", "5", "10", "20", "50")


def test_cells_carry_value_and_error_where_there_is_room() -> None:
    cube = cubes.summary({"leverage": [2.0, 5.0], "venue": ["A", "B", "C"]})
    plane = cut(cube, "sharpe", "venue", "leverage")
    found = texts(heat_map(plane))
    assert sum(text.startswith("± ") for text in found) == 6
    many = cubes.summary(
        {
            "leverage": np.linspace(1, 40, 50).tolist(),
            "hedge_ratio": np.linspace(0.5, 1.5, 40).tolist(),
        }
    )
    found = texts(heat_map(cut(many, "sharpe", "leverage", "hedge_ratio")))
    assert not any(text.startswith("± ") for text in found)


def test_the_infeasible_region_is_in_the_legend_only_if_there_is_one() -> None:
    legend = "infeasible: margin exceeds equity"
    plane = cut(cubes.summary(), "sharpe", "leverage", "hedge_ratio", where={"venue": ["B"]})
    assert not plane.feasible.all()
    assert legend in texts(heat_map(plane))
    feasible = cut(
        cubes.summary(), "sharpe", "leverage", "hedge_ratio", where={"leverage": ["2", "5"]}
    )
    assert legend not in texts(heat_map(feasible))


def test_a_plane_without_values_is_drawn() -> None:
    cube = cubes.summary()
    cube["sharpe"] = cube["sharpe"] * math.nan
    figure = heat_map(cut(cube, "sharpe", "leverage", "hedge_ratio"))
    assert "no value" in texts(figure)


@pytest.mark.parametrize("extension", ["png", "svg", "pdf", "PNG"])
def test_pictures_are_written_and_come_out_the_same_twice(tmp_path: Path, extension: str) -> None:
    plane = cut(cubes.summary(), "liquidation_probability", "leverage", "hedge_ratio")
    files = [tmp_path / f"{name}.{extension}" for name in ("one", "two")]
    for file in files:
        save(heat_map(plane), file)
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert files[0].read_bytes().startswith(starts[extension.lower()])
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("plot.jpg", ".jpg"),
        ("plot.pgn", "did you mean .png?"),
        ("plot", "no extension (use .png, .svg, .pdf)"),
    ],
)
def test_other_extensions_are_refused(tmp_path: Path, name: str, message: str) -> None:
    plane = cut(cubes.summary(), "sharpe")
    with pytest.raises(StresscubeError) as caught:
        save(heat_map(plane), tmp_path / name)
    assert message in str(caught.value)


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written: No such file"):
        save(heat_map(cut(cubes.summary(), "sharpe")), tmp_path / "none" / "plot.png")


@pytest.mark.parametrize("colours", [LOSS, GAIN])
def test_numbers_are_readable_on_every_colour(colours: object) -> None:
    for shade in colours(Normalize()(np.linspace(0, 1, 64))):  # type: ignore[operator]
        assert contrast(shade, readable_on(shade)) >= 4.5


def contrast(ground: np.ndarray, ink: str) -> float:
    """Contrast ratio of WCAG 2.2; 4.5 is asked of small text."""
    from matplotlib.colors import to_rgb

    def luminance(colour: tuple[float, ...]) -> float:
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in colour[:3]]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted([luminance(tuple(ground)), luminance(to_rgb(ink))])[::-1]
    return (light + 0.05) / (dark + 0.05)
