"""Recorded history: bars of two assets, or of one on two venues, from files as people have them.

>>> from stresscube import history
>>> bars = history.read(["BTCUSDT-1m-2025-05.zip", "ETHUSDT-1m-2025-05.zip"])
>>> bars.close.shape, bars.step, bars.notes
"""

from __future__ import annotations

from stresscube.history.faults import HistoryError
from stresscube.history.funding import Funding, read_funding
from stresscube.history.reading import from_frame, read
from stresscube.history.record import History

__all__ = ["Funding", "History", "HistoryError", "from_frame", "read", "read_funding"]
