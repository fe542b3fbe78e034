# Mayfly's doors. Needs python3 (3.11 to 3.14), its pip, and make; everything else is brought by `setup`,
# pinned by hash: uv by requirements-bootstrap.txt; Python packages, ffmpeg, ffprobe and Node by uv.lock.

PYTHON ?= python3
BIN    := .venv/bin
UV     := .tools/uv/bin/uv
STACK  ?= mayfly
# Whatever else the command behind a target takes: make image FLAGS="--arch arm64".
FLAGS  ?=

# The environment is this tree's own, and never a Python that somebody would have to download first.
export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never
# pyproject.toml has uv trust the machine's certificates; a bare image has none, and uv brings its own.
ifeq ($(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem),)
export UV_SYSTEM_CERTS := 0
endif
# Taken as they were typed: `make demo VIDEO="it's (1) \$$5.mp4"` must reach the console unharmed.
export DEMO_VIDEO := $(value VIDEO)
export DEMO_PRESET := $(value PRESET)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup
setup: .venv/.synced ## Bring every tool and library (done by each target that needs them)

.tools/uv/.installed: requirements-bootstrap.txt
	rm -rf .tools/uv
	$(PYTHON) -m pip install -qq --disable-pip-version-check --target .tools/uv --require-hashes -r $<
	touch $@

.venv/.synced: .tools/uv/.installed pyproject.toml uv.lock
	$(UV) sync --frozen
	touch $@

.PHONY: demo
demo: setup ## Run one real job end to end on this machine: make demo [VIDEO=f] [PRESET=p]
	@$(BIN)/mayfly demo $${DEMO_PRESET:+--preset "$$DEMO_PRESET"} $${DEMO_VIDEO:+-- "$$DEMO_VIDEO"}

.PHONY: test
test: lint players ## Run every check that CI runs
	$(BIN)/python -m build_tools.stage host lambda linux-x86_64
	$(BIN)/pytest -n 2 --dist loadgroup

.PHONY: players
players: setup ## Bring what the tests play ladders with: hls.js, dash.js; as root by apt-get Chromium
	@$(BIN)/python -m build_tools.players

.PHONY: lint
lint: setup ## Check style, types and the arrows between the rooms
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

.PHONY: fmt
fmt: setup ## Rewrite the source the way `lint` wants it
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# What `sim` and `sim-nightly` are told, beside FLAGS="--first=n --all --json --options".
SIM = $(BIN)/python -m tests.simulation.main $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) \
	$(if $(SECONDS),--seconds $(SECONDS)) $(if $(JOBS),--jobs $(JOBS)) $(if $(CORES),--cores $(CORES))

.PHONY: sim
sim: setup ## Search for ways to lose work: make sim [SEEDS=n|SECONDS=s] [JOBS=n] [CORES=n] [SEED=n replays one]
	@$(SIM) $(FLAGS)

.PHONY: sim-nightly
sim-nightly: setup ## An hour of it on all cores, of seeds that are the date's own [DATE=2026-01-31] [SECONDS=s]
	@$(SIM) --night $(or $(DATE),$(shell date -u +%F)) $(FLAGS)

.PHONY: mutants
mutants: setup ## Break the core on purpose; does a test notice? make mutants [MODULES=core.pool]
	@nice -n 10 $(BIN)/python -m tests.mutation.main $(MODULES) $(FLAGS)

.PHONY: sim-exhaustive
sim-exhaustive: setup ## Look at every state of a small model: make sim-exhaustive [FLAGS="--faults 3"]
	@$(BIN)/python -m tests.simulation.small.main $(FLAGS)

.PHONY: sim-planted
sim-planted: setup ## Does the search find the bugs that others shipped? make sim-planted [BUG=n] [SEEDS=n]
	@$(BIN)/python -m tests.simulation.recall $(if $(BUG),--bug $(BUG)) $(if $(SEEDS),--seeds $(SEEDS)) $(FLAGS)

.PHONY: matrix
matrix: setup ## Cut sources by the hundred, each against itself whole [CASES=n] [SEED=n] [CORES=n] [CASE=n replays one]
	@$(BIN)/python -m tests.matrix.main $(if $(CASES),--cases $(CASES)) $(if $(SEED),--seed $(SEED)) \
		$(if $(CORES),--cores $(CORES)) $(if $(CASE),--case $(CASE)) $(FLAGS)

.PHONY: kills
kills: setup ## Kill workers at every point of a chunk's life: is it the same film? [FLAGS="--steps 8"]
	@$(BIN)/python -m tests.kills.main $(FLAGS)

.PHONY: bench
bench: setup ## Measure; each measurement ends with one JSON line
	@for file in bench/[a-z]*.py; do $(BIN)/python -m "bench.$$(basename "$$file" .py)" || exit 1; done

.PHONY: build
build: setup ## Stage the deployables for Lambda, the image and this machine in build/
	$(BIN)/python -m build_tools.stage lambda host linux-arm64 linux-x86_64

.PHONY: synth
synth: setup ## Write the CloudFormation template to build/cdk.out (no Docker, no account)
	$(BIN)/python -m build_tools.stage lambda
	$(BIN)/python -m infra.app --out build/cdk.out

.PHONY: image
image: setup ## Build the worker's image with docker, podman or buildah: make image [FLAGS=…]
	docker/build.sh $(FLAGS)

.PHONY: deploy
deploy: setup ## Create or update the stack in your AWS account: make deploy [STACK=n] [IMAGE=uri]
	$(BIN)/python -m build_tools.stage lambda
	$(BIN)/python -m infra.deploy deploy --stack "$(STACK)" $(if $(IMAGE),--image "$(IMAGE)") $(FLAGS)

.PHONY: destroy
destroy: setup ## Delete the stack and what it hatched; data stays unless FLAGS=--delete-data
	$(BIN)/python -m infra.deploy destroy --stack "$(STACK)" $(FLAGS)

.PHONY: clean
clean: ## Remove what was built; the tools stay (rm -rf .tools .venv removes those too)
	rm -rf build mutants .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -path ./.venv -prune -o -path ./.tools -prune -o -name __pycache__ -type d -exec rm -rf {} +
