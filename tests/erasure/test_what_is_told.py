"""What the metrics say of requests that are pending: how many and since when, and nothing of whom."""

from __future__ import annotations

import datetime as dt
import math
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from collector import forgotten, metrics
from collector.doctor import stuck
from collector.doctor.case import open_case
from collector.doctor.finding import Severity
from collector.forgetting import tell
from collector.forgotten import Forgotten
from collector.layout import Layout, layout
from collector.settings import Settings
from collector.store import nodes
from collector.store.migrate import migrate
from collector.store.server import Address, ServerEngine
from tests.clickhouse_server import ClickHouseServer
from tests.conftest import running
from tests.erasure.machine import TODAY, pseudonyms, receipt
from tests.erasure.machine import asked as asked_of
from tests.monitoring.rules import ALERTS
from tests.monitoring.test_condition import value
from tests.sample_days import DAY, ONE

NOON = dt.datetime.combine(DAY, dt.time(12), dt.UTC)
HALF_A_DAY, PSEUDONYM = 12 * 3600, "5f0c9b4e-7a53-4a8e-9d0d-5b7b8a0f6c11"


@pytest.fixture
def paths(tmp_path: Path) -> Layout:
    return layout(Settings(data=tmp_path / "data"))


def told(paths: Layout) -> tuple[float, float]:
    tell(paths, NOON)
    return value(metrics.ERASURES_PENDING), value(metrics.OLDEST_ERASURE_PENDING_SECONDS)


def asked(paths: Layout, days_ago: int, *, is_pending: bool = True) -> None:
    one = Forgotten(f"forget-{days_ago}", DAY - days_ago * ONE, (PSEUDONYM,), DAY + 9 * ONE, is_pending, ("a machine",))
    forgotten.keep(paths, one)


def test_requests_that_are_pending_are_counted_and_the_oldest_has_its_age(paths: Layout) -> None:
    assert told(paths) == (0, 0)
    asked(paths, 0)
    assert told(paths) == (1, HALF_A_DAY)
    asked(paths, 3)
    asked(paths, 5, is_pending=False)
    assert told(paths) == (2, 3 * 86400 + HALF_A_DAY)
    asked(paths, 0, is_pending=False)
    asked(paths, 3, is_pending=False)
    assert told(paths) == (0, 0)


def test_list_that_cannot_be_read_is_no_number_and_not_what_it_was(paths: Layout) -> None:
    asked(paths, 3)
    told(paths)
    paths.forgotten.write_text("{")
    with pytest.raises(ValueError, match="Expecting"):
        tell(paths, NOON)
    assert math.isnan(value(metrics.ERASURES_PENDING))
    assert math.isnan(value(metrics.OLDEST_ERASURE_PENDING_SECONDS))


def test_line_from_before_reasons_were_written_down_is_read(paths: Layout) -> None:
    asked(paths, 3)
    text = paths.forgotten.read_text()
    paths.forgotten.write_text(text.replace(', "waits_for": ["a machine"]', ""))
    assert paths.forgotten.read_text() != text
    assert [(one.request, one.waits_for) for one in forgotten.pending(paths)] == [("forget-3", ())]


def test_alert_and_doctor_call_the_same_request_late() -> None:
    (days,) = re.findall(r"telemetry_oldest_erasure_pending_seconds > (\d+) \* 86400", ALERTS.read_text("utf-8"))
    assert dt.timedelta(days=int(days)) == forgotten.LATE_AFTER


def test_running_collector_tells_it_and_nothing_of_whom(tmp_path: Path) -> None:
    """Pending requests are gone on with at the start and then hourly, so one that is written down since stays."""
    paths = layout(Settings(data=tmp_path / "data"))
    paths.restored.touch()  # the first time takes it away
    with running(paths.data) as server:
        deadline = time.monotonic() + 30
        while paths.restored.exists():
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.1)
        today = dt.datetime.now(dt.UTC).date()
        forgotten.keep(paths, Forgotten("forget-0a1b2c", today - 4 * ONE, (PSEUDONYM,), today + 9 * ONE))
        deadline = time.monotonic() + 30
        while server.metric("telemetry_erasures_pending") != 1:
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.2)
        assert 4 * 86400 <= server.metric("telemetry_oldest_erasure_pending_seconds") <= 5 * 86400 + 60
        said = "\n".join(line for line in server.metric_lines() if "erasure" in line)
        assert PSEUDONYM not in said
        assert "forget-" not in said
        assert "{" not in re.sub(r"^#.*$", "", said, flags=re.MULTILINE), "it has no label"


def test_machine_that_is_waited_for_is_named_by_the_doctor_until_the_request_ends(
    clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    """It was written down with the request, so the doctor knows it where no collector runs and it asks no store."""
    clickhouse.empty()
    data, options = tmp_path / "data", clickhouse.options()
    paths = layout(Settings(data=data))
    pseudonyms(data)  # makes the peppers
    engine = ServerEngine(Address(clickhouse.url(), clickhouse.password_file, 20), "tests")
    migrate(engine, TODAY)
    nodes.note(engine, "ingest-2-ab12cd", TODAY - 5 * ONE, 3)
    receipt(data, *options, code=3)
    (one,) = forgotten.pending(paths)
    forgotten.keep(paths, replace(one, asked_on=TODAY - 4 * ONE))  # as if it were of then

    def said() -> list[str]:
        case = open_case(Settings(data=data, store_url=clickhouse.url()), dt.datetime.now(dt.UTC))
        return [found.what for found in stuck.check(case) if found.severity is Severity.PROBLEM]

    (late,) = said()
    assert f"request {one.request} of {TODAY - 4 * ONE}" in late
    assert f"ingest-2-ab12cd, which has loaded what it received through {TODAY - 5 * ONE}" in late
    nodes.note(engine, "ingest-2-ab12cd", TODAY - 4 * ONE, 0)
    told_again = asked_of(data, "forget", "--pending", *options)
    assert told_again.exit_code == 0
    assert said() == []
    assert [one.waits_for for one in forgotten.read(paths)] == [()]
