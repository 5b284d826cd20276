# make run: set up, materialize the examples, serve the UI.   make test: run the tests.

PYTHON ?= python3
PORT ?= 3000
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run build synthesis test promises benchmark docs clean

run: $(READY)
	@$(BIN)/seedbed build --all || echo "Not every version is published; the UI shows why."
	@$(BIN)/seedbed serve --port $(PORT)

build: $(READY)
	@$(BIN)/seedbed build --all

# The examples that ask the embedded model and run programs in sandboxes (Debian: apt install bubblewrap).
synthesis: $(READY)
	@$(BIN)/seedbed build --all --on-request

test: $(READY)
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/basedpyright --pythonpath $(BIN)/python
	@$(BIN)/pytest -n auto

promises: $(READY)
	@SEEDBED_PROMISES=full $(BIN)/pytest tests/promises -p no:xdist -s

# `make benchmark PEERS=1` compares with datatrove, Data-Juicer, distilabel and Curator, in environments of their own;
# BENCHMARK holds options, such as --quick (see `python -m benchmarks --help`).
PEER_NAMES := $(if $(PEERS),datatrove data-juicer distilabel curator)
PEERS_READY := $(PEER_NAMES:%=.peers/%/.ready)
PEER_PYTHONS := $(foreach peer,$(PEER_NAMES),--$(peer) .peers/$(peer)/bin/python)

benchmark: $(READY) $(PEERS_READY)
	@$(BIN)/python -m benchmarks $(PEER_PYTHONS) $(BENCHMARK)

.peers/%/.ready: benchmarks/peers/requirements-%.txt
	@$(PYTHON) -m venv .peers/$*
	@.peers/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r $<
	@touch $@

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@echo "installing from requirements.lock (about two minutes the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(READY)

docs: $(READY)
	@$(BIN)/seedbed operators --markdown > docs/operators.md
	@$(BIN)/seedbed schema --write

clean:
	rm -rf $(VENV) .peers store .dagster/history .dagster/storage
