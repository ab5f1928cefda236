"""The metrics, and the one place where they are declared.

Labels come from closed lists only (report ids, outcome codes, step names): no product, version,
licence, address or other value ever is a label. With several processes the prometheus client keeps
its values in files under `PROMETHEUS_MULTIPROC_DIR`; the supervisor adds them up for /metrics.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from collector import metric_files

metric_files.allocate()

RECEIVED = Counter("telemetry_received", "Reports that arrived whole, or could not be told to be reports.")
REPORTS = Counter("telemetry_reports", "Reports by what became of them.", ["report", "outcome"])
BLANKED = Counter("telemetry_fields_blanked", "Withdrawn fields blanked on arrival.", ["report"])
REPLACED_VALUES = Counter(
    "telemetry_values_replaced", "New values over their budget of the day, stored as `other`.", ["field"]
)
IN_FLIGHT = Gauge("telemetry_requests_in_flight", "Requests being handled.", multiprocess_mode="livesum")
CONNECTIONS_CLOSED = Counter(
    "telemetry_connections_closed", "Connections closed for being one too many or not reading answers.", ["reason"]
)
COMMIT_SECONDS = Histogram(
    "telemetry_spool_commit_seconds",
    "Time of one group commit, write and fdatasync.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5),
)
SPOOL_FAILURES = Counter("telemetry_spool_failures", "Group commits that failed; their reports got 503 or 507.")
LOADED_ROWS = Counter("telemetry_loaded_rows", "Rows handed to the engine and confirmed.")
LOAD_FAILURES = Counter("telemetry_load_failures", "Loads that failed and will be tried again.")
QUARANTINED = Counter("telemetry_quarantined_segments", "Segments the engine could not parse.")
WAITING_SEGMENTS = Gauge(
    "telemetry_waiting_segments", "Sealed segments not yet loaded.", multiprocess_mode="mostrecent"
)
STORE_UP = Gauge("telemetry_store_up", "Whether the store takes statements.", multiprocess_mode="mostrecent")
RELOADS = Counter("telemetry_reloads", "Times the configuration was read again, by how it went.", ["result"])
PROCESS_RESTARTS = Counter("telemetry_process_restarts", "Processes of ours that ended and were started again.")
RELEASES = Counter("telemetry_releases", "Periods released.", ["grain"])
PUBLISH_FAILURES = Counter("telemetry_publish_failures", "Closings that failed and will be tried again.")
LICENCES_LEFT_OUT = Counter(
    "telemetry_licence_rows_left_out",
    "Rows with a licence that closed in a later quarter and left the measure.",
)


def exposition() -> bytes:
    """All processes' metrics in the text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
