# The daily habits. `make demo` and `make test` are all that a newcomer needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
export DAGSTER_HOME ?= $(CURDIR)/.dagster_home
.DEFAULT_GOAL := help

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "PLAYE needs Python 3.11 or newer; name one: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV) || { echo "The venv module is missing; on Debian: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.core: $(VENV)/.made pyproject.toml constraints.txt
	$(PIP) --editable .
	@touch $@

# What the tests compare with. Their own requirements name a second OpenCV over the one that is installed, and
# basicsr's build would download a second torch: hence no dependencies and no build isolation, torch first.
PEERS := ultralytics==8.4.190 ultralytics-thop ultralytics-platform pyiqa==0.1.16 facexlib==0.3.0 gfpgan==1.3.8
BUILT := basicsr==1.4.2 realesrgan==0.3.0

$(VENV)/.test: $(VENV)/.core
	$(PIP) --editable '.[cpu,exchange,models,restricted,test]'
	$(PIP) --no-deps $(PEERS)
	$(PIP) --no-deps --no-build-isolation $(BUILT)
	@touch $@

$(VENV)/.lint: $(VENV)/.core
	$(PIP) --editable '.[lint]'
	@touch $@

engines: $(VENV)/.core  ## what learned models run on, and what builds and certifies them (extras cpu, models)
	$(PIP) --editable '.[cpu,models]'

demo: $(VENV)/.core  ## drop a small evidence folder into the inbox, examine it, issue the report
	$(BIN)/playe demo

up: $(VENV)/.core  ## webserver and daemon on SQLite; watches models-data/inbox
	$(BIN)/playe up

# A file's tests stay together, so that what a file prepares is prepared once.
WORKERS ?= 2

test: $(VENV)/.test  ## the default suite, in WORKERS processes (2)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m 'not slow'

test-all: $(VENV)/.test  ## the default suite and what takes minutes
	$(BIN)/python -m pytest

lint: $(VENV)/.lint  ## ruff, mypy strict, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.lint  ## rewrite by ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.test  ## the measured figures of docs/performance.md, as a table
	$(BIN)/python -m benchmarks

bench-inference: $(VENV)/.test  ## learned models beside RealESRGANer; needs the extras cpu, models, realesrgan
	$(BIN)/python -m benchmarks inference enhance_stage

portfolio: $(VENV)/.test  ## every model of the registry: loads, runs, exported, certified, speed
	$(BIN)/python -m benchmarks.portfolio

clean:  ## remove the virtual environment and what it made; evidence and logs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build *.egg-info

.PHONY: help engines demo up test test-all lint format bench bench-inference portfolio clean
