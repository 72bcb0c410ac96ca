"""What was earned and lost in each regime: from the books that accounts keep by regime."""

from __future__ import annotations

from stresscube.metrics import probabilities, quantiles, ratios
from stresscube.metrics.context import Context
from stresscube.metrics.sample import Array, Estimate, Sample
from stresscube_kernels.contract import RegimeBook


def by_regime(sample: Sample, context: Context) -> dict[str, Estimate]:
    """Every metric of `REGIME_METRICS`, [row, regime, ...]; none without regimes."""
    each = [_of(sample, context, k) for k in range(len(context.regimes))]
    names = each[0] if each else ()
    return {
        f"regime_{name}": quantiles.stack(sample.xp, [made[name] for made in each])
        for name in names
    }


def _of(sample: Sample, context: Context, regime: int) -> dict[str, Estimate]:
    def column(field: str) -> Array:
        assert field in RegimeBook._fields
        return sample[f"regimes_{regime}_{field}"]

    gain, lived, deepest = column("gain"), column("lived"), column("deepest")
    liquidated = column("liquidated")
    ordered = sample.ascending(f"regimes_{regime}_gain")
    return {
        "gain_mean": ratios.mean(sample, gain),
        "gain_quantile": quantiles.clustered(
            sample, quantiles.quantiles(sample.xp, ordered, context.quantiles), gain
        ),
        "gain_per_year": ratios.ratio(sample, gain, lived, 1.0 / context.step),
        "time": ratios.mean(sample, lived, 1.0 / context.steps),
        "liquidation_probability": probabilities.share(sample, liquidated),
        "liquidation_rate": ratios.ratio(sample, liquidated, lived, 1.0 / context.step),
        "drawdown_probability": probabilities.share(sample, deepest),
        "drawdown_mean": ratios.ratio(sample, sample["max_drawdown"] * deepest, deepest),
    }
