# `make run` and `make test` do all the set-up on a fresh machine with git, make and Python 3.11 or newer.
PYTHON ?= python3
PYTHON312 ?= python3.12
VENV ?= .venv
BIN = $(VENV)/bin
WORKERS ?= 2
PYTEST = $(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile
INSTALLED = $(VENV)/installed
OLDER = .venv-torch-2.11

.PHONY: help docs setup run test test-slow test-all test-older check gains overhead attribution gpu gpu-bundle gpu-results clean

help:  ## Show the targets
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /: /'

setup: $(INSTALLED)  ## Make .venv and install the suite into it, with the tested versions

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

run: setup  ## Train w_o_MR on the embedded photographs (about 3 minutes) and print its row
	$(BIN)/python ablations/run.py --variant w_o_MR

test: setup  ## The default tests, in two processes (WORKERS=8 for more)
	$(PYTEST) -m "not slow and not gpu"

test-slow: setup  ## The slow tests: 100 kills, trainings of every network, exports of every network, a Slurm of our own
	$(PYTEST) -m "slow and not gpu" --durations=15

test-all: setup  ## All tests that this machine can run
	$(PYTEST)

test-older: $(OLDER)/installed  ## The default tests on Python 3.12 with torch 2.11, the oldest (2 GB, PyPI's CUDA build)
	$(OLDER)/bin/python -m pytest -q -n $(WORKERS) --dist loadfile -m "not slow and not gpu"

# The libraries that torch chooses the versions of are not pinned here.
$(OLDER)/installed: pyproject.toml constraints.txt
	$(PYTHON312) -m venv $(OLDER)
	grep -viE '^(torch|setuptools|sympy|networkx|fsspec|filelock)==' constraints.txt > $(OLDER)/constraints.txt
	$(OLDER)/bin/python -m pip install --quiet --constraint $(OLDER)/constraints.txt 'torch==2.11.*' --editable '.[dev]'
	touch $@

check: setup  ## Static checks: ruff, pyright, and which way imports run
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/python -m pytest -q tests/test_imports.py

docs: setup  ## The documentation as a site, into site/
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	$(BIN)/python -m mkdocs build --strict --quiet
	@echo "site/index.html"

gains: setup  ## Measure what each step of the fast SAFMN brings, on an idle machine, into results/benchmarks
	$(BIN)/python tests/benchmarks/gains.py --csv results/benchmarks

overhead: setup  ## Measure what a sweep of many runs adds to them, on an idle machine, into results/benchmarks
	$(BIN)/python tests/benchmarks/overhead.py --csv results/benchmarks

attribution: setup  ## Measure what a path step of LAM costs beside its authors' demo, into results/benchmarks
	$(BIN)/python tests/benchmarks/attribution.py --csv results/benchmarks

gpu: setup  ## What this machine's GPU does with the suite, in nine minutes, into gpu-results.tar.gz
	$(BIN)/python ablations/gpu.py

gpu-bundle: setup  ## A folder gpu-bundle/ for a machine with a GPU and no network: there, sh run.sh
	$(BIN)/python ablations/gpu.py --bundle gpu-bundle

gpu-results: setup  ## Take the archive of such a machine in: make gpu-results ARCHIVE=gpu-results.tar.gz
	$(BIN)/python ablations/gpu.py --results $(ARCHIVE)

clean:  ## Remove the environment and caches (results stay)
	rm -rf $(VENV) .pytest_cache .ruff_cache build dist *.egg-info
