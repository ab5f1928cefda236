# `make` alone says what it can do. Python 3.11+ and make are all it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# With what ours is compared with in `make bench`.
BENCH_READY := $(VENV)/.ready-bench
# Twice as many as there are cores: most tests wait for a process or a clock.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1) \* 2)
IN_PARALLEL := --numprocesses $(JOBS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup run demo test test-clients test-tcl test-crash test-outage test-cluster test-year test-monitoring test-containers test-abuse test-memory test-attacks utility oracle client lint bench bench-quick schemas clean wheel procedures

help: ## what can be done
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | while IFS="$$(printf '\t')" read -r verb text; do printf '  make %-13s %s\n' "$$verb" "$$text"; done

setup: $(READY) ## fill .venv with the project and its tools

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.11 ..." if sys.version_info < (3, 11) else 0)'
	@echo "filling $(VENV): one or two minutes the first time"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[collector,embedded,dev]'
	@touch $@

run: $(READY) ## take reports on http://127.0.0.1:8080, data in ./data
	$(BIN)/collector serve --data data --log-format text

demo: $(READY) ## a made-up fleet in ./demo-data, and its published counts
	@BIN=$(BIN) sh deploy/demo.sh

client: $(READY) ## the Python client as one file and as a wheel of its own, in ./dist
	@mkdir -p dist
	@$(BIN)/python client_sdk/python/build_pyz.py dist/telemetry-client.pyz
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist client_sdk/python > dist/build.log 2>&1 || { cat dist/build.log; exit 1; }
	@rm dist/build.log
	@for wheel in dist/product_telemetry_client-*.whl; do printf '%s: %s bytes\n' "$$wheel" "$$(wc -c < "$$wheel")"; done

wheel: $(READY) ## the whole package as a wheel in ./dist, for deploy/systemd/install.sh and deploy/Dockerfile
	@mkdir -p dist
	@$(BIN)/python -m build --wheel --no-isolation --outdir dist . > dist/build.log 2>&1 || { cat dist/build.log; exit 1; }
	@rm dist/build.log
	@ls -l dist/product_telemetry-[0-9]*.whl

procedures: $(READY) ## do what deploy/PROCEDURES.md and RIGHTS.md say on a booted Debian, and write the answers into them; root, five minutes
	$(BIN)/python -m tests.systemd.procedures --write

lint: $(READY) ## ruff, mypy and the client's oldest Python
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/vermin --no-tips --violations -t=3.8- client_sdk/python

test: lint ## lint and every test, about fourteen minutes on two cores
	$(BIN)/collector check
	$(BIN)/python -m pytest $(IN_PARALLEL)

test-clients: $(READY) ## every client, under every interpreter, meets every case; ten minutes
	CONFORMANCE=all $(BIN)/python -m pytest $(IN_PARALLEL) tests/client

test-tcl: $(READY) ## the Tcl client: its own tests and all of the suite of all clients, three minutes; needs tclsh and tcl-tls
	$(BIN)/python -m pytest tests/client/tcl
	CONFORMANCE=all $(BIN)/python -m pytest $(IN_PARALLEL) tests/client/conformance -k tcl

test-crash: $(READY) ## power cuts, full disks and 100 kills under load, about four minutes
	CRASH_KILLS=$${CRASH_KILLS:-100} $(BIN)/python -m pytest -s tests/crash

test-outage: $(READY) ## 2,000 reports/s, and a minute (OUTAGE_SECONDS) without ClickHouse; needs npm
	$(BIN)/python -m tests.outage.long_run

test-abuse: $(READY) ## a minute (ABUSE_SECONDS) of everything a stranger can do, with live traffic beside it
	ABUSE_SECONDS=$${ABUSE_SECONDS:-60} $(BIN)/python -m pytest -s tests/abuse/test_abuse.py

test-cluster: $(READY) ## real ClickHouse servers: users and grants, three shards, faults, closing and moving killed anywhere; 12 minutes
	$(BIN)/python -m pytest tests/clickhouse tests/outage/test_shards.py
	CLUSTER=all CLUSTER_REPORTS=200000 $(BIN)/python -m pytest --durations=3 tests/end_to_end/test_parts_on_a_cluster.py
	ENGINES=server,sharded $(BIN)/python -m pytest $(IN_PARALLEL) tests/store tests/publish tests/erasure tests/retention
	$(BIN)/python -m tests.store.long_move

test-containers: $(READY) ## the image really built and started, Compose and Kubernetes files; two minutes; root, debootstrap, nginx, caddy, kubectl, go
	CONTAINERS=all $(BIN)/python -m pytest -s tests/containers

test-monitoring: $(READY) ## every alert by its real fault, with a real Prometheus, about three minutes; needs prometheus, prometheus-alertmanager, strace
	MONITORING=all $(BIN)/python -m pytest tests/monitoring

test-year: $(READY) ## a whole year in simulated time: policy, quarters, erasures, a lost store; three minutes
	YEAR=all $(BIN)/python -m pytest tests/end_to_end/test_a_year.py

test-memory: $(READY) ## a worker's memory while 5 million reports (MEMORY_REPORTS) wait in its spool
	$(BIN)/python -m tests.abuse.memory

test-attacks: $(READY) ## attack the published counts and score it, about five minutes; the scores go into the pages
	$(BIN)/python -m tests.attacks.run --write collector/publish/attack-scores.json
	$(BIN)/python -m collector.privacy_page

utility: $(READY) ## how much of a fleet can be seen, for several sizes and profiles, about five minutes
	$(BIN)/python -m tests.utility.measure --write deploy/UTILITY.md

oracle: $(READY) ## add an independent judge of the privacy accounting to .venv (265 MB); its tests skip without it
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[collector,embedded,dev,oracle]'

$(BENCH_READY): $(READY)
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[collector,embedded,dev,bench]'
	@echo 'building the OpenTelemetry Collector to compare with: four minutes the first time'
	-@$(BIN)/python -m tests.bench.otel.build
	@touch $@

bench: $(BENCH_READY) client ## ours beside others, what is promised and whether it holds, pages, clients, costs; an hour
	$(BIN)/python -m tests.bench --out bench-results/full.json
	$(BIN)/python -m tests.bench.page bench-results/full.json
	$(BIN)/python -m tests.reports.pages.speed
	$(BIN)/python -m tests.bench.clients
	$(BIN)/python -m tests.bench.costs --write
	$(BIN)/python -m collector.capacity.page

bench-quick: $(BENCH_READY) ## the same promises, roughly, in three minutes
	$(BIN)/python -m tests.bench --quick --out bench-results/quick.json

schemas: $(READY) ## write the generated pages and schemas from the code
	$(BIN)/python -m schemas.generate
	$(BIN)/python -m collector.reference
	$(BIN)/python -m collector.privacy_page
	$(BIN)/python -m collector.capacity.page

clean: ## remove .venv, demo data and caches
	rm -rf $(VENV) dist demo-data demo-trends .pytest_cache .mypy_cache .ruff_cache .hypothesis
