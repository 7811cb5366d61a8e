SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= $(shell python3.11 -c "" 2>/dev/null && echo python3.11 || echo python3)
BIN := .venv/bin
STAMP := .venv/.installed
PORT ?= 5000
MODEL ?= models:/forecasting-sunspots@champion
ARGS ?=

export DO_NOT_TRACK := true
export KEDRO_DISABLE_TELEMETRY := true
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: help install run matrix serve test mutants lint format viz ui notebook lock notebooks-strip clean distclean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# The stamp is touched last: an install that was cut off starts again.
$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")'
	$(BIN)/pip install -q --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

install: $(STAMP)  ## make .venv from the lock

run: $(STAMP)  ## run the default pipeline; ARGS="--env quick" passes options to kedro run
	$(BIN)/kedro run $(ARGS)

matrix: $(STAMP)  ## every remedy against vanishing gradients; again to go on if it was stopped
	$(BIN)/kedro run --env full --pipelines=gradients --only-missing-outputs

serve: $(STAMP)  ## a registered model over HTTP, on loopback: MODEL (models:/forecasting-sunspots@champion), PORT (5000)
	$(BIN)/python -m unrolled.serving.app $(MODEL) --port $(PORT)

test: lint  ## linters, types, import walls, then every test, on all cores
	$(BIN)/pytest -q -n auto --dist worksteal

mutants: $(STAMP)  ## every rule of honest science broken on purpose; a fast test must see each
	$(BIN)/python -m tests.mutants $(ARGS)

lint: $(STAMP)  ## formatting, lint, types and import walls, changing nothing
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)  ## format the code and apply the safe fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

viz: $(STAMP)  ## the pipeline as a graph, in the browser
	$(BIN)/kedro viz run --host 127.0.0.1

ui: $(STAMP)  ## the runs in MLflow, on PORT (5000); names the page of the last study
	@$(BIN)/python -m unrolled.tracking.pages --port $(PORT)
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow ui --backend-store-uri sqlite:///mlflow.db --host 127.0.0.1 --port $(PORT) --workers 1

notebook: .venv/.notebook  ## the notebooks in JupyterLab, in the browser; the first call installs it
	$(BIN)/jupyter lab --ip 127.0.0.1 --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate notebooks

# What the lock names stays as it is. The kernel is that of .venv, which ipykernel brings.
.venv/.notebook: $(STAMP)
	$(BIN)/pip install -q --disable-pip-version-check --no-build-isolation -c requirements.lock -e '.[notebook]'
	@touch $@

lock:  ## renew requirements.lock from pyproject.toml, in a venv of its own
	rm -rf .venv/lock
	$(PYTHON) -m venv .venv/lock
	.venv/lock/bin/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; print(*p["dependencies"], *p["optional-dependencies"]["dev"], sep="\n")' > .venv/lock/wanted.txt
	.venv/lock/bin/pip install -q --disable-pip-version-check $(TORCH)
	.venv/lock/bin/pip install -q --disable-pip-version-check $(TORCH) -r .venv/lock/wanted.txt
	.venv/lock/bin/pip check
	{ sed -n '/^#/p' requirements.lock; .venv/lock/bin/pip freeze --all | sed 's/+cpu$$//' | grep -vE '^(pip|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+|triton)=='; } > .venv/lock/requirements.lock
	mv .venv/lock/requirements.lock requirements.lock
	rm -rf .venv/lock

TORCH ?= torch==2.13.0

notebooks-strip: $(STAMP)  ## take the outputs out of the notebooks
	find notebooks -name '*.ipynb' -not -path '*/.ipynb_checkpoints/*' -exec $(BIN)/nbstripout {} +

clean:  ## remove what runs generated (data/02_* to 08_*), logs and caches
	find data/0[2-8]_* -mindepth 1 ! -name .gitkeep -delete
	find src tests benchmarks notebooks -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .viz build logs
	@echo "Removed generated data (data/02_* to data/08_*), logs and caches. Kept: data/01_raw, mlflow.db, .venv."

distclean: clean  ## clean, and also .venv and every MLflow run
	rm -rf .venv mlflow.db* mlruns mlartifacts
	@echo "Removed .venv and the MLflow runs as well."
