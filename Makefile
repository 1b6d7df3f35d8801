# `make demo` and `make test` do all their own set-up: Python 3.11 is all they need.
PYTHON ?= python3.11
VENV := .venv
RUN := $(VENV)/bin/python
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: setup demo test test-slow test-realdata lint bench clean

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

demo: setup
	$(RUN) run_pipeline.py demo --out runs/demo

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: setup lint
	$(RUN) -m pytest

test-slow: setup
	$(RUN) -m pytest -m "slow and not realdata"

test-realdata: setup
	$(RUN) -m pytest -m realdata

bench: setup
	$(RUN) run_pipeline.py bench

clean:
	rm -rf runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
