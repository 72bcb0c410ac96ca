"""A run as one page that opens anywhere: the answer, pictures that can be moved, provenance."""

from stresscube.report.page import Asked, page, write

__all__ = ["Asked", "page", "write"]
