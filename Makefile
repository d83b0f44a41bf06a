# `make demo` and `make test` are all that a clean clone needs: each makes .venv by itself.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# setuptools warns of every editable install; that is no news here
PIP := PYTHONWARNINGS=ignore $(BIN)/pip install --quiet
THREADS ?= 2
PARITY_BACKENDS ?= jax tensorflow
PARITY_TESTS ?= tests/parity
CHROMIUM ?= /usr/bin/chromium
# What depends on the backend is tested on both; the rest once. The examples run on JAX: what they call is in the rooms.
KERAS_TESTS := tests/augment tests/engine tests/layers tests/losses tests/metrics tests/models

export TF_CPP_MIN_LOG_LEVEL := 2

.PHONY: venv demo test test-exports test-ui lint parity slow clean

venv: $(VENV)/.base

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "desertseg needs Python >= 3.11; $(PYTHON) is older: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip
	touch $@

$(VENV)/.base: $(VENV)/.python setup.cfg pyproject.toml
	$(PIP) --editable .
	touch $@

$(VENV)/.test: $(VENV)/.python setup.cfg pyproject.toml
	$(PIP) --editable '.[test]'
	touch $(VENV)/.base $@

$(VENV)/.parity: $(VENV)/.test
	$(PIP) --editable '.[test,parity]'
	$(PIP) --no-deps torchvision==0.26.0 timm==1.0.31 segmentation-models-pytorch==0.6.0
	touch $@

demo: $(VENV)/.base
	$(BIN)/desertseg demo --out demo --overwrite

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The suite compiles much and computes little, so XLA need not optimise what it compiles.
test: $(VENV)/.test
	KERAS_BACKEND=jax XLA_FLAGS="--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true" \
		$(BIN)/pytest -n $(THREADS) --dist loadgroup tests
	KERAS_BACKEND=tensorflow $(BIN)/pytest -n $(THREADS) --dist loadgroup $(KERAS_TESTS)

# Of playwright only the Python package is installed; the browser is the system's, and nothing is downloaded.
$(VENV)/.ui: $(VENV)/.test
	$(PIP) --editable '.[test,ui]' 'playwright>=1.49,<2'
	touch $@

test-ui: $(VENV)/.ui
	@test -x $(CHROMIUM) || { echo "no Chromium at $(CHROMIUM): apt install chromium, or make test-ui CHROMIUM=..."; exit 1; }
	KERAS_BACKEND=jax CHROMIUM=$(CHROMIUM) $(BIN)/pytest -m browser tests/report tests/ui

# Every format on its own runtime, and every architecture of the zoo in ONNX.
$(VENV)/.exports: $(VENV)/.test
	$(PIP) --editable '.[test,litert,openvino]'
	touch $@

test-exports: $(VENV)/.exports
	KERAS_BACKEND=jax $(BIN)/pytest -m exports tests/export

parity: $(VENV)/.parity
	for backend in $(PARITY_BACKENDS); do \
		KERAS_BACKEND=$$backend $(BIN)/pytest -n $(THREADS) -m "parity and not slow" $(PARITY_TESTS) || exit 1; \
	done

slow: $(VENV)/.parity
	KERAS_BACKEND=jax $(BIN)/pytest -m slow tests
	KERAS_BACKEND=tensorflow $(BIN)/pytest -m slow $(KERAS_TESTS)

clean:
	rm -rf $(VENV) build *.egg-info demo
