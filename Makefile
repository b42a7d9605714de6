# `make repro` builds every result, `make test` runs linters and tests, `make seeds` trains with several seeds,
# `make ablation` compares the graph encoders, `make compare-dos` the DOS transformer with the published one. Each makes
# the environment it needs.

PYTHON ?= python3
PIP := .venv/bin/python -m pip install --disable-pip-version-check --quiet

.PHONY: repro test seeds ablation compare-dos committed clean

repro: .venv/repro.done
	. .venv/bin/activate && dvc repro
	@echo "All results are up to date: open report.html, or see metrics/ and plots/."

test: .venv/test.done
	. .venv/bin/activate && ruff check . && ruff format --check . && mypy && python -m pytest

# Trains everything with each seed, all else as committed.
SEEDS := 0 1 2 3 4
SEED_EXPERIMENT := dvc exp run --queue -S pretrain.seed=$$seed -S fusion.seed=$$seed -S dos.seed=$$seed

seeds: committed .venv/repro.done
	. .venv/bin/activate && for seed in $(SEEDS); do $(SEED_EXPERIMENT) || exit 1; done
	. .venv/bin/activate && dvc exp run --run-all && python -m stages.ablation seeds
	@echo "Compared: see metrics/ablation/seeds.json and plots/ablation/seeds.png, or run 'make repro' and open report.html."

# Runs the pipeline once for each encoder, as DVC experiments. `--run-all` exits with 0 whatever fails; the last command
# does not, and names what failed.
ablation: committed .venv/extra.done
	. .venv/bin/activate && dvc exp run --queue -S "encoder.name=painn,cgcnn,crystalformer,precomputed"
	. .venv/bin/activate && dvc exp run --run-all && python -m stages.ablation encoders
	@echo "Compared: see metrics/ablation and plots/ablation, or run 'make repro' and open report.html."

# Trains both models on both kinds of spectra, with three seeds each and for as many epochs as params.yaml says, whatever
# the published profile says of that. `--single-item` runs the named steps alone: what else a score needs is built before.
DOS_STEPS := build_graphs dos@phonon dos@electron evaluate_dos@phonon evaluate_dos@electron
COMPARE_DOS := dvc exp run --queue --single-item -S "dos.seed=0,1,2"
PUBLISHED_DOS = $$(grep -v -e ^dos.epochs= -e ^dos.patience= profiles/dos_published.txt | sed 's/^/-S /')

compare-dos: committed .venv/repro.done
	. .venv/bin/activate && dvc repro evaluate_dos@phonon evaluate_dos@electron
	. .venv/bin/activate && $(COMPARE_DOS) $(DOS_STEPS)
	. .venv/bin/activate && $(COMPARE_DOS) $(PUBLISHED_DOS) $(DOS_STEPS)
	. .venv/bin/activate && dvc exp run --run-all && python -m stages.ablation dos
	@echo "Compared: see metrics/ablation/dos.json and plots/ablation/dos.png."

committed:
	@git diff --quiet HEAD -- . ':!metrics/ablation' ':!plots/ablation' || \
		{ echo "error: experiments are compared on the last commit; commit your changes first" >&2; exit 1; }

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
	@touch $@ .venv/repro.done .venv/extra.done

.venv/extra.done: requirements-extra.txt requirements.txt constraints.txt | .venv/bin/python
	@echo "Installing requirements-extra.txt into .venv; this takes some minutes ..."
	@$(PIP) -r requirements-extra.txt
	@touch $@ .venv/repro.done

clean:
	rm -rf .venv scratch
