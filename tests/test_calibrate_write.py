"""A calibrated scenario is one that the program takes, and says what was fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stresscube.calibrate.design import Design, Layer
from stresscube.calibrate.fit import start
from stresscube.calibrate.funding import Premiums
from stresscube.calibrate.parts import flat, layers, parts
from stresscube.calibrate.run import _split
from stresscube.calibrate.write import Source, duration, scenario
from stresscube.scenario import load
from stresscube.scenario.expand import market_spec
from stresscube_kernels.chain import stationary
from stresscube_kernels.moments import multiplied
from stresscube_kernels.spec import MarketSpec

DESIGN = Design(
    (
        Layer("regime", 3, 5.0),
        Layer("correlation", 3, 300.0),
        Layer("volatilities", 2, 100.0),
        Layer("volatility", 2, 3000.0),
        Layer("volatility", 2, 30.0),
    )
)
SOURCE = Source(("BTC", "ETH"), ("x.parquet",), ("2021-01-01 00:00", "2025-01-01 00:00"),
                35_000, 1.0, "ab12", ("A note.",))  # fmt: skip


def theta() -> np.ndarray:
    rng = np.random.default_rng(1)
    series = rng.standard_normal((500, 2)) @ np.array([[0.006, 0.005], [0.0, 0.005]])
    return start(series, DESIGN) + 0.1 * rng.standard_normal(len(DESIGN.names))


def premiums() -> Premiums:
    return Premiums(
        np.array([[-4e-4, -5e-4], [1e-4, 2e-4]]), np.full((2, 2), 1e-4), np.array([2.0, 60.0]),
        np.array([0.5, 0.8]),
        np.array([100.0, 50.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), 0.0, np.full((2, 7), 0.1),
    )  # fmt: skip


def written(tmp_path: Path) -> MarketSpec:
    made = parts(DESIGN, theta(), 1.0)
    row = np.linspace(0.01, 0.02, len(flat(made)))
    row[0] = np.nan
    text = scenario("made", SOURCE, made, _split(row, made), premiums(), ["BIC 1"])
    assert "± ?" in text
    assert "sha256 of the data ab12" in text
    file = tmp_path / "made.toml"
    file.write_text(text, encoding="utf-8")
    spec = market_spec(load(file), {})
    assert isinstance(spec, MarketSpec)
    return spec


def test_the_file_holds_the_fit(tmp_path: Path) -> None:
    """To the five digits that are written."""
    spec, made = written(tmp_path), parts(DESIGN, theta(), 1.0)
    assert len(spec.regimes) == 3
    assert len(spec.volatility_regimes) == 8
    assert len(spec.funding_regimes) == 2
    for regime, (a, b, dof) in zip(spec.regimes, made.regimes.numbers, strict=True):
        assert regime.volatility == pytest.approx((a, b), rel=1e-4)
        assert regime.tail_dof == pytest.approx(dof, rel=1e-3)
    rho = [state.correlation for state in spec.correlation_regimes]
    assert rho == pytest.approx(made.correlation.numbers[:, 0], rel=1e-4)
    hours = np.array(spec.chain.mean_durations) * 8760
    np.testing.assert_allclose(hours, made.regimes.durations, rtol=1e-3)
    assert spec.volatility_chain is not None
    assert made.volatility is not None
    np.testing.assert_allclose(
        spec.volatility_chain.jump_probabilities, made.volatility.next, atol=1e-5
    )


def test_the_slow_chain_is_its_layers_side_by_side() -> None:
    """Its law is the product of theirs, its multipliers' mean squares are 1, and the long-run
    variance is that of the states of the fit."""
    made, at = parts(DESIGN, theta(), 1.0), theta()
    assert made.volatility is not None
    numbers = DESIGN.numbers(at)
    laws = [
        np.linalg.matrix_power(np.eye(n) + DESIGN.generator(at, k) / 100, 2**22)[0]
        for k, n in enumerate(DESIGN.sizes)
    ]
    weights = np.ones(1)
    for law in laws:
        weights = np.kron(weights, law)
    variance = weights @ (numbers[:, :2] ** 2) * 8760
    regimes = laws[0][np.argsort(numbers[:: len(numbers) // 3, 0])]
    np.testing.assert_allclose(regimes @ made.regimes.numbers[:, :2] ** 2, variance, rtol=1e-8)
    words = [word for word, _ in layers(DESIGN, at, 1.0)]
    assert words == ["volatilities", "volatility", "volatility"]


def test_mean_squares_are_one(tmp_path: Path) -> None:
    spec = written(tmp_path)
    assert spec.volatility_chain is not None
    assert sum(stationary(spec.volatility_chain)) == pytest.approx(1.0)
    found = multiplied(spec)
    assert (found[0], found[2]) == pytest.approx((1.0, 1.0), rel=1e-3)


@pytest.mark.parametrize(
    ("hours", "text"), [(48.0, "2d"), (36.51, "36.51h"), (0.5, "30min"), (1 / 60, "60s")]
)
def test_durations(hours: float, text: str) -> None:
    assert duration(hours) == text
