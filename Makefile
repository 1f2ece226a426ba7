# Two commands: `make demo` and `make test`. Both need Python 3.11 or newer, make and git, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test unit style check format clean constraints audit browser claims bench-search bench-scale bench-speed bench-tracking docs crashes services cluster nodes load fuzz

help:  ## Show this list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.ready  ## Make .venv and install everything, pinned by constraints.txt.

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed, $(PYTHON) is $$($(PYTHON) --version)"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip setuptools
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup  ## Run the study `digits` into runs/digits, to an exported best config.
	@$(BIN)/tuner run digits
	@$(BIN)/tuner export runs/digits --pick knee

test: setup browser services  ## Run all tests: style, types, import rules, unit and end-to-end.
	$(MAKE) --no-print-directory style
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not end_to_end"
	$(BIN)/python -m pytest -n 2 --dist loadfile -m end_to_end

unit: setup  ## Run the unit tests alone.
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not end_to_end and not slow"

style: setup  ## ruff, mypy --strict, import rules.
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: style unit  ## What to run before every commit: style and unit tests, under 90 s.

claims: setup  ## Put the papers' claims to the test; a stopped run goes on. Writes docs/claims.md.
	$(BIN)/python -m benchmarks.claims

bench-search: setup  ## Compare searches on recorded curves, 20 seeds; writes runs/bench-search.json.
	$(BIN)/python -m benchmarks.search

bench-scale: setup  ## 10,000 trials on 1,000 simulated GPUs: time per decision, memory.
	$(BIN)/python -m benchmarks.search.scale

bench-speed: setup  ## Our step against the floor and a plain loop; writes runs/bench-speed.json.
	$(BIN)/python -m benchmarks.speed

bench-tracking: setup  ## What MLflow costs a study; writes runs/bench-tracking.json.
	$(BIN)/python -m benchmarks.tracking

cluster: setup  ## A study over three nodes that loses each of its services once; under 10 minutes.
	@$(BIN)/python -m benchmarks.cluster

nodes: setup  ## Kill, cut off and add nodes of a cluster, in network namespaces; needs root.
	$(BIN)/python -m benchmarks.nodes

load: setup  ## Outages of MLflow, a crowd, failing and full disks, memory; writes runs/bench-load.json.
	$(BIN)/python -m benchmarks.load

fuzz: setup  ## Read 100,000 hostile files; writes runs/bench-fuzz.json.
	$(BIN)/python -m benchmarks.fuzz

docs: setup  ## Build the documentation into site/, strictly; open site/index.html.
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

crashes: setup  ## Kill studies a hundred times and see that nothing is lost; 40 minutes.
	$(BIN)/python -m benchmarks.crashes --kills 100

format: setup  ## Let ruff write the code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

browser:  ## In CI, install the browser that the page tests drive; elsewhere they skip without one.
	@if [ -n "$$CI" ] && ! command -v chromium >/dev/null; then \
		apt-get update -qq && apt-get install -y -qq chromium >/dev/null; fi

services:  ## In CI, install the PostgreSQL that tests start; elsewhere they skip without it.
	@if [ -n "$$CI" ] && [ -z "$$(ls /usr/lib/postgresql/*/bin/initdb 2>/dev/null)" ]; then \
		apt-get update -qq && apt-get install -y -qq postgresql-common >/dev/null && \
		sed -i 's/^#*create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf && \
		apt-get install -y -qq postgresql >/dev/null; fi

constraints: setup  ## Write constraints.txt anew from what is installed.
	@{ echo "# Exact versions that the tests passed with; written by \`make constraints\`."; \
		$(BIN)/python -m pip freeze --exclude-editable | grep -vE '^(pip|setuptools)==| @ '; } > constraints.txt

audit: setup  ## Look all pinned versions up in PyPI's list of known vulnerabilities; needs pypi.org.
	$(BIN)/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt

clean:  ## Remove the virtual environment and caches; runs/ stays.
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
