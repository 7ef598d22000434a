# Needs Python 3.11 or newer, and nothing else. Each target sets up what it needs.

PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; \
	done)
BIN := .venv/bin
SETUP := .venv/.setup

.DEFAULT_GOAL := help
.PHONY: help setup up demo test soak check bench docs histories lock clean

help: ## Show this list.
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(SETUP) ## Install everything into .venv, from the lock files.

$(SETUP): requirements.lock requirements-dev.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Perdure needs Python 3.11 or newer, and none was found." \
		"Install it, or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing into .venv (a minute or two the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes \
		-r requirements.lock -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

up: $(SETUP) ## Start everything on this machine: Temporal, PostgreSQL, Valkey, worker, API.
	@exec $(BIN)/perdure up

demo: $(SETUP) ## A chat that survives the death of its worker, shown and checked.
	@$(BIN)/perdure demo

# In the order of the folders: those of one folder share their servers, which are started anew for each folder.
test: $(SETUP) ## Run the tests, with real servers.
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

SECONDS ?= 600
SEED ?= 7

soak: $(SETUP) ## Everything at once, at random, and check what must hold: make soak SECONDS=600 SEED=7
	@$(BIN)/python -m tests.soak --seconds $(SECONDS) --seed $(SEED)

check: $(SETUP) ## Lint, formatting, types, and who may import whom.
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/pyright
	@$(BIN)/lint-imports

bench: $(SETUP) ## Measure what a turn costs.
	@$(BIN)/python -m benchmarks.turn

docs: $(SETUP) ## Draw the pages that are drawn from code.
	@$(BIN)/python -m tests.docs.state_machine

histories: $(SETUP) ## Record the workflow histories that later versions must be able to replay.
	@$(BIN)/python -m tests.replay.record

# The development lock takes the versions of the runtime lock. Neither names the place packages come from.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header --no-annotate

lock: $(SETUP) ## Choose the newest allowed versions, and write them to the lock files.
	@$(LOCK) --upgrade pyproject.toml -o requirements.lock
	@$(LOCK) --upgrade -c requirements.lock --group pyproject.toml:dev -o requirements-dev.lock

clean: ## Remove the environment and caches. Data (.perdure) stays.
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
