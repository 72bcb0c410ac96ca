"""Broken scenario files and the exact message each must give.

Every entry changes the valid file BASE in one place and names the lines that must come
out, without the file's name in front.
"""

from __future__ import annotations

from broken_base import BASE, THIRD, Broken
from broken_market import CHAINS, EVENTS, MARKET, SHOCKS
from broken_parts import FUNDED, MISPRICING, SPREADS
from broken_policy import LEGS, POLICY, SWEEP, VENUES
from broken_run import FILE, OWN, SIMULATION

__all__ = ["BASE", "BROKEN", "THIRD", "Broken"]

BROKEN = (
    *FILE, *SIMULATION, *MARKET, *EVENTS, *MISPRICING, *SPREADS, *FUNDED, *SHOCKS, *CHAINS, *VENUES,
    *POLICY, *LEGS, *SWEEP, *OWN,
)  # fmt: skip
