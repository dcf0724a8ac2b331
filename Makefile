# The commands of the house. `make help` lists them.
# The work is done by the small scripts in scripts/; this file only says what runs after what.

PYTHON := .venv/bin/python
FLASK := $(PYTHON) -m flask
UV := uv==0.13.8
COMPILE := $(PYTHON) -m uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-annotate --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help setup dev run run-cluster test chaos bench bench-statement smoke flask screenshots draw translations lint lock clean

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

setup: ## Make the environment and .env, without starting anything
	@sh scripts/install.sh requirements.txt
	@$(PYTHON) -I scripts/write_env.py

dev: ## Add what tests and lint need to the environment
	@sh scripts/install.sh requirements-dev.txt

run: setup ## Set up and serve http://127.0.0.1:5000 (HOST=… PORT=…)
	@$(FLASK) prepare
	@exec $(PYTHON) run.py

run-cluster: dev ## Serve by nginx, two web processes, two workers, PostgreSQL and Redis
	@sh scripts/services.sh
	@exec $(PYTHON) scripts/cluster.py $(ARGS)

test: dev ## Run every test, real browser, PostgreSQL and Redis included (ARGS="-k name")
	@sh scripts/services.sh
	@exec $(PYTHON) -m pytest -n 3 --dist loadfile --no-loadscope-reorder --reruns 1 -r aR $(ARGS)

chaos: dev ## Thousands of payments through bad weather, then compare books and ledger
	@exec $(PYTHON) -m scripts.chaos $(ARGS)

bench: dev ## Measure, with targets beside the figures (ARGS="polls --engine sqlite")
	@sh scripts/services.sh
	@command -v wrk >/dev/null || sh scripts/apt.sh wrk
	@exec $(PYTHON) -m scripts.bench $(ARGS)

bench-statement: dev ## Print how fast statements of many rows are read (ARGS="100000")
	@PYTHONPATH=. $(PYTHON) scripts/bench_statement.py $(or $(ARGS),100000 1000000)

smoke: ## Start `make run`, wait until it answers, stop it as Ctrl-C would
	@sh scripts/make_venv.sh
	@exec $(PYTHON) -I scripts/smoke.py

# The database is made ready only where there is none yet, so that `doctor` still
# runs when something in the set-up is broken; what it says goes to stderr, so
# that the output of the command itself can be piped.
flask: setup ## Run a flask command (ARGS="users create --help")
	@[ -e instance ] || $(FLASK) prepare >&2 || echo "The database could not be prepared." >&2
	@exec $(FLASK) $(ARGS)

screenshots: dev ## Take the README's pictures from the running product
	@sh scripts/services.sh
	@exec $(PYTHON) scripts/screenshots.py

draw: dev ## Draw the states of docs/architecture.md again from the code
	@PYTHONPATH=. $(PYTHON) scripts/draw_states.py

translations: dev ## Take new texts into the catalogues, and list what is untranslated
	@PYTHONPATH=. $(PYTHON) scripts/translations.py

lint: dev ## Check style and types
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

# The second lock is bound by the first, so that `make test` never changes a
# package that `make run` serves with.
lock: dev ## Make the lock files again from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(COMPILE) pyproject.toml -o requirements.txt $(ARGS)
	@$(COMPILE) pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt $(ARGS)
	@echo '$(UV)' | $(COMPILE) - -o scripts/uv.txt
	@echo "Locked. Look at the difference, then run make test."

clean: ## Remove the environment and caches; .env and instance/ (your data) stay
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
