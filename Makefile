# Veille, by name. Needs python3 (3.11 to 3.13), its pip, and make; everything else goes into .venv.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test check format bench soak lock image clean

run: .venv/run config.toml
	$(BIN)/veille run

# Two more than there are processors: some tests wait.
test: .venv/dev
	$(BIN)/pytest -q -m "not soak" --numprocesses 4

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

soak: .venv/dev
	$(BIN)/pytest -q -m soak --timeout 3600 --capture no
	HYPOTHESIS_PROFILE=explore $(BIN)/pytest -q -m "hypothesis and not soak" --timeout 3600

bench: .venv/dev
	$(BIN)/python benchmarks/pipeline.py
	$(BIN)/python benchmarks/match.py

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

config.toml:
	cp config.example.toml config.toml

# The environment of a user: what the lock names, no more. The stamp is the lock it was made from.
.venv/run: requirements.lock pyproject.toml
	@echo "Installing into .venv; it takes a minute or two."
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

.venv/dev: .venv/run requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

# Hashes, so that what is installed is what was tested; no index address, so that anyone's index serves.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: .venv/dev
	$(COMPILE) pyproject.toml --extra cluster -o requirements.lock
	$(COMPILE) pyproject.toml --extra cluster --extra dev -o requirements-dev.lock
	printf 'hatchling>=1.27\n' | $(COMPILE) - -o deploy/build.lock

image:
	docker build -t veille .

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis
