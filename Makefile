# A thin door: every target runs sessions of noxfile.py in a virtual environment made here, once, in .venv.

# The Python to work with, 3.11 or newer: "make test PYTHON=python3.13".
PYTHON ?= python3

NOX = .venv/bin/nox

.DEFAULT_GOAL := help
.PHONY: help setup check test test-long matrix docs mutants demo demo-awx demo-async faults bench build release format lock clean

# The name of the Python is in the mark's name, so that another PYTHON gets its own environment.
READY := .venv/made-with-$(subst /,_,$(PYTHON))

$(READY): tests/requirements.txt tests/tools/setup.sh
	@tests/tools/setup.sh $(PYTHON) $(READY)

help: ## these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## the environment for development (the other targets make it when it is missing)

check: $(READY) ## the loop for developers: lint, types and unit tests (a minute or two)
	@$(NOX) --tags check

test: $(READY) ## the gates, and unit and integration tests with the built collection
	@rm -rf .build/junit
	@$(NOX); status=$$?; .venv/bin/python tests/tools/closing_line.py .build/junit && exit $$status

test-long: $(READY) ## the tests that "make test" leaves out, as each takes a minute or more (three minutes)
	@$(NOX) --session long

docs: $(READY) ## the documentation site, in .build/docs/html
	@$(NOX) --session docs

mutants: $(READY) ## whether the unit tests notice when the code is changed, in thousands of ways (half an hour)
	@$(NOX) --parallel 1 --session mutants

# All cells of the support matrix, or those of CELLS="core-2.16-sanity python-3.9-requests-newest".
matrix: $(READY) ## the support matrix, as far as this machine has its Pythons (most of an hour)
	@rm -rf .build/matrix && mkdir -p .build/matrix
	@$(NOX) --parallel 1 --report .build/matrix/report.json $(if $(CELLS),--session $(CELLS),--tags matrix); \
	PYTHONPATH=tests .venv/bin/python -m tools.matrix .build/matrix README.md

demo: $(READY) ## the main job in front of you, against a simulated API
	@$(NOX) --parallel 1 --session demo

demo-awx: $(READY) ## the nightly maintenance as AWX runs it, in two slices, against a simulated API
	@$(NOX) --parallel 1 --session demo-awx

demo-async: $(READY) ## asynchronous mode: a hangup, Plivo's callback and a rulebook that acts, against a simulated API
	@$(NOX) --parallel 1 --session demo-async

faults: $(READY) ## the same faults for this collection and its alternatives, as a table and in docs/reliability.md
	@$(NOX) --parallel 1 --session faults

bench: $(READY) ## what it costs, beside its alternatives, in docs/benchmark.md (a quarter of an hour, on an idle machine)
	@$(NOX) --parallel 1 --session bench

build: $(READY) ## the tarball for Galaxy, in .build/
	@$(NOX) --session build

release: $(READY) ## a release, prepared and checked, and what to push: make release VERSION=1.2.3
	@$(NOX) --session prepare -- "$(VERSION)"
	@$(MAKE) --no-print-directory test test-long
	@$(NOX) --parallel 1 --session release

format: $(READY) ## the Python code in its standard form
	@$(NOX) --session format

lock: $(READY) ## the newest versions of all tools, in tests/requirements*.txt
	@$(NOX) --session lock

clean: ## removes all that was made here
	rm -rf .venv .build
