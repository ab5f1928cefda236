"""Names by which results, promises and pages speak of the same things."""

from __future__ import annotations

# Targets.
INGEST = "collector, ingest"
INGEST_TLS = "collector, ingest, TLS"
ONE_WORKER = "collector, one worker"
TWO_WORKERS = "collector, two workers"
WHOLE = "collector, whole"
BARE = "bare aiohttp handler"
BARE_TLS = "bare aiohttp handler, TLS"
FASTAPI = "FastAPI, list in memory"
INSERT = "insert per report"
OTEL = "OpenTelemetry Collector, no fsync"
OTEL_SYNCED = "OpenTelemetry Collector, fsync"

# Workloads.
KEEP_ALIVE = "keep-alive"
NEW_CONNECTION = "new connection"
NEW_TLS_CONNECTION = "new TLS connection"
BATCHES = "NDJSON batches of 100"
ONE_IN_TEN_REFUSED = "keep-alive, one in ten refused"
BURST = "burst of machines that boot"
INTO_THE_DATABASE = "keep-alive, into the database"
NEW_INTO_THE_DATABASE = "new connection, into the database"
TWO_CORES = "keep-alive, two cores"

# What the processes of a target do.
WORKER = "worker"
SUPERVISOR = "supervisor"
STORE = "store"
HANDLER = "handler"
DATABASE = "database"
TOTAL = "whole"
