# bigrec: `make demo` runs the whole road on synthetic data, `make test` runs the tests.
# Both make .venv on first use and reuse it afterwards.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_RATINGS ?= 1000000
# Each process of the tests takes about 2 GiB; on one GPU they need it for themselves: 1.
TEST_PROCESSES ?= 2
CAMPAIGN_MINUTES ?= 60

.PHONY: demo test quick check format lint types layers docs outputs wheel-smoke campaign bench clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt "pip>=25.1"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[train,report,download]" --group dev --group docs
	touch $@

demo: $(VENV)/installed
	rm -rf demo
	$(BIN)/bigrec demo demo --ratings $(DEMO_RATINGS)

test: $(VENV)/installed
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

# The loop of a contributor: all but the tests that start TensorFlow, processes or commands.
quick: $(VENV)/installed
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy
	$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) -m "not (slow or memory or browser or gpu)"

# All that CI runs; `make -j check` does it side by side.
check: format lint types layers docs wheel-smoke test

format: $(VENV)/installed
	$(BIN)/ruff format --check .

lint: $(VENV)/installed
	$(BIN)/ruff check .

types: $(VENV)/installed
	$(BIN)/mypy

layers: $(VENV)/installed
	$(BIN)/lint-imports

# The documents as a site, with a reference from docstrings; a dead link is an error.
docs: $(VENV)/installed
	$(BIN)/python -m mkdocs build --strict

# Every command that the documents show is run, and what it prints put in its place.
outputs: $(VENV)/installed
	$(BIN)/python -m tests.documents

# The built wheel works in an environment without the source tree, the extras and the dev packages.
wheel-smoke:
	$(PYTHON) tests/wheel_smoke.py

# Random faults over every command, for so long; prints what it did in one line.
campaign: $(VENV)/installed
	$(BIN)/python -m tests.faults.campaign --minutes $(CAMPAIGN_MINUTES)

bench: $(VENV)/installed
	for bench in benchmarks/bench_*.py; do $(BIN)/python $$bench || exit 1; done

clean:
	rm -rf $(VENV) demo dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
