"""Tapes cut from a history: what a tick holds, and that every backend cuts the same."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from emulator.fake_cupy import Machine, install
from markets import HOUR, compiled, of, policy, venue
from replays import SHAPES, random_replay_job, reading, tape, wild_history
from stresscube.metrics.context import BATCHES as METRIC_BATCHES
from stresscube_kernels import cpu, oracle, pack, signals, ticks
from stresscube_kernels.compiled import twin_kernels
from stresscube_kernels.contract import Outcome, Signals, Tick
from stresscube_kernels.pack import effective_leverage, feasible, pack_policies
from stresscube_kernels.pack_replay import bars, before, pack_replay, scores, trends, warm_bars
from stresscube_kernels.replay import BATCHES, MOST_BARS, number
from stresscube_kernels.spec import NEVER, Job, ReplaySpec, SimulationSpec
from stresscube_kernels.view import window_bars
from test_identity import gap

STEPS, PATHS, POLICIES = 60, 64, 60
COUNTS = ("liquidation_step", "recovered", "rebalances", "trades", "wins", "under_water")
KINDS = list(SHAPES)


# --- what a tape holds


def starts(market: ReplaySpec, paths: int, steps: int) -> NDArray[np.int64]:
    """The first bar of each window."""
    return window_bars(market, SimulationSpec(steps, HOUR, 0), 0, paths)


def test_windows_are_the_history() -> None:
    """Returns, lows, highs and funding of path p at step k are those of bar start(p) + k."""
    history = wild_history()
    market = ReplaySpec(history, stride=7 * HOUR)
    made = tape(market, 50, STEPS)
    at = starts(market, 50, STEPS)[:, None] + np.arange(STEPS)
    assert history.low is not None
    assert history.high is not None
    assert history.rates is not None
    assert history.due is not None
    inside = ticks.extremes(made)
    for leg, name in enumerate("ab"):
        back = history.close[at - 1, leg]
        returns = history.close[at, leg] / back - 1.0
        np.testing.assert_allclose(getattr(made, f"return_{name}"), returns, rtol=1e-14, atol=1e-16)
        for word, prices in (("low", history.low), ("high", history.high)):
            found = getattr(inside, f"{word}_{name}")
            np.testing.assert_allclose(found, prices[at, leg] / back - 1.0, rtol=1e-12, atol=1e-15)
        assert np.array_equal(getattr(made, f"funding_{name}"), history.rates[at, leg])
    assert np.array_equal(ticks.unpack(made.state).due, history.due[at])
    assert np.all(ticks.unpack(made.state).jumped == 1)
    assert np.all(inside.coincidence == 1.0)


def test_a_path_is_the_history_from_end_to_end() -> None:
    """The last prices over the first are those of the files."""
    history = wild_history()
    market = ReplaySpec(history, stride=11 * HOUR)
    job = Job(market, (policy(1.0, 1.0),), SimulationSpec(STEPS, HOUR, 4, "float64"))
    found = oracle.run(job, 0, 40).market
    at = starts(market, 40, STEPS)
    for leg in range(2):
        moved = history.close[at + STEPS - 1, leg] / history.close[at - 1, leg] - 1.0
        np.testing.assert_allclose(found[leg], moved, rtol=1e-11, atol=1e-13)


def test_windows_are_dealt_in_stretches() -> None:
    """All windows once; the paths of a batch are neighbours, the batches are in order of time."""
    assert BATCHES == METRIC_BATCHES
    for bars_, stride in ((900, 7), (131, 1), (100, 1), (900, 1)):
        market = ReplaySpec(wild_history(bars_), stride=stride * HOUR)
        warm = warm_bars(market)
        count = (bars_ - warm - STEPS) // stride + 1
        numbers = pack_replay(market, SimulationSpec(STEPS, HOUR, 0))
        assert int(numbers.windows) * BATCHES + int(numbers.extra) == count
        windows = (starts(market, count, STEPS) - warm) / stride
        assert np.array_equal(np.sort(windows), np.arange(count))
        stretches = [windows[batch::BATCHES] for batch in range(min(BATCHES, count))]
        assert np.array_equal(np.concatenate(stretches), np.arange(count))
        last = starts(market, count, STEPS).max() + STEPS
        assert last <= bars_ < last + stride


def test_no_lane_reads_outside_the_history() -> None:
    """Lanes beyond the last window, which no path uses, hold some bars of it."""
    market = ReplaySpec(wild_history(100, funding=False), stride=HOUR)
    made = tape(market, 400, STEPS)
    table = bars(market.history, market.variance_half_life, market.signal_half_life, NEVER)
    assert len(table) == 94
    assert np.isin(made.return_a, table[:, 0]).all()


def test_numbers_of_bars_are_exact_in_float32() -> None:
    from stresscube_kernels.ops import NumpyOps

    wanted = np.array([0, 1, 2, 77_777, 2**22 + 1, MOST_BARS - 1], np.uint32)
    for dtype in (np.float32, np.float64):
        assert np.array_equal(number(NumpyOps(dtype), wanted.astype(dtype)), wanted)


# --- what history does not have


def test_averages_are_those_of_simulated_markets() -> None:
    """The recursion of `signals.averages`, with weights that sum to 1 from the first return on."""
    history = wild_history(300)
    returns = np.diff(history.close, axis=0, prepend=history.close[:1]) / np.concatenate(
        [history.close[:1], history.close[:-1]]
    )
    mean = returns.mean(axis=1)
    half_life = 9.0
    rule = Signals(0.5 ** (1 / half_life), 1.0, 0.0, 0.0, 0.0, 0.0)
    variance, drift, weight = 0.0, 0.0, 0.0
    squares = 0.0
    found = trends(mean, half_life)
    for k in range(2, 300):
        variance, drift = signals.averages(rule, variance, drift, mean[k - 1])
        weight = rule.decay * weight + (1.0 - rule.decay)
        squares += mean[k - 1] ** 2
        ratio = np.sqrt(variance / weight / (squares / (k - 1)))
        assert found[k] == pytest.approx(np.copysign(ratio, drift), rel=1e-9), k


def test_variances_are_of_the_returns_before() -> None:
    """Of a constant covariance the average finds it; one wild bar is in the next one's variance."""
    rng = np.random.default_rng(8)
    sigma = np.array([[4e-4, 3e-4], [3e-4, 9e-4]])
    returns = rng.multivariate_normal([0.0, 0.0], sigma, 40_000)
    history = replace(wild_history(10), close=np.cumprod(1.0 + returns, axis=0), rates=None,
                      low=None, high=None, due=None)  # fmt: skip
    table = bars(history, 200 * HOUR, HOUR, NEVER)
    for column, (i, j) in zip((2, 3, 4), ((0, 0), (0, 1), (1, 1)), strict=True):
        # The mean of the averages is that of the products, less ends of a few half-lives.
        error = np.sqrt((sigma[i, i] * sigma[j, j] + sigma[i, j] ** 2) / len(table))
        assert abs(table[:, column].mean() - sigma[i, j]) < 4 * error
    one = np.zeros(50)
    one[20] = 1.0
    decayed = before(one, 5.0)
    assert np.all(decayed[:21] == 0.0)
    keep = 0.5**0.2
    assert decayed[21] == pytest.approx((1 - keep) / (1 - keep**20), rel=1e-12)


def test_scores_are_what_was_known() -> None:
    """z of a bar: the spread at its start against the weighted mean and deviation up to then."""
    close = wild_history(200).close
    x = np.log(close[:, 1] / close[:, 0])
    found, half_life = scores(close, 15.0), 15.0
    for k in (2, 3, 40, 199):
        weights = 0.5 ** (np.arange(k - 2, -1, -1) / half_life)
        past = x[1:k]
        mean = np.average(past, weights=weights)
        spread = np.sqrt(np.average((past - mean) ** 2, weights=weights))
        if k > 2:
            assert found[k] == pytest.approx((x[k - 1] - mean) / spread, rel=1e-6), k


def test_no_tick_sees_ahead() -> None:
    """What a policy may know at a bar's start does not change with that bar or later ones.

    Everything from bar 500 on is replaced; up to it all ticks are the same, and what is known at
    its start as well. Its funding is what is due then, which the venue shows.
    """
    history = wild_history(900)
    assert history.low is not None
    assert history.high is not None
    assert history.rates is not None
    rng = np.random.default_rng(2)
    factors = rng.uniform(0.5, 1.5, (400, 2))
    changed = [column.copy() for column in (history.close, history.low, history.high)]
    for column in changed:
        column[500:] *= factors
    rates = history.rates.copy()
    rates[500:] *= -3.0
    other = replace(history, close=changed[0], low=changed[1], high=changed[2], rates=rates)
    known = ("variance_a", "covariance", "variance_b", "z", "trend")
    tables = [bars(h, 6 * HOUR, HOUR, 20 * HOUR) for h in (history, other)]
    first = 500 - (900 - len(tables[0]))
    assert np.array_equal(tables[0][:first], tables[1][:first])
    from stresscube_kernels.contract import Bar

    for name in known:
        at = Bar._fields.index(name)
        assert tables[0][first, at] == tables[1][first, at], name
        assert tables[0][first + 1, at] != tables[1][first + 1, at], name


def test_the_warm_up_is_left_out() -> None:
    """No path sees a bar that is only there to begin the averages."""
    for spread, warm in ((NEVER, 6), (20 * HOUR, 20)):
        market = ReplaySpec(wild_history(), stride=HOUR, spread_half_life=spread)
        assert warm_bars(market) == warm
        assert starts(market, 800, STEPS).min() == warm


def test_unusable_histories_are_refused() -> None:
    run = SimulationSpec(STEPS, HOUR, 0)
    with pytest.raises(ValueError, match="bars cannot be replayed"):
        pack_replay(ReplaySpec(wild_history(60), stride=HOUR), run)
    with pytest.raises(ValueError, match="at the length of its bars"):
        pack_replay(ReplaySpec(wild_history(), stride=HOUR), replace(run, step=HOUR / 2))


def test_execution_noise_has_the_bars_covariance() -> None:
    """The normal scores of the noise: mean 0, variance 1, correlation as in the tick; 4 errors."""
    market = ReplaySpec(wild_history(), method="bootstrap", block_length=20 * HOUR)
    shape = reading(market, intrabar=False)
    made = tape(market, 400, 50, shape=shape)
    count = made.noise_a.size
    a, b = made.noise_a / np.sqrt(made.variance_a), made.noise_b / np.sqrt(made.variance_b)
    rho = made.covariance / np.sqrt(made.variance_a * made.variance_b)
    for z in (a, b):
        assert abs(z.mean()) < 4 / np.sqrt(count)
        assert abs(z.var() - 1.0) < 4 * np.sqrt(2 / count)
    products = a * b - rho
    assert abs(products.mean()) < 4 * products.std() / np.sqrt(count)


def test_noise_words_are_those_of_simulated_markets() -> None:
    """Common random numbers: switching latency or the source shifts nothing else."""
    market = ReplaySpec(wild_history(), stride=HOUR)
    with_noise = tape(market, 20, STEPS)
    without = tape(market, 20, STEPS, shape=reading(market, latency=False))
    assert np.all(without.noise_a == 0.0)
    for name in Tick._fields:
        if not name.startswith("noise"):
            assert np.array_equal(getattr(with_noise, name), getattr(without, name)), name


# --- backends


@lru_cache(maxsize=32)
def example(kind: str, seed: int, precision: str) -> Job:
    """A random job whose policies can all open."""
    rng = np.random.default_rng(20261201 + seed)
    job = random_replay_job(
        rng, steps=STEPS, policies=3 * POLICIES, precision=precision,
        margin_mode="isolated" if kind == "isolated" else "cross", ranges=kind != "bridge",
    )  # fmt: skip
    able = [p for p in job.policies if feasible(p, job.simulation)]
    return Job(job.market, tuple(able[:POLICIES]), job.simulation)


@lru_cache(maxsize=32)
def exact(kind: str, seed: int, precision: str) -> NDArray[Any]:
    job, shape = example(kind, seed, precision), SHAPES[kind]
    made, _ = oracle.simulate(job, 0, PATHS, precision, shape)
    assert np.isfinite(made).all()
    packed = pack_policies(job.policies, job.simulation, shape)
    return oracle.run_policies(made, packed, shape, precision)


SEEDS = range(3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_random_jobs_reach_everything(kind: str) -> None:
    outcomes = np.concatenate([exact(kind, seed, "float64") for seed in SEEDS], axis=1)
    assert 0.05 < (of(outcomes, "liquidation_step") > 0).mean() < 0.95
    assert of(outcomes, "deficit").max() > 0
    assert of(outcomes, "recovered").max() == 1
    assert of(outcomes, "rebalances").max() > 5
    assert of(outcomes, "trades").max() > 20
    assert of(outcomes, "funding").min() < 0 < of(outcomes, "funding").max()
    jobs = [example(kind, seed, "float64") for seed in SEEDS]
    shapes = [SHAPES[kind]._replace(features=pack.job_shape(job).features) for job in jobs]
    assert pack.united(shapes) == SHAPES[kind]  # nothing is off in all of them


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_books_close(kind: str, precision: str) -> None:
    for seed in SEEDS:
        outcomes = exact(kind, seed, precision)
        assert np.isfinite(outcomes).all()
        assert np.all(gap(outcomes, example(kind, seed, precision)) <= 1.0), seed
        assert np.all(of(outcomes, "final_equity") >= 0)


@pytest.mark.parametrize(
    ("kind", "precision"),
    [*((kind, "float64") for kind in KINDS), ("cross", "float32"), ("isolated", "float32")],
)
def test_numba_is_the_oracle_bit_for_bit(kind: str, precision: str) -> None:
    """From end to end: the same bars, and every outcome."""
    for seed in SEEDS:
        job = example(kind, seed, precision)
        found = compiled(job, PATHS, shape=SHAPES[kind]).per_policy
        assert np.array_equal(found, exact(kind, seed, precision)), seed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.needs("compiler")
def test_the_twin_to_rounding(kind: str) -> None:
    """Counts exactly, reals to 1e-11 of the notional, as for simulated markets."""
    for seed in SEEDS:
        job, shape = example(kind, seed, "float64"), SHAPES[kind]
        found = compiled(job, PATHS, shape=shape, kernels=twin_kernels(shape, "float64")).per_policy
        theirs = exact(kind, seed, "float64")
        size = 1.0 + np.array([effective_leverage(p) for p in job.policies])[:, None]
        for k, name in enumerate(Outcome._fields):
            if name in COUNTS:
                assert np.array_equal(found[k], theirs[k]), (seed, name)
            else:
                error = np.abs(found[k] - theirs[k]) / (np.abs(theirs[k]) + size)
                assert error.max() < 1e-11, (seed, name)


@pytest.mark.parametrize("kind", ["cross", "isolated"])
@pytest.mark.needs("compiler")
def test_the_cuda_source_to_rounding(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module for a card, built by the host compiler, in batches of any size."""
    install(Machine(cards=1, memory=2**28), monkeypatch)
    from stresscube_kernels import cuda

    job = example(kind, 1, "float64")
    theirs = exact(kind, 1, "float64")
    size = 1.0 + np.array([effective_leverage(p) for p in job.policies])[:, None]
    whole: Any = None
    for batch in (64, 32):
        prepared = cuda.prepare(job, shape=SHAPES[kind], paths_at_once=batch)
        outcomes: Any = prepared.run(0, PATHS).per_policy
        found = outcomes.get()
        whole = found if whole is None else whole
        assert np.array_equal(found, whole)
        for k, name in enumerate(Outcome._fields):
            if name in COUNTS:
                assert np.array_equal(found[k], theirs[k]), name
            else:
                error = np.abs(found[k] - theirs[k]) / (np.abs(theirs[k]) + size)
                assert error.max() < 1e-11, name


def bits(job: Job, first: int, paths: int, threads: int = 1) -> NDArray[Any]:
    made = compiled(job, paths, first=first, shape=SHAPES["cross"], threads=threads)
    return np.concatenate([made.per_policy.reshape(-1, paths), made.market]).view(np.uint32)


@pytest.mark.parametrize("method", ["windows", "bootstrap"])
def test_bit_identity_over_batches(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any range of paths, any number of threads, any chunk of steps: the same bits."""
    job = example("cross", 0, "float32")
    assert isinstance(job.market, ReplaySpec)
    job = replace(job, market=replace(job.market, method=method, stride=HOUR))
    whole = bits(job, 0, 150)
    for first, paths, threads in ((0, 37, 2), (37, 100, 1), (149, 1, 1)):
        assert np.array_equal(bits(job, first, paths, threads), whole[:, first : first + paths])
    monkeypatch.setattr(cpu, "STEPS_AT_ONCE", 7)
    assert np.array_equal(bits(job, 0, 150, 2), whole)


def test_a_single_leg_is_a_plain_backtest() -> None:
    """Buy and hold, no margin, a fee at both ends: equity is 1 + N r - fees, path by path."""
    market = ReplaySpec(wild_history(funding=False), stride=3 * HOUR)
    free = venue(taker_fee=0.001, maintenance_tiers=((0.0, 0.0),))
    run = SimulationSpec(STEPS, HOUR, 1, "float64")
    found = oracle.run(Job(market, (policy(0.0, 0.8, venues=(free,)),), run), 0, 60)
    moved = found.market[0]
    expected = 1.0 + 0.8 * moved - 0.001 * 0.8 * (1.0 + (1.0 + moved))
    assert np.all(of(found.per_policy, "liquidation_step") == 0)
    np.testing.assert_allclose(of(found.per_policy, "final_equity")[0], expected, rtol=1e-12)
