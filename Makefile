# Every target works from a bare clone on Linux x86-64 with Python 3.12; `make` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VENV ?= .venv
EXPERIMENT ?= configs/experiments/digits.yaml
PORT ?= 5000
TOOLS_LOG := .pytest_cache/test-tools.log
PREFECT_PORT ?= 4200
PYTHON := "$(VENV)/bin/python"

export VENV
export DO_NOT_TRACK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export PREFECT_SERVER_ANALYTICS_ENABLED := false
# Compiled modules are kept: without them every child process would compile its imports anew.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: ## make .venv hold requirements.lock (the other targets do so themselves)
	@scripts/install.sh

.PHONY: run
run: install ## data set to compared .tflite files; EXPERIMENT=configs/experiments/….yaml
	$(PYTHON) -m mmdet2tflite.cli run "$(EXPERIMENT)"

.PHONY: bench
bench: install ## against other tools' own files, on a quiet machine; EXPERIMENT=…
	$(PYTHON) -m benchmarks.conversion "$(EXPERIMENT)"

.PHONY: chaos
chaos: install ## runs killed, starved and crowded, as root for its small disks (an hour); CHAOS="--only …"
	$(PYTHON) -m benchmarks.chaos $(CHAOS)

.PHONY: zoo
zoo: install ## networks of torchvision, mmdet and timm, by plain onnx2tf and by us (hours); ZOO="--only …"
	$(PYTHON) -m benchmarks.zoo $(ZOO)

.PHONY: random-networks
random-networks: install ## random networks of every kind, converted (hours); NETWORKS="--count 10000"
	$(PYTHON) -m benchmarks.random_networks $(NETWORKS)

.PHONY: test
test: install ## the main path with the real tools and Prefect, and all that is quick (a quarter of an hour)
	@mkdir -p $(dir $(TOOLS_LOG))
	@echo "test-tools runs beside this and is shown behind it; its log: $(TOOLS_LOG)"
	@status=0; $(MAKE) --no-print-directory --jobs 2 --keep-going test-code test-tools-logged || status=$$?; \
	cat $(TOOLS_LOG); exit $$status

# Not started with `&`: the shell would let it ignore Ctrl-C, and all that it starts.
.PHONY: test-tools-logged
test-tools-logged:
	@$(MAKE) --no-print-directory test-tools >$(TOOLS_LOG) 2>&1

# Threads that wait do not keep a core from the other group (docs/decisions/0005).
test: export GOMP_SPINCOUNT := 1000

.PHONY: test-tools
test-tools: install ## tests of the real converters and trainers, on tiny models
	$(PYTHON) -m pytest -m "toolchain and not long" --durations 15

.PHONY: test-code
test-code: install ## tests of all else, with Prefect
	$(PYTHON) -m pytest -m "not toolchain and not long and not services" --durations 15

.PHONY: test-fast
test-fast: install ## the tests that need seconds
	$(PYTHON) -m pytest -m "not toolchain and not flow and not long and not services"

.PHONY: test-long
test-long: install ## every route, detector, opset and runner (half an hour more)
	$(PYTHON) -m pytest -m long --durations 15

.PHONY: test-services
test-services: install ## real servers: deployments, retraining, promotion (minutes)
	$(PYTHON) -m pytest -m services

.PHONY: lint
lint: install ## ruff, formatting, the order of the layers, types
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	"$(VENV)/bin/lint-imports" --no-cache
	$(PYTHON) -m mypy

.PHONY: ui
ui: install ## MLflow on what was tracked; PORT=5000
	$(PYTHON) -m tasks.servers.tracking_server --port $(PORT)

.PHONY: serve
serve: install ## Prefect with its deployments, a worker, and MLflow; PREFECT_PORT=4200 PORT=5000
	$(PYTHON) -m flows.services.serve --prefect-port $(PREFECT_PORT) --mlflow-port $(PORT)

.PHONY: lock
lock: install ## resolve requirements.lock and environments/*.lock anew; UPGRADE=1 for newer versions
	$(PYTHON) -m uv pip compile --quiet pyproject.toml --extra pipeline --group dev --universal \
	    --python-version 3.12 --overrides requirements.overrides -o requirements.lock \
	    --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
	for file in environments/*.in; do \
	    $(PYTHON) -m uv pip compile --quiet "$$file" --python-version 3.12 -o "$${file%.in}.lock" \
	        --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade); \
	done

.PHONY: clean
clean: ## remove the environment and the linters' caches; artifacts/ and mlruns/ stay
	rm -rf "$(VENV)" .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
