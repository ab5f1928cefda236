"""What the metrics say of disk, spool, configuration and days, where no alert of the live test looks."""

from __future__ import annotations

import datetime as dt
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import Gauge

from collector import metrics
from collector.condition import Condition
from collector.configuration import Configuration
from collector.days import Days
from collector.ingest import tally
from collector.ingest.pseudonyms import Peppers
from collector.ingest.spool import SegmentWriter
from collector.ingest.tls import CertificateError, valid_until
from collector.layout import layout
from collector.roles import Role
from collector.settings import Settings
from collector.store.engine import Engine, EngineError, Failure
from schemas.outcomes import Outcome
from schemas.reports import REPORTS
from tests.conftest import running
from tests.publishers import publisher_on
from tests.sample_days import DAY, ONE, receive, row

NOON = dt.datetime.combine(DAY, dt.time(12), dt.UTC)


def value(gauge: Gauge) -> float:
    (family,) = gauge.collect()
    return family.samples[0].value


def test_spool_is_looked_at_whole_and_its_oldest_segment_counts(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", max_spool_bytes=2 << 20, reserve_percent=50)
    paths = layout(settings)
    for worker, age in (("w0", 100), ("w1", 1000)):
        writer = SegmentWriter(paths.spool / worker, seal_after_bytes=1, reserve_percent=0)
        writer.append(DAY, b"x" * 500)
        (sealed,) = (paths.spool / worker / "sealed").iterdir()
        os.utime(sealed, (time.time() - age, time.time() - age))
    SegmentWriter(paths.spool / "w2", seal_after_bytes=10_000, reserve_percent=0).append(DAY, b"x" * 70)
    (paths.spool / "lost+found").mkdir()
    (paths.quarantine / "w0.one.ndjson").touch()
    (paths.quarantine / "w0.one.reason").touch()
    Condition(settings, Role.SERVE, paths).look(DAY)
    assert value(metrics.WAITING_BYTES) == 1070
    assert value(metrics.WAITING_LIMIT_BYTES) == 2 << 20
    assert 1000 <= value(metrics.OLDEST_WAITING_SECONDS) < 1060
    assert value(metrics.QUARANTINE_SEGMENTS) == 1
    disk = os.statvfs(tmp_path)
    assert value(metrics.DISK_RESERVE_BYTES) == pytest.approx(disk.f_blocks * disk.f_frsize / 2, abs=disk.f_frsize)


def test_disk_is_looked_at_once_a_second_however_often_it_is_asked(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    paths = layout(settings)
    condition = Condition(settings, Role.SERVE, paths)
    condition.look(DAY)
    (paths.quarantine / "w0.one.ndjson").touch()
    condition.look(DAY)
    assert value(metrics.QUARANTINE_SEGMENTS) == 0


def test_what_cannot_be_looked_at_is_no_number_and_not_what_it_was(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    paths = layout(settings)
    condition = Condition(settings, Role.SERVE, paths)
    for directory in (paths.spool, paths.quarantine):
        directory.rename(directory.with_name(f"{directory.name}-away"))
    condition.look(DAY)
    assert math.isnan(value(metrics.WAITING_BYTES))
    assert math.isnan(value(metrics.QUARANTINE_SEGMENTS))
    assert value(metrics.DISK_FREE_BYTES) > 0


def test_first_permit_that_is_not_withdrawn_ends_after_its_last_day(
    tmp_path: Path, configuration: Configuration
) -> None:
    first, second, *others = configuration.policy.permits_
    permits = (
        first.model_copy(update={"expires": DAY, "withdrawn": True}),
        second.model_copy(update={"expires": DAY + ONE}),
        *others,
    )
    policy = configuration.policy.model_copy(update={"permits_": permits})
    settings = Settings(data=tmp_path / "data")
    condition = Condition(settings, Role.SERVE, layout(settings))
    condition.begin(Configuration(policy, configuration.catalogue, configuration.menu))
    assert value(metrics.PERMIT_ENDS) == dt.datetime.combine(DAY + 2 * ONE, dt.time(), dt.UTC).timestamp()
    assert value(metrics.LAST_RELOAD_TAKEN) == 1
    condition.refuse()
    assert value(metrics.LAST_RELOAD_TAKEN) == 0


@pytest.mark.parametrize("days", [-3, 3])
def test_certificate_tells_when_it_ends_even_if_it_has(
    tmp_path: Path, days: int, issue: Callable[[Path, dt.datetime], tuple[Path, Path]]
) -> None:
    end = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=days)
    assert valid_until(*issue(tmp_path, end)) == end
    with pytest.raises(CertificateError):
        valid_until(tmp_path / "none", tmp_path / "none")


@pytest.mark.parametrize(
    ("there", "first_without"),
    [
        ([], dt.date(2026, 10, 1)),
        (["2027Q1"], dt.date(2026, 10, 1)),
        (["2026Q4"], dt.date(2027, 1, 1)),
        (["2026Q4", "2027Q1", "2027Q2", "2027Q4"], dt.date(2027, 7, 1)),
    ],
)
@pytest.mark.parametrize("day", [dt.date(2026, 10, 1), dt.date(2026, 11, 30), dt.date(2026, 12, 31)])
def test_peppers_last_until_the_first_quarter_without_one(
    tmp_path: Path, there: list[str], first_without: dt.date, day: dt.date
) -> None:
    for name in there:
        (tmp_path / f"pepper-{name}").touch()
    assert Peppers(tmp_path, makes=False).there_before(day) == first_without


def test_days_fall_due_while_the_store_is_away(
    engine: Engine, configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = Days(engine, publish_after_minutes=30)
    days.look(NOON)
    assert value(metrics.DAYS_DUE) == 0, "nothing was ever received"
    receive(engine, [row(DAY - 2 * ONE)])
    days.look(NOON)
    assert value(metrics.DAYS_DUE) == 2
    publisher_on(engine, configuration).publish(DAY, DAY - ONE)
    days.look(NOON)
    assert value(metrics.DAYS_DUE) == 0
    assert value(metrics.LAST_CLOSED_DAY) == dt.datetime.combine(DAY - ONE, dt.time(), dt.UTC).timestamp()

    def away(*_: object, **__: object) -> None:
        raise EngineError(Failure.REFUSED)

    monkeypatch.setattr(type(engine), "rows", away)
    days.look(NOON + ONE)
    assert value(metrics.DAYS_DUE) == 1
    days.look(NOON - dt.timedelta(hours=11, minutes=45))
    assert value(metrics.DAYS_DUE) == 0, "a day is due half an hour after it has ended"


def test_every_outcome_of_every_report_is_there_before_it_occurs() -> None:
    tally.begin()
    (family,) = metrics.REPORTS.collect()
    counted = {(s.labels["report"], s.labels["outcome"]) for s in family.samples if s.name.endswith("_total")}
    assert counted >= {(report, outcome.value) for report in (*REPORTS, "none") for outcome in Outcome}


def test_running_collector_says_what_it_is_and_keeps_its_values_where_space_was_taken(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--workers", "2") as server:
        assert server.metric("telemetry_build_info{version=") == 1
        assert abs(server.metric("telemetry_start_timestamp_seconds") - time.time()) < 60
        assert 'telemetry_reports_total{outcome="unknown_product",report="image-boot/1"} 0.0' in server.metric_lines()
        names = {line.split("{")[0].split(" ")[0] for line in server.metric_lines()}
        assert "telemetry_certificate_ends_timestamp_seconds" not in names, "it has none"
        assert "telemetry_peppers_end_timestamp_seconds" not in names, "it makes its own"
        assert "telemetry_waiting_limit_bytes" not in names, "there is none"
        for file in (server.data / "run" / "metrics").iterdir():
            assert file.stat().st_size == 65_536, "the library made it longer, and did not take the space"
