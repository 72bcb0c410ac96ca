"""The page of `stresscube report`: what it says, what it carries, what it must not do."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import report_cubes
import stresscube as sc
from fakes import FakeBackend, scenario
from stresscube import advice
from stresscube.cli import app
from stresscube.decide import recommend
from stresscube.errors import RunError, StresscubeError
from stresscube.report import Asked, Goal, page, sections, write
from stresscube.report.asked import assumptions, inline
from stresscube.report.colours import colour_stops
from stresscube.report.maps import heat_maps
from stresscube.report.pack import pack, pack_bits, script_json
from stresscube.show import rank
from stresscube.wording import estimate_words, footnotes, policy_words

LOADING = {"src", "href", "srcset", "data", "poster", "action", "formaction", "background"}


class Reader(HTMLParser):
    """Collects tags, attributes and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._in: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in.append(tag)

    def handle_data(self, data: str) -> None:
        if self._in and self._in[-1] == "script":
            self.scripts.append(data)
        else:
            self.texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in.append(f"/{tag}")


def carried(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="report-data">(.*?)</script>', text)
    assert found
    return json.loads(found[1])


def numbers(packed: dict[str, Any]) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(packed["f4"]), dtype="<f4")
    return data.reshape(packed["shape"])


def words(text: str) -> str:
    return " ".join(" ".join(Reader(text).texts).split())


@pytest.fixture(scope="module")
def cube() -> xr.Dataset:
    return report_cubes.whole()


@pytest.fixture(scope="module")
def text(cube: xr.Dataset) -> str:
    return page(cube)


@pytest.mark.parametrize("by", ["sharpe", "return_mean", "max_drawdown_quantile"])
def test_the_answer_is_that_of_show(cube: xr.Dataset, by: str) -> None:
    ranking = rank(cube, by=by, max_liquidation=0.05, top=4)
    said = words(page(cube, Asked(by=by, max_liquidation=0.05, top=4)))
    rows = zip(*policy_words(ranking.policies, ranking.fixed).values(), strict=True)
    for number, row in enumerate(rows, start=1):
        assert f"{number} {' '.join(row)} " in said
    for name in (by, "liquidation_probability", "return_mean"):
        for cell in estimate_words(ranking.policies, name, " ± "):
            assert cell.strip().replace("-", "−") in said
    for line in footnotes(ranking):
        assert line in said
    assert f"{ranking.qualified} of {ranking.candidates} policies keep" in said


def test_the_answer_says_who_survives_what_it_earns_and_how_sure_that_is(text: str) -> None:
    said = words(text)
    assert "keep a liquidation probability of at most 0.01 in every market" in said
    assert re.search(r"At worst it (earns|loses) [\d.]+ ± [\d.]+ of the starting equity", said)
    assert re.search(r"is liquidated with probability [\d.]+ ± [\d.]+", said)
    assert re.search(r"By sharpe, \d of the next 9 policies cannot be told apart from it", said)


def test_a_risk_near_the_limit_is_called_uncertain(cube: xr.Dataset) -> None:
    best = rank(cube).policies.isel(rank=0)
    risk = float(best["liquidation_probability"])
    near = risk + 1.5 * float(best["liquidation_probability_se"])
    only = {str(dim): [str(best[dim].item())] for dim in ("venue", "hedge_ratio", "leverage")}
    only["rebalance_threshold"] = [str(best["rebalance_threshold"].item())]
    doubt = "less than two standard errors below the limit"
    assert doubt in words(page(cube, Asked(max_liquidation=near, where=only)))
    assert doubt not in words(page(cube, Asked(max_liquidation=0.9, where=only)))


def test_the_safest_is_named_where_none_keeps_the_limit(cube: xr.Dataset) -> None:
    only = {"leverage": ["50"], "hedge_ratio": ["0.8", "0.9"]}
    said = words(page(cube, Asked(where=only, max_liquidation=0.0)))
    assert "This one is the safest." in said
    assert "no policy keeps liquidation probability within 0" in said.lower()


def test_the_numbers_of_the_maps_are_the_cubes(cube: xr.Dataset, text: str) -> None:
    maps = carried(text)["maps"]
    assert maps["metrics"][0]["name"] == "liquidation_probability"
    assert {it["name"] for it in maps["metrics"]} == {
        str(name) for name in cube.data_vars if f"{name}_se" in cube
    }
    for it in maps["metrics"]:
        for packed, name in ((it["values"], it["name"]), (it["errors"], f"{it['name']}_se")):
            expected = cube[name].transpose(*it["dims"]).values.astype(np.float32)
            np.testing.assert_array_equal(numbers(packed), expected)
    dims = maps["dims"]
    bits = np.unpackbits(
        np.frombuffer(base64.b64decode(maps["feasible"]["bits"]), np.uint8), bitorder="little"
    )
    feasible = cube["feasible"].transpose(*dims).values
    np.testing.assert_array_equal(bits[: feasible.size].reshape(feasible.shape), feasible)
    assert not feasible.all()


def test_the_numbers_of_the_best_policies_are_the_cubes(cube: xr.Dataset, text: str) -> None:
    compared = carried(text)["compared"]
    best = rank(cube).policies
    assert len(compared["names"]) == 5
    for row in range(5):
        cell = cube.sel({str(dim): best[dim].values[row] for dim in best.coords})
        for name, it in compared["metrics"].items():
            expected = cell[name].transpose(*it["dims"][1:]).values.astype(np.float32)
            np.testing.assert_array_equal(numbers(it["values"])[row], expected, err_msg=name)
            errors = cell[f"{name}_se"].transpose(*it["dims"][1:]).values.astype(np.float32)
            np.testing.assert_array_equal(numbers(it["errors"])[row], errors, err_msg=name)
    assert {"survival", "return_quantile", "regime_gain_quantile"} <= set(compared["metrics"])


def test_the_account_of_a_policy_adds_up(text: str) -> None:
    compared = carried(text)["compared"]
    terms = {name: numbers(compared["metrics"][name]["values"]) for name in compared["account"]}
    signs = {name: -1.0 if name in compared["costs"] else 1.0 for name in terms}
    total = sum(signs[name] * terms[name] for name in terms if name != "return_mean")
    # Eight float32 numbers below 1 in size, each rounded to half a unit in the last place.
    np.testing.assert_allclose(total, terms["return_mean"], atol=8 * 2.0**-24, rtol=0)


def test_nothing_is_loaded(text: str) -> None:
    tags = Reader(text).tags
    loaded = [
        (name, value)
        for _, attributes in tags
        for name, value in attributes.items()
        if name in LOADING and not (value or "").startswith(("data:", "#"))
    ]
    assert loaded == []
    assert not {"iframe", "object", "embed", "base"} & {tag for tag, _ in tags}
    style = "".join(re.findall(r"<style>(.*?)</style>", text, re.DOTALL))
    assert "url(" not in style
    assert "@import" not in style


def test_only_the_known_scripts_may_run(text: str) -> None:
    policies = [attributes.get("content") or "" for _, attributes in Reader(text).tags
                if attributes.get("http-equiv") == "Content-Security-Policy"]  # fmt: skip
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policies[0]
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 2
    for script in scripts:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policies[0]


def test_the_library_is_the_one_that_is_named() -> None:
    vendor = files("stresscube.report") / "assets" / "vendor"
    library = (vendor / "plotly-cartesian.min.js").read_bytes()
    about = (vendor / "README.md").read_text()
    assert hashlib.sha256(library).hexdigest() in about
    (version,) = re.findall(r"plotly.js (\d+\.\d+\.\d+)", about)
    assert f"plotly.js (cartesian - minified) v{version}".encode() in library[:200]
    assert "Permission is hereby granted" in (vendor / "LICENSE-plotly").read_text()


def test_every_text_is_escaped() -> None:
    text = page(report_cubes.hostile(), Asked(top=3))
    reader = Reader(text)
    tags = [tag for tag, _ in reader.tags]
    assert tags.count("script") == 3
    assert "img" not in tags
    names = [name for _, attributes in reader.tags for name in attributes]
    assert not [name for name in names if name.startswith("on")]
    assert report_cubes.HOSTILE in words(text)
    assert carried(text)["extents"]["venue"]["words"] == [
        f"{report_cubes.HOSTILE}{name}" for name in "ABC"
    ]


def test_json_in_a_script_holds_no_markup() -> None:
    content = {"</script>": ["<!--", "&", "\u2028", "é"], "n": 1.5}
    text = script_json(content)
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == content
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_json(math.nan)


def test_a_page_of_4096_policies_is_below_7_megabytes() -> None:
    cube = report_cubes.large()
    assert cube["liquidation_probability"].size == 4096
    text = page(cube)
    assert len(text.encode()) < 7e6
    names = [it["name"] for it in carried(text)["maps"]["metrics"]]
    assert len(names) > 35, "nearly every metric fits"


def test_what_does_not_fit_is_said(cube: xr.Dataset) -> None:
    maps = heat_maps(cube, "sharpe", 0.01, budget=60_000)
    kept = [it["name"] for it in maps.content["metrics"]]
    assert kept[:2] == ["liquidation_probability", "sharpe"]
    assert set(kept) | set(maps.left_out) == {
        str(name) for name in cube.data_vars if f"{name}_se" in cube
    }
    assert maps.left_out
    assert maps.held == ()


def test_axes_that_do_not_fit_stand_still_where_plot_holds_them(cube: xr.Dataset) -> None:
    maps = heat_maps(cube, "sharpe", 0.01, budget=8_000)
    assert maps.held[0].startswith("rebalance_threshold = ")
    (metric, *_) = maps.content["metrics"]
    assert metric["values"]["shape"][maps.content["dims"].index("rebalance_threshold")] == 1


def test_a_cube_of_one_axis_or_none_has_a_page() -> None:
    one = report_cubes.whole({"leverage": [2.0, 5.0, 10.0]}, regimes=())
    assert carried(page(one))["maps"]["sides"] == ["leverage"]
    assert 'id="map"' in page(one)
    none = report_cubes.whole({"leverage": [5.0]}, regimes=())
    assert 'id="map"' not in page(none)
    assert "The only policy" in words(page(none, Asked(max_liquidation=1.0)))


def test_a_cube_without_regimes_shows_none(cube: xr.Dataset, text: str) -> None:
    plain = cube.drop_vars([name for name in cube.data_vars if "regime" in str(name)])
    assert "regime-returns" in text
    assert "regime-returns" not in page(plain.drop_vars("regime")).split("<script")[0]


def test_the_page_says_what_was_asked_and_where_it_comes_from(text: str) -> None:
    said = words(text)
    for part in (
        "BTC against ETH", "7 days, in steps of 1 min", "20,000, the same for every policy",
        "0.85, 0.6, 0.3", "market: regimes", "C 0.0005 0, 0.004; 50000, 0.005", "seed 7",
        "0123456789abcdef", "Changed when it was run: simulation.seed=7.",
        "stresscube 0.1.0, numpy 2.4.6", "simulation.seed=7", 'horizon = "7d"',
    ):  # fmt: skip
        assert part in said, part


def test_the_same_cube_gives_the_same_page(cube: xr.Dataset, text: str) -> None:
    assert page(report_cubes.whole()) == text


def test_every_picture_has_a_name_and_numbers(text: str) -> None:
    tags = Reader(text).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    pictures = [attributes for _, attributes in tags if attributes.get("role") == "img"]
    assert len(pictures) == 9
    assert all(it["aria-labelledby"] in ids for it in pictures)
    assert text.count('class="numbers"') == 9


def test_both_themes_have_contrast() -> None:
    style = (files("stresscube.report") / "assets" / "page.css").read_text()
    themes = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        shades = dict(re.findall(r"--(\w+): (#\w{6})", theme))
        for ink in ("ink", "pale", "accent"):
            for ground in ("ground", "panel"):
                # WCAG 2.2, 1.4.3 for text and 1.4.11 for parts of pictures.
                assert contrast(shades[ink], shades[ground]) >= 4.5, (ink, ground)
        for line in ("first", "second", "third", "fourth", "fifth"):
            assert contrast(shades[line], shades["ground"]) >= 3, line


def contrast(one: str, other: str) -> float:
    def lightness(shade: str) -> float:
        parts = [int(shade[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05

    ratio = lightness(one) / lightness(other)
    return max(ratio, 1 / ratio)


def test_colours_are_those_of_plot() -> None:
    found = colour_stops("liquidation_probability", np.array([0.0, 0.5, np.nan]), 0.01)
    assert (found["low"], found["high"]) == (0.0, 0.5)
    places = [place for place, _ in found["stops"]]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0.0, 1.0)
    assert places[16] == pytest.approx(0.25), "spread by the root"
    both = colour_stops("sharpe", np.array([-1.0, 3.0]), 0.01)
    assert both["low"] == -both["high"]


def test_packing_keeps_float32_and_bits() -> None:
    values = np.array([[1.5, np.nan, -np.inf], [1e-300, 1e300, 0.1]])
    found = numbers(pack(values))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(found, values.astype(np.float32))
    mask = np.arange(11) % 3 == 0
    raw = np.frombuffer(base64.b64decode(pack_bits(mask)["bits"]), np.uint8)
    np.testing.assert_array_equal(np.unpackbits(raw, bitorder="little")[:11], mask)


def test_assumptions_are_the_tables_of_the_file() -> None:
    tables = {it.title: it for it in assumptions(report_cubes.SCENARIO)}
    assert list(tables) == ["market", "market: regimes", "venues", "policy", "simulation"]
    assert tables["market: regimes"].headers == ("name", "volatility")
    assert tables["market: regimes"].rows[1] == ("stress", "1.5, 1.9")
    assert assumptions("no = [toml") == []
    assert inline([[0, 0.004], [50_000, 0.005]]) == "0, 0.004; 50000, 0.005"
    assert inline({"a": True, "b": [1.0]}) == "a: yes, b: 1"


def test_the_recommendation_stands_first_in_the_words_of_recommend(cube: xr.Dataset) -> None:
    goal = Goal(maximise="return_mean", subject_to=("liquidation_probability<0.05",))
    found = recommend(cube, maximise="return_mean", subject_to=goal.subject_to, top=6)
    text = page(cube, Asked(top=6, goal=goal))
    said = words(text)
    assert sections(text)[:3] == ["Recommended", "By the estimates", "What was asked"]
    for line in (*advice.answer(found), *advice.circumstances(found), *advice.footnotes(found)):
        assert line[1:] in said
    for name in ("goal", "difference_to_best"):
        for cell in advice.cells(found, name, " ± "):
            assert cell.strip().replace("-", "−") in said
    assert sections(page(cube))[0] == "Answer"


def test_a_recommendation_is_escaped() -> None:
    hostile = page(report_cubes.hostile(), Asked(top=3, goal=Goal(subject_to=("sharpe>-99",))))
    assert "img" not in [tag for tag, _ in Reader(hostile).tags]
    assert f"venue = {report_cubes.HOSTILE}" in words(hostile)


def test_a_page_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot be written: No such file or directory"):
        write("", tmp_path / "none" / "page.html")


def test_wrong_questions_are_told_as_show_tells_them(cube: xr.Dataset) -> None:
    with pytest.raises(StresscubeError, match="no metric sharp; did you mean sharpe"):
        page(cube, Asked(by="sharp"))


def test_a_run_has_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sc.run(scenario(640), tmp_path / "small.run", backend=FakeBackend())
    arguments = ["small.run", "--max-liquidation", "0.5", "--where", "venue=A"]
    result = CliRunner().invoke(app, ["report", *arguments])
    assert result.exit_code == 0, result.output
    assert re.fullmatch(r"small\.html: [\d.]+ MB, opens in any browser .*\n", result.stdout)
    said = words(Path("small.html").read_text(encoding="utf-8"))
    table = CliRunner().invoke(app, ["show", *arguments]).stdout
    counted = re.search(r"\d+ of \d+ policies keep the limit\.", table)
    assert counted
    assert counted[0] in said
    assert "seed 5" in said
    assert "A, B (here: A)" in said
    asked = ("--maximise", "return_mean", "--subject-to", "win_rate>0.01", "--json")
    told = json.loads(CliRunner().invoke(app, ["report", *arguments, *asked]).stdout)
    assert told["file"] == "small.html"
    assert told["bytes"] == Path("small.html").stat().st_size
    assert told["holds"][0] == "Recommended"
    assert "Provenance" in told["holds"]
    said = words(Path("small.html").read_text(encoding="utf-8"))
    assert "Maximise return_mean subject to win_rate>0.01." in said


def test_another_extension_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(tmp_path), "-o", "page.pdf"])
    assert result.exit_code == 2
    assert "page.pdf: .pdf (use .html, .htm)" in result.stderr
