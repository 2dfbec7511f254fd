# What one does with a checkout. Everything happens in .venv; nothing else is touched, except that `make test`, `make
# bench`, `make features` and `make compat` install missing compilers when run as root on Debian. Stamp files in .venv
# keep repetitions quick.

PYTHON = python3
VENV   = .venv
BIN    = $(VENV)/bin
# Debian's python3 comes without ensurepip: the venv is made without pip, and the system's pip installs into it.
PIP    = $(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --no-warn-script-location
export PIP_ROOT_USER_ACTION = ignore

help:
	@echo 'make demo      the tour on the shipped objects; needs no compiler'
	@echo 'make test      install what the tests need, then run all of them (ARGS="-k name" for some)'
	@echo 'make bench     rtlinker against its peers, as a table of ratios (ARGS="small cli" for some)'
	@echo 'make corpus    link every member of the toolchains'\'' archives, and count (ARGS="FILE ..." for others)'
	@echo 'make features  what compilers make, by rtlinker and its peers; writes docs/features.md (ARGS="TLS" for some)'
	@echo 'make soak      10,000 loads, and as many reloads under load, and what the process holds before and after'
	@echo 'make compat    install many compilers, run a program of each, write docs/compatibility.md (ARGS="go" for some)'
	@echo 'make lint      ruff;  make types: mypy;  make readme: run the examples of the documentation'
	@echo 'make fixtures  rebuild the shipped objects;  make clean: remove .venv and caches'

demo: $(VENV)/.installed
	@$(BIN)/rtlinker demo

test: $(VENV)/.test tools
	@$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.bench tools
	@$(BIN)/python -m tests.bench $(ARGS)

corpus: $(VENV)/.test
	@$(BIN)/python -m tests.corpus $(ARGS)

features: $(VENV)/.bench tools
	@scripts/install-orc-runtime
	@$(BIN)/python -m tests.matrix $(or $(ARGS),--write)

soak: $(VENV)/.test tools
	@$(BIN)/python -m tests.soak $(ARGS)

compat: $(VENV)/.compat
	@scripts/install-compilers
	@$(BIN)/python -m tests.compat $(or $(ARGS),--write)

lint: $(VENV)/.dev
	@$(BIN)/ruff check

types: $(VENV)/.dev
	@$(BIN)/mypy

readme: $(VENV)/.test tools
	@$(BIN)/python -m tests.support.readme README.md docs

fixtures:
	@$(MAKE) --no-print-directory -C fixtures -B

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

tools:
	@scripts/install-tools

$(BIN)/python:
	@scripts/check-python $(PYTHON)
	@$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/.installed: pyproject.toml $(BIN)/python
	@echo 'installing rtlinker into $(VENV)'
	@$(PIP) --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.installed
	@echo 'installing what the tests need into $(VENV)'
	@$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@echo 'installing ruff and mypy into $(VENV)'
	@$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/.bench: $(VENV)/.test tests/bench/requirements.txt
	@echo 'installing what the benchmarks compare with into $(VENV)'
	@$(PIP) --requirement tests/bench/requirements.txt
	@touch $@

$(VENV)/.compat: $(VENV)/.installed tests/compat/requirements.txt
	@echo 'installing the compilers that come from PyPI into $(VENV)'
	@$(PIP) --requirement tests/compat/requirements.txt
	@touch $@

.PHONY: help demo test bench corpus features soak compat lint types readme fixtures clean tools
