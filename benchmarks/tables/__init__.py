"""Tables in README.md and docs/: each from the newest lines that benchmarks left."""
