"""What each part of a collector says of itself, and that it says nothing of what it has no part in."""

from __future__ import annotations

import time
from pathlib import Path

from tests.clickhouse_server import ClickHouseServer
from tests.conftest import Server, collector, running

OF_REPORTS = {
    "telemetry_disk_free_bytes",
    "telemetry_waiting_bytes",
    "telemetry_quarantine_segments",
    "telemetry_permit_ends_timestamp_seconds",
}
OF_DAYS = {"telemetry_days_due", "telemetry_publishing_stands_by"}
OF_ALL = {"telemetry_build_info", "telemetry_start_timestamp_seconds", "telemetry_last_reload_taken"}
OF_ALL |= {"telemetry_store_up", "telemetry_process_restarts_total"}


def names(server: Server) -> set[str]:
    return {line.split("{")[0].split(" ")[0] for line in server.metric_lines() if not line.startswith("#")}


def wait_until(server: Server, present: set[str], line: str, value: float) -> set[str]:
    deadline = time.monotonic() + 40
    while not present <= names(server) or server.metric(line) != value:
        assert time.monotonic() < deadline, f"{present - names(server)} {server.log.read_text()}"
        time.sleep(0.2)
    return names(server)


def test_parts_say_what_is_theirs(tmp_path: Path, clickhouse: ClickHouseServer) -> None:
    clickhouse.empty()
    options = clickhouse.options()
    data = tmp_path / "ingest"
    (data / "spool").mkdir(parents=True, mode=0o700)
    data.chmod(0o700)
    collector("pepper", "make", "--data", str(data))
    up = "telemetry_store_up"
    with running(data, *options, verb="ingest") as ingest:
        wait_until(ingest, OF_ALL, up, 0)
        collector("migrate", "apply", "--data", str(tmp_path / "owner"), *options)
        said = wait_until(ingest, OF_ALL | OF_REPORTS | {"telemetry_peppers_end_timestamp_seconds"}, up, 1)
        assert not said & OF_DAYS
    with running(tmp_path / "publish", *options, verb="publish") as publish:
        said = wait_until(publish, OF_ALL | OF_DAYS, up, 1)
        assert not said & OF_REPORTS
        assert "telemetry_audit_lines_waiting" not in said
    with running(tmp_path / "reports", *options, verb="reports") as reports:
        said = wait_until(reports, OF_ALL | {"telemetry_audit_lines_waiting"}, up, 1)
        assert not said & (OF_REPORTS | OF_DAYS)
