"""Measurements of speed, as JSON lines in benchmarks/results/: `python -m benchmarks --help`."""
