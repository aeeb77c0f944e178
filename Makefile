# `make help` lists the targets. Everything made here lies in .venv and var, both ignored by git.

# A version manager's stub may be there without the Python behind it, so each is tried.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do $$p -c pass 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
INPUT ?=
DATA ?=
ONLY ?=
MINUTES ?=

# Analysis is many small problems: one thread each is faster than two sharing one.
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
# Companies have certificates of their own; the system knows them.
export UV_SYSTEM_CERTS := 1
export PYTHONPYCACHEPREFIX := $(CURDIR)/var/cache/python
# Images of CI often forbid bytecode; compiling everything anew takes each process ten seconds, and here it lies aside.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test test-fast thorough check ui evaluate bench soak reference clean help

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.installed ## Analyse INPUT (a file or folder), or the bundled sample, and print the report
	@$(BIN)/perf-assets run $(if $(INPUT),"$(INPUT)")

test: $(VENV)/.developing ## Run the tests
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not thorough"

test-fast: $(VENV)/.developing ## Run the quick tests
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not thorough and not slow"

thorough: $(VENV)/.developing ## Run all tests, with many more cases of each property
	$(BIN)/python -m pytest -n 2 --dist worksteal --hypothesis-profile thorough

check: $(VENV)/.developing ## Lint, format, types, and what Dagster makes of the definitions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/dg check defs
	$(BIN)/dagster definitions validate

ui: $(VENV)/.installed ## Start the Dagster UI and daemon
	@mkdir -p var/dagster
	DAGSTER_HOME="$(CURDIR)" $(BIN)/dagster dev

evaluate: $(VENV)/.developing var/peers/.installed ## Measure accuracy (DATA=folder of labelled benchmarks, ONLY=sections)
	$(BIN)/python -m evaluation $(if $(DATA),--data "$(DATA)") $(if $(ONLY),--only "$(ONLY)")

bench: $(VENV)/.developing var/peers/.installed ## Measure speed and write docs/performance.md (ONLY=chapters)
	$(BIN)/python -m benchmarks $(if $(ONLY),--only "$(ONLY)")

reference: $(VENV)/.developing ## Write docs/reference.md, the commands and tables, from the code
	$(BIN)/python docs/reference.py

soak: $(VENV)/.soaking ## Fuzz every parser for MINUTES (10), or those named in ONLY; an interrupted run goes on
	$(BIN)/python -m soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(ONLY),--only "$(ONLY)")

clean: ## Remove everything that was made, results and run history included
	rm -rf $(VENV) var

$(VENV)/bin/uv:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; none was found" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info[:2] < (3, 14); sys.exit(0 if ok else "Python 3.11, 3.12 or 3.13 is needed, this is " + sys.version.split()[0] + "; set PYTHON=")'
	@echo "Setting up $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.installed: $(VENV)/bin/uv pyproject.toml constraints.txt
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --build-constraint constraints.txt --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.developing: $(VENV)/.installed
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --constraint constraints.txt --group dev
	@touch $@

$(VENV)/.soaking: $(VENV)/.developing
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --constraint constraints.txt --group soak
	@touch $@

# Peers that are measured beside the product; evaluation/peers.txt says why they live apart.
var/peers/.installed: $(VENV)/bin/uv evaluation/peers.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python var/peers
	@VIRTUAL_ENV=var/peers $(BIN)/uv pip install --quiet --requirements evaluation/peers.txt
	@touch $@
