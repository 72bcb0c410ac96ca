"""`ds.stress`: questions to a summary cube, registered with xarray.

This module is loaded whenever xarray is, so what answers is imported when it is asked.

>>> import stresscube as sc
>>> ds = sc.open("quickstart.run")["summary"].to_dataset()
>>> ds.stress.best("sharpe", "liquidation_probability<0.01")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import xarray as xr

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from stresscube.decide.recommend import Recommendation

Chosen = Mapping[str, object]
"""Dim name -> the value asked for, or a list of values; numbers, or words as in `--where`."""


@xr.register_dataset_accessor("stress")
class Stress:
    """What a summary cube says of its policies. Every method leaves the cube as it is.

    Metrics may name a value of their further dims: `value_at_risk[0.99]`. Where they do not, a
    quantile is taken on the bad side, the first level, the last time.
    Raises StresscubeError for a dataset that is no summary cube.
    """

    def __init__(self, data: xr.Dataset) -> None:
        from stresscube.errors import StresscubeError
        from stresscube.policies import metrics

        if not metrics(data):
            raise StresscubeError(
                "not a summary cube: no variable has a standard error NAME_se beside it "
                "(open a run with stresscube.open(folder)['summary'].to_dataset())"
            )
        self._data = data

    def frontier(self, x: str, y: str, *, case: str = "worst") -> xr.Dataset:
        """Return the policies that no other beats in both metrics; see `views.frontier`."""
        from stresscube.decide import views

        return views.frontier(self._data, x, y, case=case)

    def best(
        self, by: str = "sharpe", where: str | Sequence[str] = (), *, case: str = "worst"
    ) -> xr.Dataset:
        """Return the cube at its best policy under constraints; see `views.best`."""
        from stresscube.decide import views

        return views.best(self._data, by, where, case=case)

    def compare(
        self, reference: Mapping[str, object], metrics: str | Sequence[str] | None = None
    ) -> xr.Dataset:
        """Return differences to a reference, with paired errors; see `views.compare`."""
        from stresscube.decide import views

        return views.compare(self._data, reference, metrics)

    def survival(self, confidence: float = 0.95) -> xr.Dataset:
        """Return survival curves with confidence intervals; see `views.survival`."""
        from stresscube.decide import views

        return views.survival(self._data, confidence)

    def sensitivity(self, metric: str = "sharpe") -> xr.Dataset:
        """Return the share of variance that each axis makes; see `views.sensitivity`."""
        from stresscube.decide import views

        return views.sensitivity(self._data, metric)

    def robust(
        self, by: str = "sharpe", over: str | Sequence[str] | None = None, *, case: str = "worst"
    ) -> xr.Dataset:
        """Return the worst or mean case over market axes; see `views.robust`."""
        from stresscube.decide import views

        return views.robust(self._data, by, over, case)

    def recommend(
        self,
        *,
        maximise: str | None = None,
        minimise: str | None = None,
        subject_to: str | Sequence[str] | None = None,
        where: Chosen | None = None,
        case: str = "worst",
        confidence: float = 0.95,
        top: int = 10,
    ) -> Recommendation:
        """Return the policy to take, with what is known of it; see `decide.recommend`."""
        from stresscube.decide.question import LIMIT
        from stresscube.decide.recommend import recommend

        if subject_to is None:
            subject_to = LIMIT
        return recommend(
            self._data,
            maximise=maximise,
            minimise=minimise,
            subject_to=[subject_to] if isinstance(subject_to, str) else subject_to,
            where=_as_text(where),
            case=case,
            confidence=confidence,
            top=top,
        )

    def heatmap(
        self,
        metric: str = "liquidation_probability",
        x: str | None = None,
        y: str | None = None,
        *,
        where: Chosen | None = None,
        max_liquidation: float = 0.01,
    ) -> Figure:
        """Draw a metric over two dims, as `stresscube plot` does; see `plane.cut`."""
        from stresscube.plane import cut
        from stresscube.plot import heat_map

        chosen = _as_text(where)
        return heat_map(
            cut(self._data, metric, x, y, where=chosen, max_liquidation=max_liquidation)
        )

    def __repr__(self) -> str:
        names: list[Any] = [name for name in dir(self) if not name.startswith("_")]
        return f"<stress: {', '.join(names)}>"


def _as_text(where: Chosen | None) -> dict[str, list[str]]:
    """Return what `stresscube.where.select` takes."""
    found: dict[str, list[str]] = {}
    for dim, value in (where or {}).items():
        values = cast("list[object]", value) if isinstance(value, list | tuple) else [value]
        found[dim] = [str(each) for each in values]
    return found
