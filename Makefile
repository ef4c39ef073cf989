# Two commands matter: `make run` and `make test`. Each builds .venv by itself.
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check
SERVES := $(VENV)/.serves
STAMP  := $(VENV)/.installed
JOBS   ?= 2
EXTRAS ?= piper,whisper,postgres,s3,finetune,research,dev
SHELL  := /bin/bash

.PHONY: install run test test-fast check bench notebooks mlflow clean

install: $(STAMP)

# torch first and pinned, so that a CPU build is taken where the machine offers one; the rest is satisfied by it
$(SERVES): pyproject.toml
	@echo "Installing what a viva needs into $(VENV): 2 to 5 minutes, once."
	test -x $(BIN)/python || $$(command -v $(PYTHON) || echo python3) -m venv $(VENV)
	$(PIP) --upgrade pip
	$(PIP) torch==2.13.0
	$(PIP) -e '.[piper]'
	touch $@

$(STAMP): $(SERVES)
	@echo "Installing the rest, for training, research and the tests: 1 to 3 minutes, once."
	$(PIP) -e '.[$(EXTRAS)]'
	touch $@

run: $(SERVES)
	$(BIN)/viva models pull
	$(BIN)/viva serve

# what keeps time, with a browser or at the pace of speech, has the machine to itself
test: install
	$(BIN)/viva models pull
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "not browser and not realtime"
	$(BIN)/python -m pytest -m "browser or realtime"

test-fast: install
	$(BIN)/python -m pytest -m "not slow and not browser and not weights"

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/viva models pull
	$(BIN)/viva bench latency bargein turns load engines

notebooks: install
	$(BIN)/python -m pytest tests/test_notebooks.py

# runs, figures and registered adapters; MLFLOW_PORT=... takes another port
mlflow: install
	$(BIN)/python -m finetune.mlflow_ui

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist
