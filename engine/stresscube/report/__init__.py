"""A run as one page that opens anywhere: the answer, pictures that can be moved, provenance."""

from stresscube.report.page import Asked, page, sections, write
from stresscube.report.recommended import Goal

__all__ = ["Asked", "Goal", "page", "sections", "write"]
