# Every command a newcomer needs; `make` alone lists them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Not compiled: Python compiles what is imported when it is, which is a small part of what is installed.
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
export RINGTRAIL_DATA_DIR ?= var
# Where Python is told not to write what it has compiled, each start would compile all that it imports.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run documents test trust messages check format bench-ingest bench-imports bench-attribution bench-simulator bench-web bench-figures which-model screenshots clean

help:  ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable .
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml constraints.txt
	$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.run

run: $(VENV)/.run  ## Set up, load the example supplier if there are no data, serve on 127.0.0.1:8000
	@$(BIN)/ringtrail serve --demo

documents: $(BIN)/python  ## Add what PDF files and pictures of charts need (173 MB)
	$(INSTALL) --editable '.[documents]'

test: $(VENV)/.test  ## Set up what the tests need and run them all
	@sh tests/system.sh
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder

messages: $(VENV)/.test  ## Bring the catalogs of the languages up to date and compile them
	$(BIN)/python -m tests.messages

check: $(VENV)/.test  ## Only the quick checks: style, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.test  ## Put every file in shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

trust: $(VENV)/.test  ## Hold the bars of docs/trust.md at full scale (takes hours)
	$(BIN)/python -m benchmarks.trust

bench-ingest: $(VENV)/.test  ## Webhook requests per second against a bare insert
	$(BIN)/python -m benchmarks.ingest

bench-imports: $(VENV)/.test  ## Rows per second and memory of importing a large file
	$(BIN)/python -m benchmarks.imports

$(VENV)/.peers: $(VENV)/.test
	$(INSTALL) --editable '.[peers]'
	@touch $@

bench-attribution: $(VENV)/.peers  ## The engine against DuckDB itself and other people's engines
	$(BIN)/python -m benchmarks.attribution.run

bench-simulator: $(VENV)/.test  ## The simulator against a bare SimPy loop
	$(BIN)/python -m benchmarks.simulator.speed touches
	$(BIN)/python -m benchmarks.simulator.speed workers

bench-web: $(VENV)/.test  ## Pages of a large installation against an empty page
	$(BIN)/python -m benchmarks.web

bench-figures: $(VENV)/.test  ## What fresh figures cost: a base from nothing, and the first page after one new call
	$(BIN)/python -m benchmarks.figures --keep var/bench

which-model: $(VENV)/.test  ## Score every model in every world and write the figures of docs/which-model.md (takes minutes)
	$(BIN)/python -m benchmarks.simulator.which_model --workers 2

screenshots: $(VENV)/.test  ## Take the pictures of docs/pages.md from the demo
	$(BIN)/python -m tests.web.screenshots

clean:  ## Remove the environment and caches, not the data in var/
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
