# `make` alone lists the targets. PYTHON chooses the interpreter that makes the environment VENV,
# PYTEST holds further options for pytest.
PYTHON ?= python3
VENV ?= .venv
PYTEST ?=
BIN := $(VENV)/bin

.PHONY: help try test test-all lint types evidence bench wheel clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

try: $(VENV)/run.done ## set up, then: a demo on real digits, its cards judged, the course to Anki
	$(BIN)/vaeflash demo dense-ae
	$(BIN)/vaeflash check dense-ae
	$(BIN)/vaeflash export-anki -o vaeflash.apkg

test: $(VENV)/test.done ## set up, then run the tests, without the slow ones
	$(BIN)/pytest -n auto -m "not slow" --hypothesis-profile quick $(PYTEST)

test-all: $(VENV)/test.done ## every test, and what share of the code they reach
	$(BIN)/pytest -n auto --cov --cov-report=term:skip-covered $(PYTEST)

lint: $(VENV)/dev.done ## style and types of the code, and the course itself
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vaeflash lint

evidence: $(VENV)/run.done ## judge every claim of the bundled course and update its ledger
	$(BIN)/vaeflash check

bench: $(VENV)/test.done ## start-up, parsing, export and checking, as ratios measured side by side
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/decks.py
	$(BIN)/python benchmarks/export.py
	$(BIN)/python benchmarks/check.py
	$(BIN)/python benchmarks/widget.py

wheel: $(VENV)/dev.done ## build the wheel, install it into an empty environment, use it from there
	rm -rf dist build/wheel
	$(BIN)/python -m build --outdir dist .
	$(PYTHON) -m venv build/wheel
	build/wheel/bin/pip install --quiet dist/*.whl
	cd "$$(mktemp -d)" && $(CURDIR)/build/wheel/bin/vaeflash list
	cd "$$(mktemp -d)" && $(CURDIR)/build/wheel/bin/vaeflash demo conv-shapes
	cd "$$(mktemp -d)" && $(CURDIR)/build/wheel/bin/vaeflash check --locked
	cd "$$(mktemp -d)" && $(CURDIR)/build/wheel/bin/vaeflash export-anki
	cd "$$(mktemp -d)" && $(CURDIR)/build/wheel/bin/vaeflash export-html

clean: ## remove everything that was built
	rm -rf $(VENV) build dist out *.apkg vaeflash-html

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.done: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable .
	@touch $@

$(VENV)/test.done: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable ".[test]"
	@touch $@ $(VENV)/run.done

$(VENV)/dev.done: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@ $(VENV)/test.done $(VENV)/run.done
