# Every chore of the project; people and CI run the same ones. The first call makes .venv.
PYTHON ?= python3
# Installs into the environment; it may belong to another Python than the environment does.
PIP ?= $(PYTHON) -m pip
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

# Of `make chaos`: seconds of faults, what decides which (a random one where there is none), and the
# broker: redis or rabbitmq.
DURATION ?= 60
SEED ?=
BROKER ?= redis
AUDIT ?=

.PHONY: help demo test test-pythons lint audit bench bench-scale bench-history chaos takeover containers docs screenshots lock clean

help:
	@echo "make demo   a whole Atom, a real flow through it, and what happened"
	@echo "make test   every test"
	@echo "make test-pythons  unit and contract tests on every other supported Python of this machine"
	@echo "make lint   ruff and mypy"
	@echo "make audit  known vulnerabilities of the locked dependencies"
	@echo "make bench  the benchmark table, as ratios to a plain Flask + Celery app"
	@echo "make bench-scale  what each role carries, in line or not, and how much is in flight"
	@echo "make bench-history  the console's list over a million executions, and what they take"
	@echo "make chaos  break everything for DURATION seconds (SEED=…, BROKER=rabbitmq); nothing may be lost"
	@echo "make takeover  how soon what a killed worker was running runs elsewhere"
	@echo "make containers  build the image, walk through the compose file on this machine's Docker"
	@echo "make docs   the generated parts of the documentation"
	@echo "make screenshots  the pictures of the console, in docs/images"
	@echo "make lock   resolve constraints.txt anew"

# Without pip inside the environment, so that a Python without ensurepip will do as well.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "flow-atom needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PIP) --version >/dev/null 2>&1 || \
	  { echo "flow-atom is installed with pip, and “$(PIP)” does not start" >&2; exit 1; }
	@echo "Installing flow-atom into $(VENV) (once) ..."
	@$(PYTHON) -m venv --clear --without-pip $(VENV)
	@$(PIP) --python $(BIN)/python install --quiet --disable-pip-version-check \
	  -c constraints.txt -e '.[development]'
	@touch $@

demo: $(STAMP)
	@$(BIN)/python -m examples.demo

# On every core. Hundreds of processes are started: none should have to compile what it imports anew,
# whatever the environment says.
test: $(STAMP)
	@PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto

test-pythons: $(STAMP)
	@PIP="$(PIP)" $(BIN)/python deploy/pythons.py

lint: $(STAMP)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# AUDIT=--tolerate-unreachable: only what is found is a failure, not that nobody could be asked.
audit: $(STAMP)
	@$(BIN)/python deploy/audit.py $(AUDIT)

bench: $(STAMP)
	@$(BIN)/python -m benchmarks

bench-scale: $(STAMP)
	@$(BIN)/python -m benchmarks.scale

bench-history: $(STAMP)
	@$(BIN)/python -m benchmarks.history

chaos: $(STAMP)
	@$(BIN)/python -m tests.chaos --duration $(DURATION) --broker $(BROKER) $(if $(SEED),--seed $(SEED))

takeover: $(STAMP)
	@$(BIN)/python -m tests.chaos.takeover

# Needs Docker with Compose 2.24 or newer.
containers: $(STAMP)
	@$(BIN)/python -m tests.containers

docs: $(STAMP)
	@$(BIN)/python -m docs.generate

screenshots: $(STAMP)
	@$(BIN)/python -m docs.screenshots

# One resolution for every supported Python; the registry used stays out of the file.
lock: $(STAMP)
	@$(PIP) --python $(BIN)/python install --quiet uv
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --all-extras \
	  --no-emit-index-url --no-annotate --no-header --no-emit-package flow-atom \
	  --output-file constraints.txt pyproject.toml

clean:
	rm -rf $(VENV) $(VENV)-3.* .atom
