"""Draws by a parametric bootstrap: refits of histories that the calibrated market makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bootstraps import SLOPE, benchmark, calibrated, known_markets, premiums, tables
from stresscube.calibrate import bootstrap as module
from stresscube.calibrate import errors, funding
from stresscube.calibrate import refit as refits
from stresscube.calibrate.bootstrap import APART, SEED, Bootstrap, bootstrap
from stresscube.calibrate.fit import finished, fit
from stresscube.calibrate.parts import flat, parts, saying
from stresscube.calibrate.refit import Found, Refit, history, refit
from stresscube.calibrate.run import Calibration, Draws, _split, drawn
from stresscube.calibrate.simulated import Simulated, stood_still
from stresscube.errors import StresscubeError

K = 4.0
"""Standard errors."""


def silent(_: str) -> None:
    pass


def column(made: Bootstrap, key: str) -> np.ndarray:
    return np.array([float(draw.row[key].removesuffix("h")) for draw in made.draws])


def test_refits_spread_as_the_asymptotic_errors_say() -> None:
    """Deviations of N normal numbers have a relative error of 1 / sqrt(2 (N - 1)), their mean one
    of 1 / sqrt(N) standard deviations; K of them. Logarithms, as the parameters are."""
    count, bars = 48, 2000
    begun = calibrated(bars=bars)
    returns = np.diff(np.log(history(begun, 5, 0).close), axis=0)
    made = fit(returns, begun.fit.design, begun.fit.theta)
    found = calibrated(bars=bars, theta=made.theta)
    spread = np.sqrt(np.diag(errors.covariance(returns, made)))
    done = bootstrap(found, count, silent, workers=2)
    design, checked = made.design, 0
    for place, name in enumerate(design.names):
        kind, state = name.removeprefix("0.")[0], name[-1]
        if kind not in "ab" or name.startswith("1"):
            continue
        asset = found.assets["ab".index(kind)]
        drawn = np.log(column(done, f"market.regimes.regime-{int(state) + 1}.volatility.{asset}"))
        here = made.theta[place] + np.log(np.sqrt(known_markets.HOURS))
        assert drawn.std(ddof=1) == pytest.approx(
            spread[place], rel=K / np.sqrt(2.0 * (count - 1))
        ), name
        assert abs(drawn.mean() - here) < K * spread[place] / np.sqrt(count), name
        checked += 1
    rho = np.arctanh(column(done, "market.correlation_regimes.coupling-1.correlation"))
    place = design.names.index("1.rho0")
    assert rho.std(ddof=1) == pytest.approx(spread[place], rel=K / np.sqrt(2.0 * (count - 1)))
    assert checked == 4


@pytest.fixture(scope="module")
def tied() -> Bootstrap:
    """Cointegrated legs with funding: draws of everything."""
    return bootstrap(calibrated("cointegration", bars=1500, prints=300), 16, silent, workers=2)


def test_the_slope_and_the_transitions_are_drawn(tied: Bootstrap) -> None:
    """The slope is what leg b's volatility is of leg a's, one number in all regimes of a draw."""
    ratios = [
        column(tied, f"market.regimes.regime-{k}.volatility.BBB")
        / column(tied, f"market.regimes.regime-{k}.volatility.AAA")
        for k in (1, 2)
    ]
    assert np.allclose(*ratios, rtol=1e-4)
    assert 0.0 < ratios[0].std() < 0.05
    assert abs(ratios[0].mean() - SLOPE) < K * ratios[0].std() / len(tied.draws) ** 0.5
    for state in (1, 2, 3):
        at = f"market.funding_regimes.premium-{state}"
        shares = [
            column(tied, f"{at}.next.premium-{other}") for other in (1, 2, 3) if other != state
        ]
        assert shares[0].std() > 0.01
        np.testing.assert_allclose(sum(shares), 1.0, atol=1e-9)
        assert column(tied, f"{at}.mean_duration").std() > 1.0
    assert len({draw.row["market.regimes.regime-1.mispricing[0].std"] for draw in tied.draws}) == 16


def test_numbers_of_a_draw_hang_together(tied: Bootstrap) -> None:
    """Premiums of both legs have noise in common, so their means err together: Fisher's z of the
    correlation among draws, whose error is 1 / sqrt(N - 3), is K errors from that of independent
    draws."""
    at = "market.funding_regimes.premium-2.funding.mean"
    found = np.corrcoef(column(tied, f"{at}.AAA"), column(tied, f"{at}.BBB"))[0, 1]
    assert np.arctanh(found) * np.sqrt(len(tied.draws) - 3) > K


def test_draws_do_not_depend_on_the_number_of_workers() -> None:
    found = calibrated(bars=1200)
    assert bootstrap(found, 5, silent, workers=1) == bootstrap(found, 5, silent, workers=2)


def counted(monkeypatch: pytest.MonkeyPatch, made: Callable[[int, Refit], Refit]) -> list[int]:
    """Refits pass through `made` with the number of their path; which were asked for."""
    asked: list[int] = []

    def one(found: Found, simulated: Simulated, goes_on: Callable[[], None]) -> Refit:
        path = next(p for p in paths if np.array_equal(paths[p].close, simulated.close))
        asked.append(path)
        return made(path, refit(found, simulated, goes_on))

    paths: dict[int, Simulated] = {}

    def noted(found: Found, seed: int, path: int) -> Simulated:
        assert seed == SEED
        paths[path] = history(found, seed, path)
        return paths[path]

    monkeypatch.setattr(module, "history", noted)
    monkeypatch.setattr(module, "refit", one)
    return asked


def test_what_was_refitted_before_an_interruption_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same draws in the end, each refitted once; a line that was cut off is made again."""
    found, keep = calibrated(bars=1200), tmp_path / "made.draws.csv.part"
    whole = bootstrap(found, 6, silent)

    def stops(path: int, made: Refit) -> Refit:
        if path == 4:
            raise KeyboardInterrupt
        return made

    with monkeypatch.context() as patched:
        counted(patched, stops)
        with pytest.raises(KeyboardInterrupt):
            bootstrap(found, 6, silent, keep=keep)
    kept = keep.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["draw"] for line in kept[1:]] == [0, 1, 2, 3]
    keep.write_text("\n".join(kept)[:-40], encoding="utf-8")
    asked, told = counted(monkeypatch, lambda _, made: made), list[str]()
    assert bootstrap(found, 6, told.append, keep=keep) == whole
    assert asked == [3, 4, 5]
    assert told[0] == f"3 of 6 draws are there already, in {keep}"
    asked.clear()
    assert bootstrap(found, 6, silent, keep=keep) == whole
    assert asked == []
    # of another calibration nothing is kept
    other = replace(found, text=found.text.replace("BIC 1", "BIC 2"))
    assert bootstrap(other, 2, silent, keep=keep).draws == whole.draws[:2]
    assert asked == [0, 1]


def test_refits_that_are_no_draws_are_made_anew_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each by that of another path, which is the draw's own."""
    found = calibrated(bars=1200)
    worse = {1: refits.UNSETTLED, 1 + APART: refits.NOT_HELD, 3: refits.UNSETTLED}
    asked = counted(
        monkeypatch, lambda path, made: made._replace(failure=worse.get(path, made.failure))
    )
    made = bootstrap(found, 4, silent)
    assert asked == [0, 1, 1 + APART, 1 + 2 * APART, 2, 3, 3 + APART]
    assert [draw.failures for draw in made.draws] == [
        (), (refits.UNSETTLED, refits.NOT_HELD), (), (refits.UNSETTLED,)
    ]  # fmt: skip
    assert made.words.startswith(
        "2 refits did not settle and gave way to another; "
        "1 refit gave numbers that no scenario may hold and gave way to another; "
    )
    monkeypatch.setattr(module, "refit", lambda *_: Refit({}, 0, refits.UNSETTLED))
    with pytest.raises(StresscubeError, match="--uncertainty: 8 refits in a row are no draw"):
        bootstrap(found, 4, silent)


def test_a_refit_that_does_not_settle_is_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is one with numbers that a scenario may not hold."""
    found = calibrated(bars=1200)
    made = history(found, SEED, 0)
    assert refit(found, made).failure == ""

    def hasty(*given: object, **named: object) -> object:
        return finished(*given, most=2, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(refits, "finished", hasty)
        assert refit(found, made).failure == refits.UNSETTLED
    wild = Simulated(np.exp(140.0 * np.log(made.close / 100.0)), made.funding)
    assert refit(found, wild).failure == refits.NOT_HELD


def test_bars_that_the_files_lack_stand_still() -> None:
    close = np.arange(12.0).reshape(6, 2)
    filled = np.zeros((6, 2), bool)
    assert stood_still(close, filled) is close
    filled[2:4, 0] = True
    assert stood_still(close, filled)[:, 0].tolist() == [0.0, 2.0, 2.0, 2.0, 8.0, 10.0]
    found = calibrated(bars=50)
    lacking = np.zeros((51, 2), bool)
    lacking[7, 1] = True
    made = history(replace(found, filled=lacking), SEED, 0).close
    whole = history(found, SEED, 0).close
    assert made[7, 1] == made[6, 1] != whole[7, 1]
    assert np.array_equal(np.delete(made, 7, axis=0), np.delete(whole, 7, axis=0))


def test_states_keep_their_order_in_a_draw() -> None:
    """Where a draw has the first regime wilder than the second, it is still the first."""
    found = calibrated("jumps", bars=1200)
    design, theta = found.fit.design, found.fit.theta
    crossed = theta.copy()
    for leg in "ab":
        first, second = (design.names.index(f"0.{leg}{k}") for k in (0, 1))
        crossed[[first, second]] = theta[[second, first]]
    kept, sorted_ = parts(design, crossed, 1.0, theta), parts(design, crossed, 1.0)
    assert np.array_equal(kept.regimes.numbers[:, :2], sorted_.regimes.numbers[::-1, :2])
    same = parts(design, theta, 1.0)
    assert [(it.regime, it.kind) for it in kept.jumps] == [
        (it.regime, it.kind) for it in same.jumps
    ]


def test_premiums_are_refitted_from_the_parameters_that_say_them() -> None:
    found = premiums()
    prints = np.random.default_rng(1).normal(1e-4, 2e-4, (60, 2))
    model = funding._Clamped(funding.Prints(prints, 1e-4, 5e-4), 3, lambda: None)
    back = model.in_words(funding._parameters(found, 8.0), 0.0, 8.0)
    for name in ("mean", "std", "half_life", "rho", "durations", "next"):
        assert np.allclose(getattr(back, name), getattr(found, name), rtol=1e-12, atol=1e-15), name


def test_the_benchmark_knows_every_error() -> None:
    """Draws by the covariance spread by it: 512 of them, whose deviations have a relative error of
    1 / sqrt(1022), and the delta method's own, of the order of an error squared."""
    rng, count = np.random.default_rng(8), 512
    found = calibrated("jumps", bars=5000, prints=400)
    size = len(found.fit.theta)
    mixed = 0.02 * rng.standard_normal((size, size))
    covariance = mixed @ mixed.T / size
    market = saying(found.fit.design, 1.0, SLOPE, (), found.fit.theta)
    split = _split(
        errors.of(lambda at: flat(market(at)), found.fit.theta, covariance),
        market(found.fit.theta),
    )
    paid = replace(premiums(), errors=0.01 * np.abs(premiums_table()))
    assert found.prints is not None
    found = replace(found, prints=replace(found.prints, found=paid))
    made = Calibration(found.fit, covariance, market(found.fit.theta), split, found.text, found)
    rows, _ = drawn(made, Draws(count, "covariance"), silent, 1)
    told = benchmark.compared(made, rows)
    kinds = {tables.kind_of(key) for key in told}
    assert kinds == set(tables.KINDS) | {None}  # None: of the jumps
    for key, numbers in told.items():
        assert numbers["sd"] == pytest.approx(1.0, abs=K / np.sqrt(2.0 * (count - 1)) + 0.01), key
        assert abs(numbers["mean"]) < K / np.sqrt(count) + 0.05, key
    assert len(told) == 8 + 9 + 1 + 3 * 7


def premiums_table() -> np.ndarray:
    it = premiums()
    return np.column_stack([it.mean, it.std, it.half_life, it.rho, it.durations])
