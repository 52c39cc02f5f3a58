# Every target is what CI runs. `make help` lists them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Tests run side by side: threads inside each would only get into each other's way.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(if $(CI),--no-skips)
JOBS ?= 2
SIDE_BY_SIDE := -n $(JOBS) --dist loadfile
REAL := kafka or redis or browser or prometheus or plant or faults
REST := $(REAL) or slow or foreign or long
PLANT := '.[demo,cameras,onward]'
# Many processes of a line share few cores here, beside other tests: what fails is run once more, alone, and has to pass
# then. Both runs are in the output, and the second names the tests: a test that is often named there is to be mended.
LONG_ENOUGH := --timeout=600 --durations=10
or_alone = $(PYTEST) $(1) -m "$(2)" $(LONG_ENOUGH) || \
	{ [ $$? -eq 1 ] && echo "failed, and run once more, alone:" && $(PYTEST) -v -m "$(2)" $(LONG_ENOUGH) --last-failed --last-failed-no-failures none; }
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-long foreign check lint types imports drift generate format bench bundle fuzz track simulate mutants mutants-page faults faults-page plant plant-page site pictures offline clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

demo: $(VENV)/.demo ## set up and run a line: make demo [PARTS=200] [HEADLESS=1] [BROKER=apache] [CAMERA=rtsp|genicam] [SOURCE=DIR] [BUNDLE=DIR] [GATE=1] [REVIEWERS=2]
	$(if $(CAMERA)$(GATE),@$(BIN)/pip install -q -c constraints.txt -e $(PLANT))
	$(BIN)/linewarden demo $(if $(PARTS),--parts $(PARTS)) $(if $(HEADLESS),--headless) $(if $(BROKER),--broker $(BROKER)) $(if $(CAMERA),--camera $(CAMERA)) $(if $(SOURCE),--source $(SOURCE)) $(if $(BUNDLE),--bundle $(BUNDLE)) $(if $(GATE),--gate) $(if $(REVIEWERS),--reviewers $(REVIEWERS))

setup: $(VENV)/.dev ## the environment for development, with a commit hook where this is a checkout
	@if [ -d .git ] && [ -z "$(CI)" ]; then $(BIN)/pre-commit install >/dev/null; fi

test: $(VENV)/.dev ## set up and pass the fast tests, on the embedded broker and Valkey
	$(PYTEST) $(SIDE_BY_SIDE) -m "not ($(REST) or gpu)"

test-all: test ## also real Apache Kafka, Debian's Redis, Chromium and the faults
	@sh scripts/need.sh
	$(call or_alone,$(SIDE_BY_SIDE),slow and not ($(REAL) or gpu or long))
	$(call or_alone,$(SIDE_BY_SIDE),($(REAL)) and not (alone or gpu or long))
	$(call or_alone,,alone and not (gpu or long))

test-long: $(VENV)/.dev ## what takes longer than CI has: guides from end to end, each camera and output struck
	@sh scripts/need.sh
	$(PYTEST) -m "long and not gpu" --timeout=1200 --durations=30

foreign: $(VENV)/.dev ## what leaves the project, read by tools of another language (Node.js, Go)
	@sh scripts/need.sh node
	$(PYTEST) -m foreign

check: lint types imports drift ## lint, types, imports, drift

lint: $(VENV)/.dev ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

imports: $(VENV)/.dev ## the import contract
	$(BIN)/lint-imports

drift: $(VENV)/.dev ## generated files are what the catalogue gives
	$(BIN)/python -m linewarden_schemas.generate --check
	$(BIN)/python -m scripts.reference --check

generate: $(VENV)/.dev ## write the generated files
	$(BIN)/python -m linewarden_schemas.generate
	$(BIN)/python -m scripts.reference

format: $(VENV)/.dev ## format and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev ## benchmarks, side by side in one run, with the machine
	@sh scripts/need.sh
	$(BIN)/python -m benchmarks

fuzz: $(VENV)/.dev ## mutated input of every kind, resumed behind docs/results/fuzz.jsonl: make fuzz [N=1000000]
	$(BIN)/python -m tests.fuzz --total $(or $(N),1000000)

track: $(VENV)/.dev ## bring every closed hole back, one at a time, and demand red: make track [ONLY="NAME ..."]
	$(BIN)/python scripts/track.py --jobs $(JOBS) --record $(if $(ONLY),--only $(ONLY))

mutants: $(VENV)/.mutants ## change one thing at a time where it matters, and demand red; goes on where it stopped: make mutants [ONLY=route] [MINUTES=60]
	$(BIN)/python -m scripts.mutants --jobs $(JOBS) $(if $(ONLY),--only $(ONLY)) $(if $(MINUTES),--minutes $(MINUTES))

mutants-page: $(VENV)/.mutants ## docs/results/mutants.md from what was run
	$(BIN)/python -m scripts.mutants --page docs/results/mutants.md

simulate: $(VENV)/.dev ## the whole line under faults, from seeds: make simulate [SEEDS=200] [STEPS=1000000] [FIRST=1] or SEED=7 [LOG=FILE]
ifdef SEED
	$(BIN)/python -m tests.simulation --seed $(SEED) --shrink $(if $(LOG),--log $(LOG))
else
	$(BIN)/python -m tests.simulation --record --jobs $(JOBS) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(STEPS),--steps $(STEPS)) $(if $(FIRST),--first $(FIRST))
endif

faults: $(VENV)/.dev ## the line under faults on real servers, 20 rows of 20 runs, resumed: make faults [ONLY="ROW ..."] [RUNS=20] [MINUTES=60] or SOAK=60
	@sh scripts/need.sh faults
	$(BIN)/python -m tests.faults.matrix --jobs $(JOBS) $(if $(SOAK),--soak $(SOAK)) $(if $(ONLY),--only $(ONLY)) $(if $(RUNS),--runs $(RUNS)) $(if $(MINUTES),--minutes $(MINUTES))

faults-page: $(VENV)/.dev ## docs/results/faults.md from what track, simulate, faults and fuzz recorded
	$(BIN)/python -m scripts.faults_page

plant: $(VENV)/.dev ## cameras and outputs killed, cut, frozen, restarted on Apache Kafka, resumed: make plant [ONLY="ROW|KIND ..."] [RUNS=20] [MINUTES=60]
	@sh scripts/need.sh
	$(BIN)/python -m tests.faults.plant --jobs $(JOBS) $(if $(ONLY),--only $(ONLY)) $(if $(RUNS),--runs $(RUNS)) $(if $(MINUTES),--minutes $(MINUTES))

plant-page: $(VENV)/.dev ## docs/results/plant.md from what plant and benchmarks.gate recorded
	$(BIN)/python -m scripts.plant_page

site: $(VENV)/.dev ## the documentation as a site, in build/site/site
	$(BIN)/python -m scripts.site

pictures: $(VENV)/.dev ## the station's pictures again, from a walk through each role's hour on a running line
	$(BIN)/python -m scripts.walk

offline: $(VENV)/.dev ## wheels with hashes and a bill of materials for a machine without a network: make offline [EXTRAS=route]
	$(BIN)/python -m scripts.offline $(if $(EXTRAS),--extras $(EXTRAS))

bundle: $(VENV)/.dev ## train the demo's bundle again, from its seed
	$(BIN)/python -m linewarden_train.demo_bundle --out services/linewarden/assets/demo-bundle --seed 0

clean: ## the environment and what was built
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "linewarden needs Python 3.11 or newer: sudo apt-get install python3 (or make PYTHON=...)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing: sudo apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -q -c constraints.txt -e '.[demo]'
	@touch $@

$(VENV)/.mutants: $(VENV)/.dev
	$(BIN)/pip install -q -c constraints.txt -e '.[mutants]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.demo
