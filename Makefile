# Each target sets up what it needs in .venv, then runs; needed beforehand: Python 3.11 or newer, and a package index.

PYTHON ?= python3
# make demo DATA=folder: your own study instead of the bundled and the simulated ones
DATA ?=
PYTEST_ARGS ?= -n logical --dist loadfile

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
# Only errors are shown
INSTALL := $(BIN)/python -m pip -qq --disable-pip-version-check install

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# One virtual environment, so one pip at a time
.NOTPARALLEL:

.PHONY: help
help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(STAMPS)/demo ## The whole way, from files to arrays and back (DATA=folder for your own study)
	$(BIN)/xdicom demo $(if $(DATA),"$(DATA)")

.PHONY: test
test: $(STAMPS)/test ## Tests and doctests (PYTEST_ARGS; real data where XDICOM_TEST_DATA names its folder)
	$(BIN)/python -m pytest $(PYTEST_ARGS)

.PHONY: fuzz
fuzz: $(STAMPS)/test ## Ten minutes of damaged pixels, in a process of their own
	$(BIN)/python tests/pixels/fuzz_decoders.py 600

.PHONY: lint
lint: $(STAMPS)/dev ## Style, types and import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src
	$(BIN)/lint-imports --no-logo --no-cache

.PHONY: bench
bench: $(STAMPS)/bench ## Ours beside the peers, in one run
	$(BIN)/python -m benchmarks

.PHONY: clean
clean: ## Remove the virtual environment, caches and builds
	rm -rf $(VENV) build dist .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# pip takes dependency groups since 25.1; Python 3.11 may bring 23
$(STAMPS)/venv:
	@echo "setting up $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	@$(PYTHON) -m venv $(VENV)
	@$(INSTALL) --upgrade 'pip>=25.1'
	@mkdir -p $(STAMPS)
	@touch $@

$(STAMPS)/demo: pyproject.toml | $(STAMPS)/venv
	@echo "installing xdicom[cli]"
	@$(INSTALL) --editable '.[cli]'
	@touch $@

$(STAMPS)/test $(STAMPS)/dev $(STAMPS)/bench: pyproject.toml | $(STAMPS)/venv
	@echo "installing xdicom and its group '$(@F)'"
	@$(INSTALL) --editable . --group $(@F)
	@touch $@
