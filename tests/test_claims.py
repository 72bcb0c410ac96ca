"""Figures with errors, verdicts from them, and scenarios put together from two files."""

from __future__ import annotations

import math
import tomllib
from dataclasses import replace

import numpy as np
import pytest

from claim_cubes import SCENARIOS, made
from stresscube.claims.catalogue import CLAIMS, chosen
from stresscube.claims.claim import Claim, Finding, Market, Study, Unit
from stresscube.claims.compose import sections, with_market
from stresscube.claims.conditions import UNKNOWN, condition, lacking
from stresscube.claims.estimate import Estimate, combine, exact, from_batches
from stresscube.claims.spikes import captured, spikes_offered
from stresscube.claims.studies import asked, load_study, scenario_text, stamp
from stresscube.claims.trial import Trial
from stresscube.claims.verdicts import Verdict, above, below, between, every, or_only_if, side
from stresscube.errors import StresscubeError
from stresscube.scenario.expand import axes, market_spec, policy_spec, simulation_spec
from stresscube_kernels.moments import resolved
from stresscube_kernels.oracle import run
from stresscube_kernels.spec import Job, SimulationSpec

HOLDS, ONLY_IF, FAILS, UNSETTLED = (
    Verdict.HOLDS, Verdict.ONLY_IF, Verdict.FAILS, Verdict.UNSETTLED
)  # fmt: skip
STUDIES = [(claim, name, study) for claim in CLAIMS for name, study in claim.runs()]
IDS = [f"{claim.name}-{name}" for claim, name, _ in STUDIES]
THRESHOLD = chosen(["threshold"])[0]


def estimated(values: np.ndarray) -> Estimate:
    """Return the mean of paths, [path], as a cube would give it."""
    batches = values.reshape(-1, 32).mean(axis=0)
    return from_batches(float(values.mean()), float(values.std() / math.sqrt(values.size)), batches)


def test_errors_of_differences_and_ratios_are_paired() -> None:
    """Correlated samples of 3,200 paths, 400 times: the errors are those of the spread; 5 errors.

    The root of the mean of squared errors of 32 batches is known to 1/√(2 · 31 · 400) of itself,
    the spread of 400 figures to 1/√800; both are in the bound.
    """
    rng = np.random.default_rng(3)
    differences, ratios = [], []
    for _ in range(400):
        common = rng.normal(0.0, 1.0, 3200)
        first = estimated(2.0 + common + 0.1 * rng.normal(size=3200))
        second = estimated(1.0 + common + 0.1 * rng.normal(size=3200))
        differences.append(first - second)
        ratios.append(first / second)
    for found, relative in ((differences, 5.0), (ratios, 5.0)):
        spread = np.std([it.value for it in found])
        claimed = math.sqrt(np.mean([it.error**2 for it in found]))
        assert abs(claimed / spread - 1.0) < relative * (1.0 / math.sqrt(800) + 1.0 / 157.0)
    # Unpaired, a difference would have an error of √2/√3200; paired it is a tenth of that.
    assert differences[0].error < 0.2 * math.sqrt(2.0 / 3200)


def test_where_batches_cannot_tell_errors_are_propagated() -> None:
    never = from_batches(0.0, 0.01, np.zeros(32))
    assert (never - never).error == pytest.approx(0.01 * math.sqrt(2.0))
    quantile = Estimate(2.0, 0.3, np.empty(0))
    assert (quantile * 3.0).error == pytest.approx(0.9)
    assert (exact(4.0) / 2.0).error == 0.0
    assert math.isnan((never / exact(0.0)).value)
    assert combine(np.sqrt, Estimate(4.0, 0.4, np.empty(0))).error == pytest.approx(
        math.sqrt(4.4) - 2.0
    )


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        (1.31, 0.1, HOLDS), (1.29, 0.1, UNSETTLED), (0.71, 0.1, UNSETTLED), (0.69, 0.1, FAILS),
        (1.0, 0.0, UNSETTLED), (math.nan, 0.1, UNSETTLED), (2.0, math.nan, UNSETTLED),
        (math.inf, 0.1, HOLDS),
    ],
)  # fmt: skip
def test_a_verdict_takes_three_standard_errors(
    value: float, error: float, expected: Verdict
) -> None:
    figure = Estimate(value, error, np.empty(0))
    assert above(figure, 1.0) is expected
    assert below(Estimate(2.0 - value, error, np.empty(0)), 1.0) is expected
    assert side(figure, 1.0) == {HOLDS: 1, UNSETTLED: 0, FAILS: -1}[expected]


def test_parts_of_a_claim_and_other_readings() -> None:
    assert every([HOLDS, HOLDS]) is HOLDS
    assert every([HOLDS, ONLY_IF]) is ONLY_IF
    assert every([HOLDS, ONLY_IF, UNSETTLED]) is UNSETTLED
    assert every([UNSETTLED, FAILS]) is FAILS
    assert every([]) is UNSETTLED
    assert or_only_if(FAILS, [FAILS, HOLDS]) is ONLY_IF
    assert or_only_if(UNSETTLED, [UNSETTLED]) is UNSETTLED
    assert or_only_if(HOLDS, []) is HOLDS
    inside = Estimate(6.0, 0.3, np.empty(0))
    assert between(inside, 5.0, 8.0) is HOLDS
    assert between(inside, 6.5, 8.0) is UNSETTLED
    assert between(inside, 7.0, 8.0) is FAILS


def test_a_fitted_market_that_is_altered_changes_no_verdict() -> None:
    """It says where the claim would hold; a made-up market that is altered is another reading."""
    there = Estimate(2.0, 0.1, np.empty(0))
    altered = Trial("with", "other legs", there, HOLDS, altered=True)
    near = Trial("at", "20×", there, HOLDS)
    for market, trial, verdict, words in (
        (Market.ARTICLE, altered, ONLY_IF, "**It holds** with other legs (2.00 ± 0.10×)"),
        (Market.PAIR, altered, FAILS, "**It would hold** with other legs (2.00 ± 0.10×)"),
        (Market.PAIR, near, ONLY_IF, "**It holds** at 20× (2.00 ± 0.10×)"),
    ):
        finding = Finding(market, "figure", None, Unit.TIMES, FAILS, tried=(trial,))
        assert finding.verdict is verdict
        assert condition(finding) == words
        assert lacking([finding]) == []


def test_a_finding_that_fails_needs_a_run_that_held_or_a_reason() -> None:
    figure = Estimate(2.0, 0.1, np.empty(0))
    tried = tuple(
        Trial("at", label, figure, verdict)
        for label, verdict in (("2×", FAILS), ("3×", UNSETTLED), ("4×", FAILS))
    )
    for stated in (FAILS, UNSETTLED):
        finding = Finding(Market.BASIS, "figure", figure, Unit.TIMES, stated, tried=tried)
        assert finding.verdict is stated
        assert lacking([finding]) == [f"figure (basis: {stated.value})"]
        assert condition(finding) == (
            f"**{UNKNOWN}**. Not settled at 3× (2.00 ± 0.10×). "
            "Not at 2× (2.00 ± 0.10×), 4× (2.00 ± 0.10×)"
        )
        never = replace(finding, never="while both are one")
        assert lacking([never]) == []
        assert condition(never).startswith("**It cannot hold** while both are one. Not settled")
    held = Finding(Market.BASIS, "figure", figure, Unit.TIMES, HOLDS)
    assert lacking([held]) == []
    assert condition(held) == ""


def test_twins_of_the_fitted_pair_have_the_volatility_of_its_first_leg() -> None:
    (claim,) = chosen(["neutrality"])
    pair = claim.studies[1]
    own, alike = (
        load_study(claim, it, SCENARIOS).market for it in (pair, dict(pair.variants)["twins"])
    )
    for first, second in zip(own.regimes, alike.regimes, strict=True):
        assert second.volatility == (first.volatility[0],) * 2
    for first, second in zip(own.volatility_regimes, alike.volatility_regimes, strict=True):
        assert second.multiplier == (first.multiplier[0],) * 2


def test_a_market_takes_the_place_of_another() -> None:
    own = (
        'name = "x"\n\n# on the simulation\n[simulation]\npaths = 1\n\n[market]\na = 1\n'
        '[[market.regimes]]\nname = "calm"\n\n# on the venue\n[[venues]]\nname = "X"\n'
        '[sweep]\n"market.regimes.calm.correlation" = [1]\nleverage = [1, 2]\n'
    )
    other = (
        '# head\nname = "y"\n[market]\nb = 2\n[[market.regimes]]\nname = "wild"\n[policy]\nz = 1\n'
    )
    assert "".join(words for _, words in sections(own)) == own
    found = with_market(own, other)
    assert tomllib.loads(found) == {
        "name": "x",
        "simulation": {"paths": 1},
        "venues": [{"name": "X"}],
        "sweep": {"leverage": [1, 2]},
        "market": {"b": 2, "regimes": [{"name": "wild"}]},
    }
    assert "# on the venue" in found


def test_every_scenario_belongs_to_a_claim() -> None:
    used = {study.file or f"{claim.name}.toml" for claim, _, study in STUDIES}
    assert used == {path.name for path in SCENARIOS.glob("*.toml")}


def test_the_articles_market_is_the_same_in_every_file() -> None:
    """But for what a claim says that it varies, and books that are given their return."""
    given = {"sharpe-given.toml", "paper-trading.toml"}
    markets = {
        path.name: dict(sections(path.read_text()))["market"]
        for path in SCENARIOS.glob("*.toml")
        if path.name not in given
    }
    regimes = {
        name: tomllib.loads((SCENARIOS / name).read_text())["market"]["regimes"] for name in markets
    }
    usual = regimes["threshold.toml"]
    different = {name for name, it in regimes.items() if it != usual}
    assert different == {"correlation.toml"}  # its spike lasts longer


@pytest.mark.parametrize(("claim", "name", "study"), STUDIES, ids=IDS)
def test_every_study_loads_and_runs(claim: Claim, name: str, study: Study) -> None:
    """One path and five steps on the oracle, at both ends of every axis; a variant at one."""
    scenario = load_study(claim, study, SCENARIOS)
    assert scenario.simulation.paths >= 320  # ten for each batch
    found = axes(scenario)
    simulation = simulation_spec(scenario)
    simulation = SimulationSpec(steps=5, step=simulation.step, seed=simulation.seed)
    for end in (0, -1) if study in claim.studies else (-1,):
        point = {axis.key: axis.values[end] for axis in found}
        market = market_spec(scenario, point)
        policy = resolved(policy_spec(scenario, point), market)
        assert np.isfinite(run(Job(market, (policy,), simulation), 0, 1).per_policy).all(), name


def test_stamps_change_with_scenario_market_and_settings() -> None:
    own, pair, basis = THRESHOLD.studies
    digests = {asked(THRESHOLD, it, SCENARIOS) for it in (own, pair, basis)}
    digests.add(asked(THRESHOLD, Study(Market.PAIR), SCENARIOS))
    assert len(digests) == 4
    assert asked(THRESHOLD, Study(), SCENARIOS) == asked(THRESHOLD, own, SCENARIOS)
    assert stamp(THRESHOLD, own, SCENARIOS).scenario in digests


def test_steps_are_stamped_as_traced_and_not_as_numbered() -> None:
    """Another number in a scenario is no other step; a market without spikes is one."""
    own, pair, _ = THRESHOLD.studies
    other = replace(own, settings=("policy.leverage=7",))
    one, same, else_ = (stamp(THRESHOLD, it, SCENARIOS) for it in (own, other, pair))
    assert one.scenario != same.scenario
    assert one.step == same.step
    assert one.step != else_.step


def test_a_missing_folder_is_one_sentence() -> None:
    with pytest.raises(StresscubeError, match=r"nowhere/threshold.toml: no such file \(run in"):
        scenario_text(THRESHOLD, Study(), SCENARIOS / "nowhere")


def test_spikes_offered_are_those_of_the_file() -> None:
    """22 of 24 hours are calm, with 2,200 spikes a year; the rest has 8,800, all of 60 bp."""
    cube = made(THRESHOLD, THRESHOLD.studies[0], {"pnl_mispricing_mean": lambda _: 0.01})
    expected = (2200 * 22 / 24 + 8800 * 2 / 24) / 365 * 0.006 * math.sqrt(2 / math.pi)
    assert spikes_offered(cube) == pytest.approx(expected)
    cell = {
        "side": "fixed", "entry_z": 0, "holding": 1, "rebalance_threshold": 0.008,
        "rebalance_interval": "off",
    }  # fmt: skip
    share = captured(cube, **cell)
    assert share.value == pytest.approx(0.01 / (expected * 10 / 2))


def test_a_cell_must_be_named_in_full() -> None:
    cube = made(THRESHOLD, THRESHOLD.studies[0], {})
    with pytest.raises(StresscubeError, match="left open"):
        cube.at("sharpe", side="fixed")
    with pytest.raises(StresscubeError, match="no such metric"):
        cube.at("sharp", side="fixed")
    with pytest.raises(StresscubeError, match="no such value"):
        cube.at("sharpe", side="sideways")
