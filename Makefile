# Needs python3 (3.11 to 3.13), pip and make. Every target makes its own environment in .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo walk test lint types contracts unit soak bench readme constraints clean

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stresscube
export PIP_DISABLE_PIP_VERSION_CHECK := 1

DEMO := runs/demo
DEMO_SCENARIO := scenarios/btc_eth_hourly.toml
DEMO_PATHS := 500

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*##/\1|/p' Makefile | while IFS='|' read -r name text; do printf '  make %-12s%s\n' "$$name" "$$text"; done

demo: $(STAMPS)/run  ## a stress cube of BTC against ETH: a table and a heat map, within a minute
	@rm -rf $(DEMO).run && mkdir -p runs
	$(BIN)/stresscube run $(DEMO_SCENARIO) --paths $(DEMO_PATHS) -o $(DEMO).run
	$(BIN)/stresscube plot $(DEMO).run --metric liquidation_probability --x leverage --y breakdown_correlation --where venue=B --where hedge_ratio=1 -o $(DEMO).png

walk:  ## a new user's walk: install, then scenario, cube, recommendation, page and trace
	@TIMEFORMAT='make walk: %0R s, and %0U + %0S s of processor time, with the installation'; \
	time { $(MAKE) --no-print-directory $(STAMPS)/run && rm -rf runs/walk && \
	STRESSCUBE=$(BIN)/stresscube bash examples/walk.sh runs/walk; }

test: lint types contracts unit  ## ruff, pyright, import contracts, pytest

lint: $(STAMPS)/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMPS)/dev
	$(BIN)/pyright --pythonpath $(BIN)/python

contracts: $(STAMPS)/dev
	$(BIN)/lint-imports

unit: $(STAMPS)/dev
	$(BIN)/pytest -n logical

soak: $(STAMPS)/soak  ## the long tests of faults: hundreds of kills, an S3 server that is not a mock
	STRESSCUBE_REQUIRE=seaweedfs $(BIN)/pytest -n logical -m soak

bench: $(STAMPS)/bench  ## backends side by side: policy-steps a second, as JSON lines
	$(BIN)/python -m benchmarks

readme: demo  ## refresh the figures in README.md and docs/ from the demo and benchmarks/results
	cp $(DEMO).png docs/heatmap.png
	$(BIN)/python -m benchmarks.figures --demo $(DEMO).run

constraints: $(STAMPS)/run  ## resolve the newest versions of every dependency
	$(BIN)/pip install --quiet uv
	$(BIN)/python constraints/refresh.py

clean:  ## remove the environment, caches and runs
	rm -rf $(VENV) runs build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment for each purpose: one stamp a set of extras, remade when what it installs changes.
$(STAMPS)/run: extras :=
$(STAMPS)/dev: extras := [dev]
$(STAMPS)/soak: extras := [soak]
$(STAMPS)/bench: extras := [bench]
$(STAMPS)/run $(STAMPS)/dev $(STAMPS)/soak $(STAMPS)/bench: pyproject.toml $(wildcard constraints/*.txt) | $(BIN)/python
	@version=$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	echo "installing stresscube$(extras) for Python $$version into $(VENV)"; \
	$(BIN)/python -m pip install --quiet -c constraints/py$$version.txt -e '.$(extras)'
	@mkdir -p $(STAMPS) && touch $@

# Debian's python3 has pip but, without python3-venv, no ensurepip: then its pip installs ours.
$(BIN)/python:
	@set -e; \
	for python in "$(PYTHON)" python3 python3.13 python3.12 python3.11; do \
	  [ -n "$$python" ] && "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && break; \
	  python=; \
	done; \
	[ -n "$$python" ] || { echo 'stresscube needs Python 3.11, 3.12 or 3.13: install one, or say where it is with PYTHON=...' >&2; exit 1; }; \
	"$$python" -m venv $(VENV) >/dev/null 2>&1 \
	|| { rm -rf $(VENV); "$$python" -m venv --without-pip $(VENV) && "$$python" -m pip --python $(BIN)/python install --quiet pip; } \
	|| { rm -rf $(VENV); echo "$$python cannot make an environment: install its venv module (Debian, Ubuntu: apt-get install python3-venv)" >&2; exit 1; }
