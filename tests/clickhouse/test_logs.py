"""What was reported is in no log of the server: neither in a table, nor in the file of its errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from collector.store.engine import EngineError
from collector.store.migrate import migrate
from tests.clickhouse.guarded import engine_of, guarded, password
from tests.clickhouse_server import ClickHouseServer, NotAvailableError
from tests.conftest import missing, started
from tests.sample_days import DAY, row

_TABLES = (
    *("query_log", "query_thread_log", "query_views_log", "text_log", "error_log", "processors_profile_log"),
    *("asynchronous_insert_log", "opentelemetry_span_log", "crash_log", "query_metric_log", "part_log", "trace_log"),
    *("metric_log", "session_log", "blob_storage_log", "backup_log", "background_schedule_pool_log"),
)
UNREADABLE = 38


@contextmanager
def running(directory: Path, *, is_configured: bool) -> Iterator[ClickHouseServer]:
    """A server that has all the logs that servers have, with or without the shipped configuration."""
    logs = "".join(f"<{table}><database>system</database><table>{table}</table></{table}>" for table in _TABLES)
    # The library writes to `log` at its lowest level whatever it is told; at level `warning` it would write what is
    # in `errorlog`.
    files = f"<logger><log>{directory}/all.log</log><errorlog>{directory}/errors.log</errorlog></logger>"
    server = guarded(directory, more=logs + files)
    if not is_configured:
        (directory / "config.d/telemetry.xml").unlink()
    with started(server):
        yield server


def found_after_reports(server: ClickHouseServer) -> dict[str, set[str]]:
    """Where the server kept values of reports, after some that it took and some that it could not read."""
    owner, ingest = engine_of(server, "owner"), engine_of(server, "ingest")
    migrate(owner, DAY)
    segment = server.directory / "segment.ndjson"
    segment.write_text(json.dumps(row(os_version="canary-taken"), default=str) + "\n")
    ingest.load("private.reports", [segment], 1)
    segment.write_text(json.dumps(row(received_on="canary-date"), default=str) + "\n")
    with pytest.raises(EngineError) as unreadable:
        ingest.load("private.reports", [segment], 1)
    assert unreadable.value.code == UNREADABLE
    owner.rows("SELECT count() FROM private.reports WHERE os_version = {value:String}", value="canary-asked")
    for user in ("owner", "reports"):
        server.answer("SELECT throwIf(materialize('canary-thrown') != '', 'canary-thrown')", user, password(user))
        server.answer("SELECT 'canary-grammar' FRO", user, password(user))
    owner.close()
    ingest.close()
    server.ask("SYSTEM FLUSH LOGS")
    kept = {name for (name,) in server.ask("SELECT name FROM system.tables WHERE database = 'system'")} & set(_TABLES)
    texts = {name: server.answer(f"SELECT * FROM system.{name} FORMAT JSONEachRow")[1] for name in kept}
    texts["errors.log"] = (server.directory / "errors.log").read_text()
    found = {name: set(re.findall(r"canary-[a-z]{3}", text)) for name, text in texts.items()}
    return {name: values for name, values in found.items() if values}


def test_no_log_holds_what_was_reported(tmp_path: Path) -> None:
    with running(tmp_path / "configured", is_configured=True) as server:
        assert found_after_reports(server) == {}
        assert server.ask("SELECT count() FROM private.reports WHERE os_version = 'canary-taken'") == [["1"]]


def test_without_the_configuration_logs_hold_it(tmp_path: Path) -> None:
    """So that the test above can find something."""
    with running(tmp_path / "bare", is_configured=False) as server:
        found = found_after_reports(server)
        assert found["text_log"] >= {"canary-dat", "canary-ask", "canary-thr", "canary-gra"}
        assert found["errors.log"] >= {"canary-dat", "canary-thr"}
        assert found["error_log"] >= {"canary-thr"}


@pytest.mark.parametrize("digest", [None, ""])
def test_no_server_starts_with_a_user_without_a_password(tmp_path: Path, digest: str | None) -> None:
    server = guarded(tmp_path / "open")
    del server.environment["TELEMETRY_REPORTS_SHA256"]
    if digest is not None:
        server.environment["TELEMETRY_REPORTS_SHA256"] = digest
    try:
        with pytest.raises(AssertionError, match="while parsing user 'reports'"):
            server.start()
    except NotAvailableError as error:
        missing(str(error))
    finally:
        server.kill()
