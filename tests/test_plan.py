"""The plan: which blocks a run has, what identifies it, and that nothing else divides it."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import FakeBackend, scenario
from stresscube.errors import StresscubeError
from stresscube.identity import canonical, differences, digest
from stresscube.plan import Block, Plan, divide, make_plan
from stresscube.scenario.expand import policy_spec
from stresscube_kernels.contract import Features, Shape
from stresscube_kernels.moments import resolved
from stresscube_kernels.pack import job_shape


def covered(plan: Plan, block: Block) -> list[int]:
    """Return the flat numbers of a block's cells."""
    cells = np.arange(plan.cells).reshape(plan.shape)[block.region]
    return [int(cell) for cell in cells.ravel()]


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), max_size=5).map(tuple),
    limit=st.integers(1, 600),
)
def test_a_chunk_fits_and_is_one_run_of_cells(sizes: tuple[int, ...], limit: int) -> None:
    shape = divide(sizes, limit)
    assert len(shape) == len(sizes)
    assert math.prod(shape) <= limit
    assert all(1 <= part <= size for part, size in zip(shape, sizes, strict=True))
    cut = [part < size for part, size in zip(shape, sizes, strict=True)]
    if any(cut):
        last = max(index for index, it in enumerate(cut) if it)
        assert all(part == 1 for part in shape[:last])


def test_blocks_cover_every_cell_once_and_stay_at_one_market_point() -> None:
    plan = make_plan(scenario(), FakeBackend(block_policies=7))
    cells = [cell for block in plan.blocks for cell in covered(plan, block)]
    assert sorted(cells) == list(range(plan.cells))
    assert plan.block_shape == (1, 1, 1, 3, 2)
    assert [block.index for block in plan.blocks] == list(range(len(plan.blocks)))
    assert plan.market_points == 2
    for block in plan.blocks:
        assert block.shape[0] == 1
        expected = {"market.regimes.calm.correlation": (0.9, 0.5)[block.start[0]]}
        assert plan.market_point(block) == expected


def test_a_block_at_the_edge_is_smaller() -> None:
    plan = make_plan(scenario(), FakeBackend(block_policies=12))
    assert plan.block_shape == (1, 1, 2, 3, 2)
    assert {block.shape[2] for block in plan.blocks} == {2, 1}


def test_policies_of_a_block_are_the_points_of_its_axes_in_order() -> None:
    plan = make_plan(scenario(), FakeBackend(block_policies=512))
    cells = plan.policy_cells(plan.blocks[0])
    values = [axis.values for axis in plan.axes[1:]]
    points = list(itertools.product(*values))
    assert len(cells.specs) == len(points) == 36
    for spec, (venue, ratio, leverage, threshold) in zip(cells.specs, points, strict=True):
        assert (spec is None) == (venue == "B" and leverage == 50)
        if spec is not None:
            assert spec.venues[0].name == venue
            assert (spec.hedge_ratio, spec.leverage) == (ratio, leverage)
            assert spec.rebalance_threshold == threshold
    assert cells.feasible.sum() == len(cells.feasible_specs) == 30
    capped = [
        20.0 if venue == "A" and leverage == 50 else leverage for venue, _, leverage, _ in points
    ]
    assert cells.leverage.tolist() == capped
    assert plan.feasible_cells == 60
    assert plan.policy_steps == 60 * 3000 * 120


OPEN = (
    'sweep={ "market.regimes.calm.correlation" = [0.9, 0.5], venue = ["A", "B"], '
    'hedge_ratio = [0.8, "min-variance"], leverage = [2, 10], sizing_correlation = ["off", 0.3] }'
)


def test_policies_may_depend_on_the_market() -> None:
    """Volatilities .6 and .8: the minimum-variance ratio is .75 rho, and sizing halves at most."""
    plan = make_plan(scenario(3000, False, OPEN), FakeBackend(block_policies=512))
    assert len(plan.blocks) == 2
    for block, rho in zip(plan.blocks, (0.9, 0.5), strict=True):
        market = plan.job(block).market
        cells = plan.policy_cells(block)
        points = itertools.product(*(axis.values for axis in plan.axes[1:]))
        for spec, leverage, point in zip(cells.specs, cells.leverage, points, strict=True):
            assert spec is not None
            _, ratio, asked, feared = point
            hedge = 0.75 * rho if ratio == "min-variance" else 0.8
            assert spec.hedge_ratio == pytest.approx(hedge)
            described = policy_spec(plan.scenario, dict(zip(("venue", "hedge_ratio", "leverage",
                                    "sizing_correlation"), point, strict=True)))  # fmt: skip
            assert spec == resolved(described, market)
            usual, worse = (math.sqrt(0.36 + (0.8 * hedge) ** 2 - 2 * r * 0.48 * hedge)
                            for r in (rho, 0.3))  # fmt: skip
            assert leverage == pytest.approx(
                float(asked) * (usual / worse if feared == 0.3 else 1.0)
            )
    assert plan.feasible_cells == 32


def test_feasibility_is_that_of_the_market() -> None:
    """B's margin is 4%, too much for 30x; sizing for .3 leaves 11x at rho .9, 25.4x at .5."""
    change = OPEN.replace("leverage = [2, 10]", "leverage = [2, 30]")
    plan = make_plan(scenario(3000, False, change), FakeBackend(block_policies=512))
    seen = [plan.policy_cells(block).feasible.reshape(2, 2, 2, 2)[1, 0, 1] for block in plan.blocks]
    assert [it.tolist() for it in seen] == [[False, True], [False, False]]
    assert all(
        len(plan.job(b).policies) == plan.policy_cells(b).feasible.sum() for b in plan.blocks
    )


def test_blocks_share_policies_that_do_not_depend_on_the_market() -> None:
    plan = make_plan(scenario(), FakeBackend(block_policies=512))
    first, second = plan.blocks
    assert plan.policy_cells(first) is plan.policy_cells(second)


def test_one_code_serves_every_market_and_policy() -> None:
    """Tails at one market, mispricing at another, sides and biases of any policy."""
    change = (
        'market.regimes=[{ name = "calm", volatility = [0.6, 0.8], correlation = 0.85, '
        'mispricing = [{ half_life = "1h" }] }]',
        'sweep={ "market.regimes.calm.tail_dof" = [inf, 5], '
        '"market.regimes.calm.mispricing[0].std" = [0.0, 0.001], directional_bias = [0.0, 0.1] }',
    )
    plan = make_plan(scenario(3000, False, *change), FakeBackend(block_policies=1))
    codes = {plan.code(block) for block in plan.blocks}
    assert len(plan.blocks) == 8
    (code,) = codes
    assert code.mispricing == 1
    assert (code.features.tails, code.features.mispricing, code.features.bias) == (True,) * 3
    assert (code.features.latency, code.features.funding) == (False, False)
    assert code == shape_union(plan)


def shape_union(plan: Plan) -> Shape:
    """Return the code of all markets and policies by the plainest way."""
    shapes = [job_shape(plan.job(block)) for block in plan.blocks]
    features = zip(*(shape.features for shape in shapes), strict=True)
    numbers = zip(*(shape[1:] for shape in shapes), strict=True)
    return Shape(Features(*map(any, features)), *map(max, numbers))


def test_venues_of_different_margin_modes_stand_in_blocks_of_their_own() -> None:
    plain = scenario()
    first, second = plain.venues
    other = second.model_copy(update={"margin_mode": "isolated"})
    plan = make_plan(plain.model_copy(update={"venues": (first, other)}), FakeBackend())
    assert plan.block_shape[:2] == (1, 1)
    venues = [{spec.venues[0].name for spec in plan.policy_cells(block).feasible_specs}
              for block in plan.blocks]  # fmt: skip
    assert all(len(names) == 1 for names in venues)


def test_a_scenario_without_a_sweep_is_one_block() -> None:
    bare = scenario().model_copy(update={"sweep": {}})
    plan = make_plan(bare, FakeBackend())
    assert (plan.shape, plan.block_shape, plan.cells) == ((), (), 1)
    assert [block.cells for block in plan.blocks] == [1]


def test_division_takes_fewer_policies_for_very_many_paths_only() -> None:
    def policies(paths: int) -> int:
        return make_plan(scenario(paths), FakeBackend(block_policies=10**6)).block_policies

    assert policies(20_000) == 36
    assert policies(2**32) == 36
    assert make_plan(scenario(2**32), FakeBackend()).chunk_policies == 1


def test_the_document_is_json_and_its_hash_is_stable() -> None:
    plan = make_plan(scenario(), FakeBackend())
    assert json.loads(json.dumps(plan.document, allow_nan=False)) == plan.document
    assert plan.hash == make_plan(scenario(), FakeBackend()).hash


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("simulation.seed=6", "simulation.seed is 5 there and 6 here"),
        ("simulation.precision=float64", "simulation.precision is float32 there and float64 here"),
        ("sweep.leverage=[2, 10]", "sweep.leverage is [2, 10, 50] there and [2, 10] here"),
        ("venues.A.latency=1s", "latency"),
    ],
)
def test_a_change_of_numbers_changes_the_plan_and_is_named(override: str, named: str) -> None:
    old = make_plan(scenario(), FakeBackend())
    new = make_plan(scenario(3000, False, override), FakeBackend())
    assert old.hash != new.hash
    found = differences({"identity": old.identity}, {"identity": new.identity})
    assert len(found) == 1
    assert named in found[0]


def test_words_change_no_plan() -> None:
    plain = make_plan(scenario(), FakeBackend())
    assert make_plan(scenario(3000, False, "description=other"), FakeBackend()).hash == plain.hash


def test_versions_and_backend_are_part_of_the_plan() -> None:
    plan = make_plan(scenario(), FakeBackend())
    assert set(plan.identity["versions"]) == {"stresscube", "numpy"}
    assert all(len(it) == 64 for it in plan.identity["sources"].values())
    assert make_plan(scenario(), FakeBackend(name="other")).hash != plan.hash
    with pytest.raises(StresscubeError, match="--backend gpu9: must be one of auto, cpu"):
        make_plan(scenario(), "gpu9")


def test_canonical_numbers_have_one_spelling() -> None:
    assert canonical({"a": (1.0, math.inf, True)}) == {"a": [1, "inf", True]}
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest(canonical(0.1)) != digest(canonical(0.1 + 2e-17))
