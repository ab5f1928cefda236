"""The metrics, and the one place where they are declared.

Labels come from closed lists only (report ids, outcome codes, this program's version): no product,
licence, address or other value ever is a label. With several processes the prometheus client keeps
its values in files under `PROMETHEUS_MULTIPROC_DIR`; the supervisor adds them up for /metrics. A gauge that no process
of this role sets is absent there. What costs a look at the disk is looked at when somebody asks, see condition.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from collector import metric_files

if TYPE_CHECKING:
    from collections.abc import Sequence

metric_files.allocate()


def _gauge(name: str, documentation: str, labels: Sequence[str] = ()) -> Gauge:
    """A gauge of which there is one value, whichever process set it last."""
    return Gauge(name, documentation, labels, multiprocess_mode="mostrecent")


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
QUARANTINE_SEGMENTS = _gauge("telemetry_quarantine_segments", "Segments that are in quarantine now.")
WAITING_SEGMENTS = _gauge("telemetry_waiting_segments", "Sealed segments not yet loaded.")
WAITING_BYTES = _gauge("telemetry_waiting_bytes", "Length of all segments in the spool.")
WAITING_LIMIT_BYTES = _gauge("telemetry_waiting_limit_bytes", "`max_spool_bytes`, if it is set.")
OLDEST_WAITING_SECONDS = _gauge(
    "telemetry_oldest_waiting_seconds", "How long the oldest sealed segment has waited to be loaded; 0 if none does."
)
DISK_FREE_BYTES = _gauge("telemetry_disk_free_bytes", "Free space on the disk of the data directory.")
DISK_RESERVE_BYTES = _gauge("telemetry_disk_reserve_bytes", "With less than this free, reports get 507.")
STORE_UP = _gauge("telemetry_store_up", "Whether the store takes statements, and is ready for this collector.")
AUDIT_LINES_WAITING = _gauge(
    "telemetry_audit_lines_waiting", "Audit lines that could not be written yet; see `audit_not_written`."
)
RELOADS = Counter("telemetry_reloads", "Times the configuration was read again, by how it went.", ["result"])
LAST_RELOAD_TAKEN = _gauge(
    "telemetry_last_reload_taken", "Whether what the operator wrote was taken when it was last read."
)
CERTIFICATE_ENDS = _gauge(
    "telemetry_certificate_ends_timestamp_seconds", "When the certificate that was last taken ends."
)
PERMIT_ENDS = _gauge(
    "telemetry_permit_ends_timestamp_seconds", "When the first permit of the policy ends that is not withdrawn."
)
PEPPERS_END = _gauge(
    "telemetry_peppers_end_timestamp_seconds", "Beginning of the first quarter without a pepper, of `collector ingest`."
)
LAST_BACKUP = _gauge(
    "telemetry_last_backup_timestamp_seconds",
    "When `collector backup` last took a backup; not a number before the first.",
)
BUILD = _gauge("telemetry_build_info", "The program's version; always 1.", ["version"])
STARTED = _gauge("telemetry_start_timestamp_seconds", "When `collector serve`, or this part of it, was started.")
PROCESS_RESTARTS = Counter("telemetry_process_restarts", "Processes of ours that ended and were started again.")
RELEASES = Counter("telemetry_releases", "Periods released.", ["grain"])
PUBLISH_FAILURES = Counter("telemetry_publish_failures", "Closings that failed and will be tried again.")
LAST_CLOSED_DAY = _gauge("telemetry_last_closed_day_timestamp_seconds", "Beginning of the last day that is closed.")
DAYS_DUE = _gauge("telemetry_days_due", "Days that should be closed by now and are not.")
ERASURES_PENDING = _gauge(
    "telemetry_erasures_pending", "Requests to forget a licence of which something has still to be erased."
)
OLDEST_ERASURE_PENDING_SECONDS = _gauge(
    "telemetry_oldest_erasure_pending_seconds",
    "How long ago the day began on which the oldest of them was asked for; 0 if none is pending.",
)
STANDS_BY = _gauge("telemetry_publishing_stands_by", "Whether another collector publishes and this one waits.")
LICENCES_LEFT_OUT = Counter(
    "telemetry_licence_rows_left_out",
    "Rows with a licence that closed in a later quarter and left the measure.",
)
EXPIRED_REPORTS = Counter(
    "telemetry_expired_reports",
    "Accepted reports that were given up because of their age before they counted, by where they waited.",
    ["place"],
)


def exposition() -> bytes:
    """All processes' metrics in the text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
