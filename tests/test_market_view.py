"""Market paths as labelled arrays."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import stresscube as sc
from fakes import scenario
from stresscube_kernels.oracle import run as simulate
from stresscube_kernels.spec import Job


def test_paths_have_prices_regimes_and_correlations() -> None:
    seen = sc.market(scenario(), paths=3)
    assert dict(seen.sizes) == {"leg": 2, "path": 3, "time": 121}
    assert (seen["price"].isel(time=0) == 100.0).all()
    assert float(seen["time"][-1]) == pytest.approx(2.0)
    assert seen["leg"].attrs["assets"] == ["BTC", "ETH"]
    assert seen["regime"].attrs["names"] == ["calm"]
    np.testing.assert_allclose(seen["correlation"], 0.85, rtol=1e-6)
    for variable in seen.variables.values():
        assert "long_name" in variable.attrs


def test_a_point_chooses_the_market() -> None:
    seen = sc.market(scenario(), 2, {"market.regimes.calm.correlation": 0.5})
    np.testing.assert_allclose(seen["correlation"], 0.5, rtol=1e-6)


def test_any_path_can_be_seen_alone() -> None:
    alone = sc.market(scenario(), paths=1, first_path=2)
    xr.testing.assert_allclose(alone, sc.market(scenario(), paths=3).isel(path=[2]))


def test_prices_are_those_that_policies_live_through() -> None:
    from stresscube.scenario.expand import market_spec, policy_spec, simulation_spec

    made = scenario()
    job = Job(market_spec(made, {}), (policy_spec(made, {}),), simulation_spec(made))
    returns = simulate(job, 0, 4).market
    seen = sc.market(made, paths=4)["price"]
    np.testing.assert_allclose(seen.isel(time=-1) / 100.0 - 1.0, returns, rtol=1e-9, atol=1e-12)
