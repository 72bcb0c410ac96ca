"""The mispricing of leg b: its law, where it shows, and the smoothed mark against it.

K standard errors from exact moments; about 60 comparisons.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from markets import HOUR, of, policy, tape_of, two_state, venue
from stresscube_kernels import oracle
from stresscube_kernels.moments import sd_mispricing
from stresscube_kernels.pack import job_shape, pack_policies
from stresscube_kernels.spec import Job, MarketSpec, MispricingSpec, SimulationSpec
from whole import MINUTE, alone, calm, free, settle, simulated, spread_of

K = 4.5
SD, HALF_LIFE = 0.002, 30 * MINUTE
OU = MispricingSpec(HALF_LIFE, SD)
PAIR = calm((0.6, 0.6), 1.0)
"""One coin on two venues: everything between the legs is mispricing."""
PATHS = 20_000


def run_of(minutes: float, step: float = MINUTE) -> SimulationSpec:
    return SimulationSpec(round(minutes * MINUTE / step), step, 404, "float64")


@pytest.mark.parametrize("step", [1, 10])
def test_variance_and_half_life(step: int) -> None:
    """x is stationary from time 0; half of it is left after a half-life, at any step length.

    Errors: a normal's variance has sqrt(2 / n), its correlation (1 - rho^2) / sqrt(n).
    """
    market = alone(replace(PAIR, mispricing=(OU,)))
    made, _, state = simulated(market, run_of(60, step * MINUTE), PATHS)
    x = np.concatenate([made.z * SD, state.x_1[:, None]], axis=1)  # no noise: z is x / sd
    half = 30 // step
    for k in (0, half, 2 * half):
        assert abs(x[:, k].mean()) < K * SD / PATHS**0.5
        assert abs(x[:, k].var() / SD**2 - 1) < K * (2 / PATHS) ** 0.5
    for lag, rho in ((half, 0.5), (2 * half, 0.25), (1, 0.5 ** (1 / half))):
        found = np.corrcoef(x[:, 0], x[:, lag])[0, 1]
        assert abs(found - rho) < K * (1 - rho**2) / PATHS**0.5


def test_two_components() -> None:
    """Variances add, and each half-life shows: 0.8 of the variance forgets slowly."""
    parts = MispricingSpec(10 * MINUTE, SD * 0.2**0.5), MispricingSpec(120 * MINUTE, SD * 0.8**0.5)
    made, _, state = simulated(alone(replace(PAIR, mispricing=parts)), run_of(60), PATHS)
    x = made.z * SD
    assert abs(x[:, 30].var() / SD**2 - 1) < K * (2 / PATHS) ** 0.5
    rho = 0.2 * 0.5**3 + 0.8 * 0.5**0.25
    assert abs(np.corrcoef(x[:, 0], x[:, 30])[0, 1] - rho) < K * (1 - rho**2) / PATHS**0.5
    assert abs(np.corrcoef(state.x_1, state.x_2)[0, 1]) < K / PATHS**0.5


def test_spikes() -> None:
    """Variance p s^2 / (1 - d^2), and the bit where one fell; the start is `test_spikes.py`'s.

    For small steps that is nu s^2 / 2k, and within 2% of it here. The error of a sample variance
    is sqrt((kappa_4 + 2 kappa_2^2) / n), with the cumulants of a sum of decaying independent
    kicks, sum_j kappa(kick) d^(jk).
    """
    rate, size = 0.02 / MINUTE, 0.006
    spikes = MispricingSpec(HALF_LIFE, 0.0, rate, size)
    market = alone(replace(PAIR, mispricing=(spikes,)))
    made, states, state = simulated(market, run_of(4 * 30), PATHS // 2)
    x, n = state.x_1, PATHS // 2
    p, d = -np.expm1(-0.02), 0.5 ** (1 / 30)
    variance = p * size**2 / (1 - d * d)
    fourth = (3 * p - 3 * p * p) * size**4 / (1 - d**4)
    error = np.sqrt((fourth + 2 * variance**2) / n)
    assert abs(x.var() - variance) < K * error
    sd = sd_mispricing(market, MINUTE)
    assert sd**2 == pytest.approx(variance, rel=1e-12)
    assert sd**2 == pytest.approx(rate * size**2 * 30 * MINUTE / 2 / np.log(2), rel=0.02)
    share = states.jumped.mean()
    assert abs(share - p) < K * np.sqrt(p * (1 - p) / states.jumped.size)
    # away from spikes x only decays, and by the half-life; at a spike it jumps by N(0, s^2)
    before = made.z * sd
    after = np.concatenate([before[:, 1:], x[:, None]], axis=1)
    jumps = after - d * before
    fell = states.jumped == 1
    assert np.abs(jumps[~fell]).max() < 1e-12
    assert abs(jumps[fell].var() / size**2 - 1) < K * (2 / fell.sum()) ** 0.5
    # a spike is no diffusion: the bridge's variance does not have it
    np.testing.assert_allclose(made.variance_b, made.variance_a, rtol=1e-12)


def test_it_is_in_leg_b_alone_and_integrates_to_x() -> None:
    """Leg a, and leg b's fair price, are those without it; what is left sums to the change of x."""
    regime = calm((0.6, 0.8), 0.7)
    run = run_of(120)
    made, _, state = simulated(alone(replace(regime, mispricing=(OU,))), run, 300)
    plain, _, _ = simulated(alone(regime), run, 300)
    assert np.array_equal(made.return_a, plain.return_a)
    np.testing.assert_allclose(made.return_b - made.mispricing, plain.return_b, atol=1e-15)
    x = np.concatenate([made.z * SD, state.x_1[:, None]], axis=1)
    total = np.cumsum(spread_of(made), axis=1)
    # returns are good to 1e-6 of themselves: what a step of x moves, 1.5e-4, to 1e-10
    np.testing.assert_allclose(total, x[:, 1:] - x[:, :1], atol=120 * 2e-10)
    price = np.log(state.price_b) - np.log(np.prod(1 + plain.return_b, axis=1))
    np.testing.assert_allclose(price, x[:, -1] - x[:, 0], atol=120 * 2e-10)


def test_execution_noise_includes_it() -> None:
    """Between the legs of one coin a fill is uncertain by the OU's noise of the step, no more."""
    made, _, _ = simulated(alone(replace(PAIR, mispricing=(OU,))), run_of(10), PATHS)
    kick = SD * np.sqrt(1 - 0.5 ** (2 / 30))
    own = made.noise_b - made.noise_a
    n = own.size
    assert abs(own.var() / kick**2 - 1) < K * (2 / n) ** 0.5
    assert abs(np.corrcoef(own.ravel(), made.noise_a.ravel())[0, 1]) < K / n**0.5
    np.testing.assert_allclose(made.variance_b, made.variance_a + kick**2, rtol=1e-12)
    np.testing.assert_allclose(made.covariance, made.variance_a, rtol=1e-12)


def test_one_coin_without_mispricing_earns_no_noise() -> None:
    """rho 1 and x 0 in the very code that has them: the legs' noises are equal, and a perfect
    hedge that turns over with latency ends where it began, to rounding."""
    still = alone(replace(PAIR, mispricing=(MispricingSpec(HALF_LIFE, 0.0),)))
    run = run_of(60)
    policies = tuple(
        policy(1.0, 8.0, venues=(venue(latency=share * MINUTE),), holding=7 * MINUTE,
               rebalance_interval=3 * MINUTE)
        for share in (0.1, 0.5, 0.9)
    )  # fmt: skip
    job = Job(still, policies, run)
    shape = job_shape(job)
    shape = shape._replace(mispricing=1, features=shape.features._replace(mispricing=True))
    tape, _ = oracle.simulate(job, 0, 200, shape=shape)
    outcomes = oracle.run_policies(tape, pack_policies(policies, run, shape), shape)
    eps = np.finfo(np.float64).eps
    assert np.all(np.abs(of(outcomes, "final_equity") - 1) < 60 * 12 * eps)
    assert np.all(of(outcomes, "pnl_mispricing") == 0)
    moving = alone(replace(PAIR, mispricing=(OU,)))
    tape, _ = oracle.simulate(Job(moving, policies, run), 0, 200, shape=shape)
    outcomes = oracle.run_policies(tape, pack_policies(policies, run, shape), shape)
    assert of(outcomes, "final_equity").std() > 1e-3


def test_what_the_mispricing_earned() -> None:
    """Short b of 1: b gains 3% of which 2% are x: P&L b -.03, the mispricing's part -.02."""
    tape = tape_of({"return_b": 0.03, "mispricing": 0.02})
    book = settle(tape, policy(1.0, 2.0), mispricing=True)
    assert book["pnl_b"] == pytest.approx(-0.03, abs=1e-15)
    assert book["pnl_mispricing"] == pytest.approx(-0.02, abs=1e-15)


def test_what_the_mispricing_earned_counts_the_part_before_the_fill() -> None:
    """Filled half-way: leg b pays for half of its 3%, and the mispricing's 2% are counted whole."""
    exchange = free(latency=0.5)
    tape = tape_of({"return_b": 0.03, "mispricing": 0.02})
    book = settle(tape, policy(1.0, 2.0, venues=(exchange,)), mispricing=True, latency=True)
    assert book["pnl_b"] == pytest.approx(-0.015, abs=1e-15)
    assert book["pnl_mispricing"] == pytest.approx(-0.02, abs=1e-15)


def test_each_regime_has_its_own_half_life() -> None:
    """A component may differ by regime; one that a regime lacks does not move there."""
    with_two = replace(PAIR, mispricing=(OU, MispricingSpec(HALF_LIFE, SD)))
    one = replace(PAIR, mispricing=(OU,))
    market = MarketSpec((one, with_two), two_state((HOUR, HOUR), initial=0))
    made, states, state = simulated(market, run_of(60), 2000)
    never = (states.regime == 0).all(axis=1)
    assert 100 < never.sum() < 1900
    _, _, earlier = simulated(market, run_of(30), 2000)
    moved = np.abs(state.x_2 - earlier.x_2)
    assert np.all(moved[never] <= 1e-4 * np.abs(earlier.x_2[never]))
    assert np.median(moved[~never]) > 0.1 * SD
    variance = made.variance_b - made.variance_a
    kick = SD**2 * (1 - 0.5 ** (2 / 30))
    np.testing.assert_allclose(variance, kick * (1 + states.regime), rtol=1e-6)


def test_the_mark_is_the_average_of_x() -> None:
    """EWMA with the stated half-life from x at time 0: log(mark / price) = EWMA(x) - x."""
    market = alone(replace(PAIR, mispricing=(OU,)), mark_smoothing=15 * MINUTE)
    made, _, state = simulated(market, run_of(90), 50)
    x = np.concatenate([made.z * SD, state.x_1[:, None]], axis=1)
    keep, mark = 0.5 ** (1 / 15), x[:, 0]
    for k in range(90):
        mark = keep * mark + (1 - keep) * x[:, k + 1]
        np.testing.assert_allclose(np.log1p(made.mark_b[:, k]), mark - x[:, k + 1], atol=1e-8)
    np.testing.assert_allclose(state.mark, mark, rtol=1e-9)


def test_a_spike_liquidates_by_its_mark() -> None:
    """h 1, L 8, margin 1%: E 1, M .08. b spikes by 25% and is back a step later.

    At traded prices E = 1 - 4 * .25 = 0 < M: dead. The mark has only 10% of the spike, so it lies
    -18% below the price of 1.25 (1.025 / 1.25 - 1): unrealised is -5 * -.18 = .9, and the margin
    1% of 4 and of 5 * .82 = 4.1: .081. 0 + .9 > .081: it lives, and ends with all it had.
    """
    exchange = venue(maintenance_tiers=((0.0, 0.01),))
    spike = {"return_b": 0.25, "mispricing": 0.25}
    back = {"return_b": -0.2, "mispricing": -0.2}
    tape = tape_of({**spike, "mark_b": 1.025 / 1.25 - 1}, back)
    spec = policy(1.0, 8.0, venues=(exchange,))
    traded = settle(tape, spec, mispricing=True)
    marked = settle(tape, spec, mispricing=True, mark=True)
    assert traded["liquidation_step"] == 1
    assert traded["final_equity"] == 0
    assert marked["liquidation_step"] == 0
    assert marked["final_equity"] == pytest.approx(1.0, abs=1e-12)


def test_a_drawdown_may_pass_1_under_a_smoothed_mark() -> None:
    """As above with a spike of 30% of which the mark takes nothing: equity at traded prices is
    1 - 4 * .3 = -.2 for a step, and the account lives."""
    exchange = venue(maintenance_tiers=((0.0, 0.01),))
    spike = {"return_b": 0.3, "mispricing": 0.3, "mark_b": 1 / 1.3 - 1}
    book = settle(
        tape_of(spike, {"return_b": 1 / 1.3 - 1}), policy(1.0, 8.0, venues=(exchange,)),
        mispricing=True, mark=True,
    )  # fmt: skip
    assert book["liquidation_step"] == 0
    assert book["max_drawdown"] == pytest.approx(1.2, abs=1e-12)
    assert book["final_equity"] == pytest.approx(1.0, abs=1e-12)


def test_the_margin_at_a_mark_by_hand() -> None:
    """As above with a spike of 30% whose mark takes 92%: 1.276 / 1.3 - 1 = -.0184615.

    E = 1 - 1.2 = -.2; unrealised 5.2 * .0184615 = .096; marked E -.104, M .04 + 5.104 * .01
    = .09104: hit. Without bridge it closes where it is: E_c = min(M - .096, E) = -.2, deficit .2.
    With the bridge, at the margin inside the step: E_c = .09104 - .096 = -.00496.
    """
    exchange = venue(maintenance_tiers=((0.0, 0.01),))
    tape = tape_of({"return_b": 0.3, "mark_b": 1.276 / 1.3 - 1})
    spec = policy(1.0, 8.0, venues=(exchange,))
    book = settle(tape, spec, mispricing=True, mark=True)
    assert book["deficit"] == pytest.approx(0.2, abs=1e-12)
    book = settle(tape, spec, bridge=True, mispricing=True, mark=True)
    assert book["deficit"] == pytest.approx(0.00496, abs=1e-12)
    assert book["final_equity"] == 0


def test_smoothing_makes_spikes_less_deadly() -> None:
    """On the same paths: every account that a smoothed mark kills was dead without it, bar few."""
    spiky = MispricingSpec(5 * MINUTE, 0.001, 0.02 / MINUTE, 0.08)
    regime = replace(calm((0.3, 0.3), 1.0), mispricing=(spiky,))
    run = run_of(120)
    spec = (policy(1.0, 20.0),)
    hits = []
    for smoothing in (0.0, 60 * MINUTE):
        market = alone(regime, mark_smoothing=smoothing)
        made = oracle.run(Job(market, spec, run), 0, 1000).per_policy
        hits.append(of(made, "liquidation_step")[0] > 0)
    assert hits[0].mean() > 0.2
    assert hits[1].mean() < 0.5 * hits[0].mean()
    assert (hits[1] & ~hits[0]).mean() < 0.02
