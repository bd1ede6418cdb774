# `make help` lists the targets. Each target first sets up what it needs, so a fresh checkout can start with any of them.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILED := $(VENV)/.compiled
SERVICES ?= .services
LAMMPS := .lammps

# One thread per process: pw.x, the worker and the tests run side by side.
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help install install-lammps venv qe demo test test-slow services services-stop faults bench bench-lammps bench-graph bench-load bench-campaign bench-labels bench-laptop bench-defects lint audit docs clean

help: ## list the targets
	@echo 'help: the targets of this Makefile'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: venv qe ## set up the Python environment .venv and Quantum ESPRESSO
	@echo 'install: done; activate the environment with: . $(BIN)/activate'

venv: $(STAMP)

$(STAMP): pyproject.toml constraints.txt scripts/install-python.sh
	@echo 'install: the Python environment $(VENV), with the versions of constraints.txt'
	@scripts/install-python.sh $(VENV)
	@touch $@

qe:
	@scripts/install-qe.sh

$(COMPILED): $(STAMP) $(wildcard aiida_anial/potential/kernels/*.py)
	@echo 'compile: the kernels, once for all tests; a minute or two'
	@$(BIN)/python scripts/compile_kernels.py
	@touch $@

install-lammps: $(LAMMPS)/.installed ## install LAMMPS into .lammps, and a compiler for its plugins
	@echo 'install-lammps: done; name it where you export: aiida-anial export lammps ENSEMBLE DIR --lmp $(LAMMPS)/bin/lmp'

$(LAMMPS)/.installed: constraints.txt scripts/install-lammps.sh
	@scripts/install-lammps.sh $(LAMMPS)
	@touch $@

demo: install ## run a small campaign on real PBE labels and print the results
	@echo 'demo: a small active-learning campaign, labelled by pw.x'
	@$(BIN)/python scripts/demo.py

test: install install-lammps $(COMPILED) ## run the test suite, with a daemon, pw.x, PostgreSQL, RabbitMQ, Slurm and SSH
	@services/install.sh
	@scripts/install-kim.sh
	@scripts/install-chromium.sh
	@echo 'test: with a daemon, pw.x, PostgreSQL, RabbitMQ, Slurm and SSH, without the tests of test-slow and faults; published model: $(or $(ANIAL_PUBLISHED_MODEL),not given)'
	@$(BIN)/python -m pytest -v --numprocesses 2 --durations=30

test-slow: install $(COMPILED) ## run the tests that take minutes each, which `make test` leaves out
	@services/install.sh
	@$(BIN)/python -m pytest -v --numprocesses 2 --durations=20 -m 'slow and not faults'

faults: install $(COMPILED) ## kill what a campaign runs on, piece by piece; takes an hour or two
	@services/install.sh postgresql rabbitmq
	@echo 'faults: the figures go to tests/faults/results.json and docs/topics/faults.md'
	@$(BIN)/python tests/faults/report.py $(FAULTS)

services: venv ## start private PostgreSQL and RabbitMQ servers for a production profile, in .services
	@services/install.sh postgresql rabbitmq
	@$(BIN)/python services/services.py start --folder $(SERVICES)

services-stop: venv ## stop these servers; their data stay
	@$(BIN)/python services/services.py stop --folder $(SERVICES)

bench: venv ## compare the speed of the engine with torchani, in a few minutes
	@echo 'bench: MD, training, memory and start; the figures go to benchmarks/results/engine.json and docs/topics/engine.md'
	@$(BIN)/python benchmarks/run.py

bench-lammps: venv install-lammps ## measure the plugin of LAMMPS beside other potentials there, in twenty minutes
	@echo 'bench-lammps: the figures go to benchmarks/results/lammps.json and docs/topics/engine.md'
	@$(BIN)/python benchmarks/lammps.py

bench-graph: install ## measure exports and queries in the graph of a whole campaign
	@services/install.sh postgresql rabbitmq
	@echo 'bench-graph: the figures go to benchmarks/results/graph.json and docs/topics/graph-size.md'
	@$(BIN)/python benchmarks/graph.py

bench-load: install ## measure the overhead of the work chains with thousands of simulated labels, in an hour and a half
	@services/install.sh postgresql rabbitmq
	@echo 'bench-load: the figures go to benchmarks/results/load.json and docs/topics/load.md'
	@$(BIN)/python benchmarks/load.py

bench-campaign: install ## run a campaign of the protocol laptop for forty minutes, and see where its time goes
	@echo 'bench-campaign: the figures go to benchmarks/results/campaign.json and docs/topics/load.md'
	@$(BIN)/python benchmarks/campaign.py

bench-labels: install ## measure error and cost of labels with many settings of pw.x, in some hours
	@echo 'bench-labels: the figures go to labels.json and cell_sizes.json in benchmarks/results, and to docs/topics/labels.md'
	@$(BIN)/python benchmarks/labels.py --folder .labels
	@$(BIN)/python benchmarks/cell_sizes.py

bench-laptop: install ## judge a campaign of the profile by labels that none has seen; CAMPAIGN=PK, in ten minutes
	@echo 'bench-laptop: the figures go to benchmarks/results/laptop.json and docs/topics/al-laptop.md'
	@$(BIN)/python benchmarks/laptop.py $(CAMPAIGN)

bench-defects: install ## compute defects, surfaces and phonons by pw.x in small cells, in hours; the daemon must run
	@echo 'bench-defects: the figures go to benchmarks/results/defects.json and docs/topics/benchmarks.md'
	@$(BIN)/python benchmarks/defects.py Al-laptop $(ANIAL_PUBLISHED_MODEL)

audit: venv ## look for unsafe code, and for installed versions that differ from the pins
	@echo 'audit: bandit, pins, installed versions; known vulnerabilities if pip-audit is installed and can reach its service'
	@$(BIN)/python scripts/audit.py

lint: venv ## check style and types
	@echo 'lint: ruff check, ruff format, mypy'
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy aiida_anial scripts benchmarks services

docs: venv ## build the documentation; warnings are errors
	@echo 'docs: the pages in docs/_build/html'
	@$(BIN)/sphinx-build -W --keep-going -q -E -b html docs docs/_build/html
	@echo 'docs: open docs/_build/html/index.html'

clean: ## remove built pages and caches; keeps the environment and the data in .aiida
	@echo 'clean: built pages and caches'
	@rm -rf build dist docs/_build .mypy_cache .ruff_cache .pytest_cache .coverage *.egg-info
	@find . -name __pycache__ -not -path './$(VENV)/*' -not -path './.aiida/*' -prune -exec rm -rf {} +
