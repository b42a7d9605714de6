# Two commands: `make repro` builds every result, `make test` runs the tests. Each makes the environment it needs.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: repro test clean

repro: .venv/repro.done
	. $(BIN)/activate && dvc repro

test: .venv/test.done
	. $(BIN)/activate && ruff check . && ruff format --check . && mypy && python -m pytest

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("Xtalk needs Python 3.11 or newer; try: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv

.venv/repro.done: requirements.txt constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements.txt
	touch $@

.venv/test.done: requirements-dev.txt requirements.txt constraints.txt | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements-dev.txt
	touch $@ .venv/repro.done

clean:
	rm -rf .venv scratch
