# Two commands: `make repro` builds every result, `make test` runs linters and tests. Each makes the environment it needs.

PYTHON ?= python3
PIP := .venv/bin/python -m pip install --disable-pip-version-check --quiet

.PHONY: repro test clean

repro: .venv/repro.done
	. .venv/bin/activate && dvc repro
	@echo "All results are up to date: open report.html, or see metrics/ and plots/."

test: .venv/test.done
	. .venv/bin/activate && ruff check . && ruff format --check . && mypy && python -m pytest

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Xtalk needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

.venv/repro.done: requirements.txt constraints.txt | .venv/bin/python
	@echo "Installing requirements.txt into .venv; this takes some minutes ..."
	@$(PIP) -r requirements.txt
	@touch $@

.venv/test.done: requirements-dev.txt requirements-extra.txt requirements.txt constraints.txt | .venv/bin/python
	@echo "Installing requirements-dev.txt into .venv; this takes some minutes ..."
	@$(PIP) -r requirements-dev.txt
	@touch $@ .venv/repro.done

clean:
	rm -rf .venv scratch
