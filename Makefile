# Needs Python 3.11 or newer, and make. Everything else is set up in .venv when a target asks for it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_FOR_BENCH := $(VENV)/.ready-for-bench
COMPILE := $(BIN)/pip-compile --quiet --strip-extras --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test fast lint types bench lock clean
.DELETE_ON_ERROR:

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY)  ## run a real job, interrupt it, kill it, resume it, and prove the result
	$(BIN)/python examples/ip_enrichment/demo.py

test: $(READY)  ## run the tests
	$(BIN)/python -m pytest

fast: $(READY)  ## run the tests that need neither servers nor kills
	$(BIN)/python -m pytest -m "not heavy"

lint: $(READY)  ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## check the annotations
	$(BIN)/mypy
	$(BIN)/mypy --strict examples/ip_enrichment

bench: $(READY_FOR_BENCH)  ## measure, and compare with a bare loop
	$(BIN)/python benchmarks/bench.py

lock: $(READY)  ## choose the newest versions of everything that developers need
	$(BIN)/python -m pip install --quiet pip-tools
	for name in dev bench; do \
		$(COMPILE) --upgrade requirements/$$name.in --output-file requirements/$$name.txt || exit 1; \
	done

clean:  ## remove what was made, but for .venv
	rm -rf demo-data build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests examples benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(READY): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "batchmill needs Python 3.11 or newer: make PYTHON=/path/to/python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --requirement requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(READY_FOR_BENCH): requirements/bench.txt $(READY)
	$(BIN)/python -m pip install --quiet --requirement requirements/bench.txt
	@touch $@
