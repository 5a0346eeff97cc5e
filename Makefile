# SPDX-License-Identifier: Apache-2.0
# Two targets are all a newcomer needs: `make serve` runs the registry, `make test` tests everything.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.PHONY: help serve test check clients crash faults bench docs lock clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 10

serve: $(VENV)/.serve  ## run the registry on 127.0.0.1:5000, its data in ./data
	@REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=$${REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY:-$(CURDIR)/data} $(BIN)/wharfinger serve

test: $(VENV)/.dev  ## everything: checkers, then every test with real clients, databases and a browser
	tools/prepare
	$(MAKE) --no-print-directory check
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: $(VENV)/.dev  ## the checkers alone: format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

clients: $(VENV)/.dev  ## only the tests with Docker, podman and the others; writes docs/clients.md
	tools/prepare
	$(BIN)/pytest tests/clients --client-versions docs/clients.md

MINUTES ?= 10
DATABASE ?= sqlite
crash: $(VENV)/.dev  ## kill a registry for MINUTES=10 (DATABASE=postgresql, SEED=…) and see whether it loses anything
	tools/prepare
	$(BIN)/python -m tests.crash --minutes $(MINUTES) --database $(DATABASE) $(if $(SEED),--seed $(SEED))

faults: $(VENV)/.dev  ## only the tests of disks and databases that fail; writes docs/faults.md
	tools/prepare
	$(BIN)/pytest tests/crash/test_faults.py --fault-table docs/faults.md

bench: $(VENV)/.dev  ## measure beside docker-registry and nginx; writes docs/performance.md
	tools/prepare --bench
	$(BIN)/python -m bench

docs: $(VENV)/.dev  ## write the generated pages of the guide
	$(BIN)/python tools/generate_docs.py

lock:  ## pin the newest dependencies that pyproject.toml allows (needs uv)
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' --group build pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url --custom-compile-command 'make lock' --group build --group dev --constraint requirements.lock pyproject.toml --output-file requirements-dev.lock

clean:  ## remove what the targets above made, but not ./data
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/.serve: requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" tools/prepare --python
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --requirement requirements.lock
	$(PIP) --no-build-isolation --no-deps --editable .
	$(BIN)/python -m compileall -q src
	touch $@

$(VENV)/.dev: $(VENV)/.serve requirements-dev.lock
	$(PIP) --require-hashes --requirement requirements-dev.lock
	touch $@
