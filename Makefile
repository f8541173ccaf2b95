# One command a task. Nothing but Python 3.12 or newer, make and git is expected of the machine.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first interpreter that is new enough; `PYTHON=/path/to/python make …` overrides it.
PYTHON ?= $(shell for p in python3 python python3.14 python3.13 python3.12; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && { echo $$p; break; }; done)
# A uv that is already there serves; otherwise one is installed into the checkout, pinned by hash.
UV ?= $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
HOST ?= 127.0.0.1
PORT ?= 8000
BIN := .venv/bin
READY := .venv/.ready
PACKAGES := $(patsubst %/pyproject.toml,%,$(wildcard packages/*/pyproject.toml))
BASELINES := $(patsubst %/requirements.in,%,$(wildcard benchmarks/baselines/*/requirements.in))
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-header \
	--no-emit-index-url --no-emit-find-links

.PHONY: help serve test test-ha check drill drill-remove-posts drill-add-comments fuzz format migrate rehearse import bench bench-quick bench-guard bench-profile monitoring requirements clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(READY) ## Serve the API on a PostgreSQL of its own (PORT=9001 picks another port)
	@exec $(BIN)/postern serve --host $(HOST) --port $(PORT)

test: $(READY) ## Run every test on a real PostgreSQL, with the coverage gate
	$(BIN)/pytest -n auto --dist worksteal --cov $(ARGS)

test-ha: $(READY) ## Stops, restarts, failover and PgBouncer under load (HAProxy and PgBouncer are the distribution's)
	$(BIN)/pytest -n auto --no-cov -m ha $(ARGS) tests/ha

check: $(READY) ## Lint, format, types, layer contracts and migration gates
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy app alembic/env.py packages/*/src
	$(BIN)/mypy -p benchmarks.compare
	$(BIN)/lint-imports
	$(BIN)/postern db gate

drill: $(READY) ## Remove posts from a copy of the checkout, and add comments to another
	@$(MAKE) --no-print-directory -j 2 --output-sync=target drill-remove-posts drill-add-comments

drill-remove-posts drill-add-comments: drill-%: $(READY)
	$(BIN)/python -m tests.drills.$(subst -,_,$*)

# A seed that found something finds it again: make fuzz SEED=… (EXAMPLES=… for each operation).
SEED ?= $(shell date +%s)
EXAMPLES ?= 100
fuzz: $(READY) ## Send the service what its contract allows and forbids, from a new seed
	FUZZ_SEED=$(SEED) FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest -n auto --no-cov -rP $(ARGS) tests/faults/test_contract.py

format: $(READY) ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

migrate: $(READY) ## Bring the database to the newest revision
	$(BIN)/postern db upgrade

rehearse: $(READY) ## Run the pending migrations on a million posts under 200 requests a second (ARGS="--from REV")
	$(BIN)/postern db rehearse --rows 1000000 --rate 200 $(ARGS)

bench: $(READY) ## Measure the service beside its limit and its peers (ARGS=--help lists the options)
	@$(BIN)/python -m benchmarks.compare run $(ARGS)

bench-quick: $(READY) ## The same with fewer rows, rounds and contenders, in under two minutes
	@$(BIN)/python -m benchmarks.compare run --quick $(ARGS)

bench-guard: $(READY) ## Compare what a request costs with benchmarks/baseline.json (ARGS=--update accepts it)
	@$(BIN)/python -m benchmarks.compare guard $(ARGS)

bench-profile: $(READY) ## Show where a read and a write spend their time, as tables and flame graphs
	@$(BIN)/python -m benchmarks.compare profile $(ARGS)

monitoring: $(READY) ## Make Prometheus's alerts and Grafana's dashboard of deploy/monitoring/slo.toml
	$(BIN)/python deploy/monitoring/generate.py

# requirements.txt: serving and migrating, nothing else. requirements-dev.txt: every package with every extra, and the tests' needs.
# Each baseline of the benchmarks has its own.
requirements: .uv-ready ## Compile the pinned, hashed requirements from the pyproject.toml files
	$(COMPILE) $(ARGS) pyproject.toml packages/flatroute/pyproject.toml packages/safestep/pyproject.toml -o requirements.txt
	$(COMPILE) $(ARGS) pyproject.toml $(PACKAGES:%=%/pyproject.toml) --all-extras --group dev -c requirements.txt -o requirements-dev.txt
	for folder in $(BASELINES); do $(COMPILE) $(ARGS) --no-annotate $$folder/requirements.in -o $$folder/requirements.txt || exit 1; done
	echo uv | $(COMPILE) $(ARGS) --no-annotate - -o requirements-uv.txt

clean: ## Remove the environment and every cache; .data stays
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage*

.PHONY: .uv-ready
.uv-ready:
	@test -n "$(PYTHON)" || { echo "Postern needs Python 3.12 or newer on the PATH (or PYTHON=/path/to/python make …)." >&2; exit 1; }
	@command -v $(UV) >/dev/null 2>&1 || { echo "Installing uv into .uv/"; \
		$(PYTHON) -m venv .uv && .uv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.txt; }

$(READY): requirements-dev.txt pyproject.toml $(PACKAGES:%=%/pyproject.toml) | .uv-ready
	@echo "Creating the environment in .venv/"
	@$(UV) venv --quiet --allow-existing --python "$$(command -v $(PYTHON))" .venv
	@VIRTUAL_ENV=.venv $(UV) pip sync --quiet --require-hashes requirements-dev.txt
	@VIRTUAL_ENV=.venv $(UV) pip install --quiet --no-deps --no-build-isolation $(patsubst %,--editable %,. $(PACKAGES))
	@touch $(READY)
