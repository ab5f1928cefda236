"""The metrics, and the one place where they are declared.

Labels come from closed lists only (report ids, outcome codes, step names): no product, version,
licence, address or other value ever is a label. With several processes the prometheus client keeps
its values in files under `PROMETHEUS_MULTIPROC_DIR`; the supervisor adds them up for /metrics.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REPORTS = Counter("telemetry_reports", "Reports by what became of them.", ["report", "outcome"])
BLANKED = Counter("telemetry_fields_blanked", "Withdrawn fields blanked on arrival.", ["report"])
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
