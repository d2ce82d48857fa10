# Two commands matter: `make demo` and `make test`. Both set everything up first; `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3)
OUT ?= demo-output
export PYTHON

# Machines of the project keep version limits beside the checkout; anywhere else pip decides.
ifndef PIP_CONSTRAINT
ifneq ($(wildcard ../shared/constraints.txt),)
export PIP_CONSTRAINT := $(abspath ../shared/constraints.txt)
endif
endif

.PHONY: help demo test lint benchmark cmake-lists offline-bundle clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

demo: $(VENV)/.ready-run ## the whole story on the sample case; opens the panel, or writes demo-output/ without a screen
	@if [ -n "$${CI:-}" ] || { [ "$$(uname)" = Linux ] && [ -z "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" ]; }; then \
	    $(BIN)/tumorsegrobust demo --no-browser --out "$(OUT)"; \
	else \
	    $(BIN)/tumorsegrobust demo --out "$(OUT)"; \
	fi

test: $(VENV)/.ready-test ## all tests
	$(BIN)/python -m pytest

lint: $(VENV)/.ready-test ## style and types
	$(BIN)/ruff check
	$(BIN)/mypy

benchmark: $(VENV)/.ready-test ## speed and memory against the budgets; the table for docs/performance.md
	$(BIN)/python -m Testing.benchmarks

cmake-lists: $(VENV)/.ready-run ## write the library's files into the lists of the Slicer module
	$(BIN)/python Testing/slicer_host/list_files.py

offline-bundle: $(VENV)/.ready-run ## wheels and models for computers without a network; OPTIONS='--full --platform windows', see docs/install.md
	$(BIN)/python .ci/offline_bundle.py $(OPTIONS)

clean: ## remove what was built, the environment included
	rm -rf $(VENV) build dist *.egg-info demo-output .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ------------------------------------------------------------------ set-up; the stamps make a second run instant

# PyTorch goes first and alone: on a machine without an NVIDIA GPU a fixed version, so that nothing asked for
# later can replace it by another build. See docs/install.md for choosing the build.
TORCH_FOR_CPU := torch==2.13.0

$(VENV)/bin/python:
	.ci/system-packages run
	"$(PYTHON)" -c 'import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v < (3, 13) and f"Python 3.11 or 3.12 is needed, this is {v[0]}.{v[1]}; name another one: make PYTHON=/path/to/python3.11")'
	"$(PYTHON)" -m venv $(VENV)

$(VENV)/.ready-run: pyproject.toml .ci/system-packages | $(VENV)/bin/python
	.ci/system-packages run
	if ! $(BIN)/python -c 'import importlib.util as u, sys; sys.exit(u.find_spec("torch") is None)' \
	    && ! command -v nvidia-smi >/dev/null; then $(BIN)/python -m pip install -q '$(TORCH_FOR_CPU)'; fi
	$(BIN)/python -m pip install -q -e '.[app,train]'
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready-run
	.ci/system-packages test
	$(BIN)/python -m pip install -q -e '.[app,train,test]'
	@touch $@
