# Every target makes what it needs from a bare python3 (3.11 or later).
PYTHON ?= python3
CASES ?= 20000
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
MARKED := $(BIN)/python -m

.DEFAULT_GOAL := help
.PHONY: help demo test check soak lint types bench bench-large docs clean python-version

help:
	@echo "make demo    see the library at work on 1,797 handwritten digits"
	@echo "make test    run the tests, the examples in the docs included"
	@echo "make check   format, lint, types and tests: what must be green"
	@echo "make soak    the law of pruning on 20,000 random cases (an hour; CASES=2000 for fewer)"
	@echo "make bench   measure beside the original library and the peers (needs Python 3.12, too)"
	@echo "make bench-large  the same of 100 million rows in 100,000 shards, and nothing else (30 GB of disk)"
	@echo "make docs    build the documentation into site/"
	@echo "make clean   remove what the other targets made"

python-version:
	@command -v $(PYTHON) >/dev/null || { echo "atdata needs Python 3.11 or later, and there is no '$(PYTHON)' here. Name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "atdata needs Python 3.11 or later; %s is %d.%d. Name another: make PYTHON=python3.12 ..." % (sys.executable, v[0], v[1]))'

$(STAMP): pyproject.toml | python-version
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv module (Debian: apt-get install python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(MARKED) pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $(STAMP)

demo: $(STAMP)
	@$(BIN)/atdata demo

test: $(STAMP)
	$(MARKED) pytest -n auto --dist loadfile

lint: $(STAMP)
	$(MARKED) ruff format --check .
	$(MARKED) ruff check .

types: $(STAMP)
	$(MARKED) mypy

check: lint types test

soak: $(STAMP)
	ATDATA_PRUNING_EXAMPLES=$(CASES) $(MARKED) pytest -n 2 --dist loadfile -o timeout=0 -o faulthandler_timeout=0 \
		tests/prune/test_law.py tests/manifest/test_pruning_law.py

# The original and most peers install on Python 3.12: python3.12 on the PATH, or make bench PYTHON312=... The others, and
# PyTorch, on the PYTHON that this is made with, where it is 3.11. What is found is appended to .bench/results.jsonl;
# docs/benchmarks.md is written of it by `python -m benchmarks --from .bench/results.jsonl --write-docs`.
bench: $(STAMP)
	@PYTHON312='$(PYTHON312)' $(MARKED) benchmarks

bench-large: $(STAMP)
	@PYTHON312='$(PYTHON312)' $(MARKED) benchmarks --large

docs: $(STAMP)
	$(MARKED) pip install --quiet --disable-pip-version-check --editable '.[docs]'
	$(MARKED) sphinx -W --keep-going -b html docs site

clean:
	rm -rf $(VENV) site .bench
