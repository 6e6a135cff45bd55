# Everything needs only Python 3.11 or newer and make: each target makes its own environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
UV_FLAGS := --quiet --python $(BIN)/python
LOCKS := requirements/tools.txt requirements/runtime.txt requirements/media.txt requirements/demo.txt requirements/dev.txt
PYTEST_ARGS ?=
# Two processes beside each other: the one runs what needs Kafka, the other the rest. PROCESSES=0 runs all in one.
PROCESSES ?= 2
DEMO_ARGS ?=
BENCH_ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check bench format lock schemas docs clean

help: ## Show what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/uv: requirements/tools.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "moderator needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Set another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing (on Debian: apt install python3-venv)" >&2; exit 2; }
	@echo "installing the package installer …" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.txt
	@touch $@

$(VENV)/.demo: $(BIN)/uv requirements/demo.txt pyproject.toml
	@echo "installing what the demo needs …" >&2
	@$(UV) pip install $(UV_FLAGS) --require-hashes -r requirements/demo.txt
	@$(UV) pip install $(UV_FLAGS) --no-deps --editable .
	@touch $@

$(VENV)/.dev: $(BIN)/uv requirements/dev.txt pyproject.toml
	@echo "installing what the tests need …" >&2
	@$(UV) pip install $(UV_FLAGS) --require-hashes -r requirements/dev.txt
	@$(UV) pip install $(UV_FLAGS) --no-deps --editable .
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## Start a real Apache Kafka and the worker, stream posts, show what is decided and why
	@$(BIN)/moderator demo $(DEMO_ARGS)

test: $(VENV)/.dev ## Check the code and run the tests, on a real Apache Kafka
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet . && $(BIN)/mypy --no-error-summary
	@$(BIN)/pytest -m "not slow" -n $(PROCESSES) --dist loadgroup $(PYTEST_ARGS)

test-all: $(VENV)/.dev ## Run every test, the long fault and scale runs included
	@$(BIN)/pytest -n $(PROCESSES) --dist loadgroup $(PYTEST_ARGS)

check: $(VENV)/.dev ## Only check: format, lint, types, policies, generated files; changes nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/moderator policies lint
	$(BIN)/moderator policies test
	$(BIN)/python -m schemas.export --check

format: $(VENV)/.dev ## Format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## Throughput and latency, beside bare client loops in the same run
	@$(BIN)/moderator bench $(BENCH_ARGS)

schemas: $(VENV)/.dev ## Write the JSON Schemas and the AsyncAPI document again
	$(BIN)/python -m schemas.export

lock: $(BIN)/uv ## Resolve the dependencies again and write the lock files, with hashes
	echo "uv==0.13.9" | $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" - -o requirements/tools.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" pyproject.toml -o requirements/runtime.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" --constraints requirements/runtime.txt --extra media pyproject.toml -o requirements/media.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" --constraints requirements/runtime.txt --extra embedded pyproject.toml -o requirements/demo.txt
	$(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command "make lock" --constraints requirements/demo.txt --constraints requirements/media.txt --extra embedded --extra bench --extra media --group dev pyproject.toml -o requirements/dev.txt

clean: ## Remove the environment and what tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis demo-out bench-out
