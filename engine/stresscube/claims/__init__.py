"""The article's claims, each put to a test: runs, figures, and verdicts computed from them."""
