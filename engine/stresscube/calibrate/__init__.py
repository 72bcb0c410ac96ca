"""From recorded history to a scenario: the market that made it, as likely as can be."""

from __future__ import annotations
