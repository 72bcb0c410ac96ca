"""How real a scenario's market is: facts of recorded prices beside those of simulated ones."""

from __future__ import annotations
