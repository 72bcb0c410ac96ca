"""Calibrations to be bootstrapped: of markets that are known, without the search for a design."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np

from stresscube.calibrate.basis import Component
from stresscube.calibrate.fit import Fit
from stresscube.calibrate.funding import Premiums
from stresscube.calibrate.parts import flat, saying
from stresscube.calibrate.refit import Found, Prints
from stresscube.calibrate.run import _split
from stresscube.calibrate.write import Source, scenario

sys.path.append(str(Path(__file__).resolve().parents[1]))  # benchmarks/ is not installed
known_markets = importlib.import_module("benchmarks.known_markets")
benchmark = importlib.import_module("benchmarks.bootstrap")
tables = importlib.import_module("benchmarks.tables.refits")

ASSETS = ("AAA", "BBB")
SOURCE = Source(ASSETS, ("x.csv",), ("2021-01-01 00:00", "2022-01-01 00:00"), 2000, 1.0, "ab12")
SLOPE = 1.1
BASIS = (Component(12.0, 0.003, (1.0, 1e-4)),)


def premiums() -> Premiums:
    """Three states, far enough apart to be told from each other by a few hundred prints."""
    bp = 1e-4
    return Premiums(
        mean=bp * np.array([[-9.0, -9.5], [2.0, 2.5], [16.0, 17.0]]),
        std=bp * np.array([[1.0, 1.2], [3.0, 3.0], [2.0, 2.5]]),
        half_life=np.array([8.0, 12.0, 16.0]),
        rho=np.array([0.6, 0.9, 0.7]),
        durations=np.array([120.0, 200.0, 160.0]),
        next=np.array([[0.0, 0.7, 0.3], [0.4, 0.0, 0.6], [0.2, 0.8, 0.0]]),
        bic=0.0,
        errors=np.full((3, 7), np.nan),
    )


def calibrated(*extra: str, bars: int, prints: int = 0, theta: np.ndarray | None = None) -> Found:
    """As if a calibration had found two regimes and no more than `extra`, the truth itself."""
    design, truth = known_markets.design(known_markets.market(2, *extra))
    at = truth if theta is None else theta
    mispricing = BASIS if design.legs == 1 else ()
    made = saying(design, 1.0, SLOPE, mispricing, at)(at)
    row = np.full(len(flat(made)), np.nan)
    paid = Prints(premiums(), prints, 8.0, 1e-4) if prints else None
    text = scenario(
        "made", SOURCE, made, _split(row, made), premiums() if prints else None, ["BIC 1"]
    )
    fit = Fit(design, at, 0.0, bars)
    filled = np.zeros((bars + 1, 2), bool)
    return Found(fit, text, SLOPE, mispricing, paid, 1.0, ASSETS, filled)
