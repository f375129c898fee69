# A fresh clone → counts, tests and figures; every target sets up what it needs in .venv.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
PYTEST_ARGS ?=
# Whole files side by side; WORKERS=0 runs one test after the other.
WORKERS ?= auto
SOURCE ?= simulate:road?seed=1&duration=30

BIN := .venv/bin
PACKAGES := common coordinator edge models
MIN_COVERAGE := 90

# uv where somebody has it (a minute), else the pip inside the environment (some minutes).
INSTALL := $(if $(shell command -v uv),uv pip install --python $(BIN)/python,$(BIN)/python -m pip install --disable-pip-version-check) --quiet --constraint constraints.txt

# Figures for a chosen part would fall below the limit that the whole must reach.
COVERAGE := --cov --cov-report=term:skip-covered $(if $(PYTEST_ARGS),,--cov-fail-under=$(MIN_COVERAGE))

.PHONY: help demo test check bench setup clean

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:[^#]*## /\t/' | sort | expand -t 10

# LITE=1 leaves the federated round out, and with it torch.
demo: .venv/.$(if $(LITE),fleet,learn)  ## Three boxes, a coordinator, a round, a signed release, the dashboard; LITE=1: no torch
	$(BIN)/its-camera-ai demo $(if $(LITE),--lite)

test: .venv/.all  ## Run every test with coverage; PYTEST_ARGS='-k crossing' picks some
	$(BIN)/python -m pytest -m 'not benchmark' -n $(WORKERS) --dist loadfile $(COVERAGE) $(PYTEST_ARGS)

check: .venv/.all  ## Lint, format, types, security and architecture rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml $(PACKAGES)
	$(BIN)/python -m pytest -q tests/architecture

bench: .venv/.all  ## Print pipeline speed and memory as JSON; SOURCE= picks the clip
	@$(BIN)/its-camera-ai ml benchmark pipeline --source '$(SOURCE)' --json

setup: .venv/.all  ## Install everything that a developer needs (about 7 GB)

clean:  ## Remove the environment and the tools' caches
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* *.egg-info build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $(PYTHON) is $$($(PYTHON) --version 2>&1 || true), expected Python 3.11 or newer" >&2; \
	    echo "hint: name one, for example: make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 3; }
	@$(PYTHON) -m venv .venv || \
	  { echo "error: $(PYTHON) cannot create a virtual environment" >&2; \
	    echo "hint: on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 3; }

.venv/.fleet: pyproject.toml constraints.txt | $(BIN)/python
	@echo "setting up .venv for boxes and coordinator (about 0.9 GB)"
	@$(INSTALL) --editable '.[edge,coordinator]'
	@$(INSTALL) --no-deps amqtt
	@touch $@

.venv/.learn: pyproject.toml constraints.txt | $(BIN)/python
	@echo "setting up .venv for boxes that also train (about 6 GB, takes a while)"
	@$(INSTALL) --editable '.[edge,coordinator,train]'
	@$(INSTALL) --no-deps amqtt
	@touch .venv/.fleet $@

.venv/.all: pyproject.toml constraints.txt | $(BIN)/python
	@echo "setting up .venv with training and developer tools (about 7 GB, takes a while)"
	@$(INSTALL) --editable '.[all]'
	@$(INSTALL) --no-deps amqtt
	@touch .venv/.fleet .venv/.learn $@
