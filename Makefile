# Two commands do everything on a fresh machine: `make lab` and `make test`.
.DEFAULT_GOAL := help
.PHONY: help setup lab test test-unit bench lint docs start stop status logs notebook report example clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LAB := $(BIN)/factorylab
EXAMPLE := results/sample/hand_in
SIDE_BY_SIDE := --dist=loadgroup
WITH_JUNIT = $(if $(JUNIT),--junit-xml='$(JUNIT)')
unexport PYTHONDONTWRITEBYTECODE  # compiling pandas anew in every process takes longer than most tests

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready ## the virtual environment with exactly the locked packages

$(VENV)/.ready: requirements.lock bootstrap.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "factorylab needs Python 3.11 or newer; this is $$($(PYTHON) --version). Try: make setup PYTHON=python3.12"; exit 5; }
	@echo "setting up $(VENV) (once; about half a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r bootstrap.lock
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock bootstrap.lock
	@$(BIN)/uv pip install --quiet --offline --python $(BIN)/python --no-build-isolation --no-deps --editable .
	@for file in $(VENV)/lib/python3*/site-packages/*factorylab*.pth; do echo ../../../.. > "$$file"; done  # ASCII: Python 3.11 in the C locale reads no other path
	@$(BIN)/python -m factorylab.factory.processor.warm_up  # compiles the detectors, which no start of a lab should do
	@touch $@
	@echo "ready; next: make lab, or make notebook"

lab: setup ## the main job: run the quick profile on a real cluster, write results/report.html
	@$(LAB) batch experiments/quick.yaml

test: setup ## all tests, the notebooks included, against a real cluster; JUNIT=FILE writes their outcome
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) --numprocesses=4 --nbmake --nbmake-timeout=600 $(WITH_JUNIT) tests notebooks

test-unit: setup ## the tests that need nothing but this Python; JUNIT=FILE too
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE) --numprocesses=2 -p no:nbmake $(WITH_JUNIT) tests/unit tests/notebooks

bench: setup ## how fast the whole path is, beside Kafka's own tools and a raw COPY; a quarter of an hour, on a quiet machine
	@$(BIN)/python -m tests.measure.bench

lint: setup ## ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

docs: setup ## the API reference from the docstrings: docs/reference/index.html
	@rm -rf docs/reference
	@$(BIN)/python docs/build_reference.py docs/reference

start: setup ## the whole factory at work, on Docker where an engine answers, and it stays up
	@$(LAB) up --factory

stop: ## end it
	@$(LAB) down

status: ## what runs, and where it listens
	@$(LAB) status

logs: ## logs of everything that runs, merged by time; FOLLOW=1, LEVEL=warning, WORKER=broker, ID=SENSOR:SEQ, RUN=latest
	@$(LAB) logs $(RUN) $(if $(FOLLOW),--follow) $(if $(LEVEL),--level $(LEVEL)) $(if $(WORKER),--worker $(WORKER)) \
	  $(if $(ID),--correlation '$(ID)')

notebook: setup ## JupyterLab on the whole project, with start_here open; outputs are saved in results/notebooks
	@$(BIN)/jupyter lab --ip=127.0.0.1 --ServerApp.root_dir="$(CURDIR)" \
	  --LabApp.default_url=/lab/tree/notebooks/start_here.ipynb \
	  --LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate --LabApp.news_url=None \
	  --FileContentsManager.pre_save_hook=factorylab.execution.saved_notebook.before_saving

report: setup ## results/report.html from the latest run of each scenario
	@$(LAB) report

example: setup ## results/sample/hand_in: the latest broker_loss and consumer_loss (`make lab` makes them), handed in; JUNIT=FILE
	@$(if $(filter file,$(origin EXAMPLE)),rm -rf results/sample/hand_in)  # another folder is not ours to empty
	@$(LAB) export --no-pdf $(if $(JUNIT),--junit '$(JUNIT)') '$(EXAMPLE)' broker_loss consumer_loss

clean: ## stop the lab; remove its data and the virtual environment (results stay)
	@test ! -x $(LAB) || $(LAB) down
	@rm -rf .lab $(VENV) docs/reference .pytest_cache .mypy_cache .ruff_cache
	@echo "removed .lab and $(VENV); results/ is untouched; next: make lab"
