"""Nothing outlives its limit: time passes, by argument, and everything that is held goes."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from collector.configuration import Configuration
from collector.ingest.owned_files import begun
from collector.publish.limits import Limits
from collector.publish.periods import period_of
from collector.publish.publisher import last_closed
from collector.retention.deleting import Deleting
from collector.retention.holdings import temporary
from collector.retention.kinds import Kind, keepings
from collector.store.quarantine import dropped_rows
from tests.conftest import collector, running
from tests.publishers import publisher_on
from tests.retention.conftest import held
from tests.retention.planting import PLANTS, aside, count, sealed
from tests.sample_days import DAY, ONE, receive, row

# Files and tables carry the time of this machine; so late a day finds them old.
TODAY = dt.datetime.now(dt.UTC).date() + 5 * ONE
# Nobody deletes these but an operator, the engine as it merges, or the next backup or move.
STAY = {Kind.BACKUPS, Kind.BEGUN_BACKUPS, Kind.ENGINE_BEFORE_MOVE, Kind.TABLES, Kind.NODES}


def metric(place: str) -> float:
    from collector.metrics import EXPIRED_REPORTS

    return EXPIRED_REPORTS.labels(place)._value.get()


def test_every_kind_is_found_when_it_is_too_old_and_then_deleted(deleting: Deleting) -> None:
    limits = {one.kind: one.days for one in keepings(deleting.limits)}
    assert set(PLANTS) == set(limits) == set(Kind)
    assert not [row for row in held(deleting, TODAY).values() if row.is_over or not row.is_known]
    for kind, plant in PLANTS.items():
        plant(deleting, TODAY - (limits[kind] + 1) * ONE)
    found = held(deleting, TODAY)
    assert {kind for kind, row in found.items() if row.is_over} == set(Kind)
    assert all(row.shown()["todo"] for row in found.values())
    assert deleting.run(TODAY)
    left = {kind: row.where for kind, row in held(deleting, TODAY).items() if row.is_over}
    assert set(left) == STAY, left
    assert deleting.run(TODAY)


def test_what_is_as_old_as_its_limit_stays(deleting: Deleting) -> None:
    limits = {one.kind: one.days for one in keepings(deleting.limits)}
    month = dt.date(2026, 10, 1)
    today = month + limits[Kind.COUNTED] * ONE - ONE
    count(deleting, month)
    receive(deleting.room.engine, [row(today - (limits[Kind.RECEIVED] - 1) * ONE)])
    sealed(deleting, today - (limits[Kind.SPOOL] - 1) * ONE)
    aside(deleting, today - (limits[Kind.QUARANTINE] - 1) * ONE)
    assert deleting.run(today)
    kinds = {Kind.COUNTED, Kind.RECEIVED, Kind.SPOOL, Kind.QUARANTINE}
    assert all(held(deleting, today)[kind].oldest for kind in kinds)


def test_given_up_segments_stay_in_the_sum_and_are_counted_and_written_down(deleting: Deleting, capsys) -> None:
    before = metric("spool"), metric("quarantine")
    sealed(deleting, TODAY - 60 * ONE, reports=3)
    aside(deleting, TODAY - 19 * ONE)
    assert deleting.run(TODAY)
    assert dropped_rows(deleting.room.paths.quarantine, TODAY) == 4
    assert (metric("spool") - before[0], metric("quarantine") - before[1]) == (3, 1)
    lines = deleting.ledger.rows("SELECT about FROM audit WHERE event = 'reports_expired' ORDER BY about")
    assert lines == [("quarantine, 1 reports",), ("spool, 3 reports",)]
    assert "".join(capsys.readouterr()).count("expired_unused") == 2


def test_no_report_is_kept_longer_than_the_policy_permits() -> None:
    """Received on any day, as late as may be, counted on any day: never longer than `retention_days`."""
    limits = Limits(60, 10, 2)
    assert (limits.counted_days, limits.late_days) == (41, 19)
    longest = 0
    for n in range(365):
        day = dt.date(2026, 1, 1) + n * ONE
        today = day
        while not (
            max(period_of(day, "week").last_day, period_of(day, "month").last_day) <= today - 3 * ONE
            and day + 14 * ONE <= today - 3 * ONE
            and period_of(day, "month").last_day + 10 * ONE < today
        ):
            today += ONE
        longest = max(longest, (today - day).days)
    assert longest == limits.counted_days
    assert longest + limits.late_days == 60


@pytest.mark.parametrize(
    ("limits", "is_refused"),
    [
        (Limits(60, 10, 2), False),
        (Limits(60, 26, 2), False),
        (Limits(60, 27, 2), True),
        (Limits(52, 5, 10), False),
        (Limits(51, 5, 10), True),  # a day that is closed ten days late is kept from then on
        (Limits(44, 10, 2), False),
        (Limits(43, 10, 2), True),
    ],
)
def test_settings_that_would_exceed_the_policy_are_refused(limits: Limits, is_refused: bool) -> None:
    assert bool(limits.problem()) == is_refused


def test_list_of_the_forgotten_that_was_being_written_is_a_temporary_file(deleting: Deleting) -> None:
    paths = deleting.room.paths
    assert temporary(paths) == []
    half = begun(paths.forgotten)
    half.write_text("{")
    assert temporary(paths) == [half]


def test_report_that_would_be_kept_too_long_does_not_count(deleting: Deleting, configuration: Configuration) -> None:
    engine = deleting.room.engine
    publisher = publisher_on(engine, configuration, limits=Limits(45, 10, 2))
    receive(engine, [row(DAY)])
    publisher.publish(DAY + 4 * ONE, DAY + 3 * ONE)
    before = metric("late")
    receive(engine, [row(DAY, language="fr"), row(DAY - ONE, language="de"), row(DAY + 4 * ONE)])
    publisher.publish(DAY + 5 * ONE, DAY + 4 * ONE)
    counted = engine.rows("SELECT language FROM private.counted ORDER BY language")
    assert counted == [("en-US",), ("en-US",), ("fr",)], "4 days late counts, 5 days late does not"
    assert metric("late") - before == 1


def test_policy_wins_over_a_publisher_that_cannot_close(deleting: Deleting) -> None:
    receive(deleting.room.engine, [row(TODAY - 60 * ONE), row(TODAY - 59 * ONE)])
    count(deleting, TODAY - 60 * ONE)
    count(deleting, TODAY - 59 * ONE)
    assert deleting.run(TODAY)
    assert last_closed(deleting.room.engine) is None
    found = held(deleting, TODAY)
    assert found[Kind.RECEIVED].oldest == found[Kind.COUNTED].oldest == TODAY - 59 * ONE
    assert found[Kind.COUNTED].is_over, "the policy permits it, the settings wanted it gone"


def test_days_that_are_due_after_downtime_are_closed_before_anything_is_dropped(deleting: Deleting) -> None:
    """Two passes, 70 days late: the first must not take from the second what the month still needs."""
    engine, publisher = deleting.room.engine, deleting.room.publisher
    first = dt.date(2026, 9, 26)
    receive(engine, [row(first) for _ in range(200)])
    today = first + 70 * ONE
    publisher.publish(today, first + ONE)
    publisher.publish(today, dt.date(2026, 9, 30))
    assert engine.rows("SELECT count() FROM public.cells WHERE grain = 'month' AND value > 100")[0][0]
    assert deleting.run(today)
    assert held(deleting, today)[Kind.COUNTED].oldest is None


def test_part_that_fails_is_told_and_keeps_no_other_from_being_done(deleting: Deleting, capsys) -> None:
    sealed(deleting, TODAY - 60 * ONE)
    (deleting.room.paths.quarantine / "dropped").write_text("in the way")
    aside(deleting, DAY)
    deleting.room.engine.command("RENAME TABLE private.loads TO private.moved_loads")
    receive(deleting.room.engine, [row(TODAY - 60 * ONE)])
    assert not deleting.run(TODAY)
    said = "".join(capsys.readouterr())
    assert said.count("not_expired") == 3
    assert "in the way" not in said
    assert held_received(deleting) == 0


def held_received(deleting: Deleting) -> int:
    return int(deleting.room.engine.rows("SELECT count() FROM private.reports")[0][0])


def test_command_and_doctor_find_it_beside_a_running_collector_and_without_one(tmp_path: Path, ready_engine) -> None:
    data = tmp_path / "data"
    ready_engine.put(data / "engine")
    old = data / "quarantine" / "w0.2026-01-05.1f2e3d4c-000000.ndjson"
    with running(data) as server:
        healthy = collector("retention", "status", "--data", str(data))
        assert "OVER" not in healthy.stdout
        old.write_text("{}\n")
        beside = collector("retention", "status", "--data", str(data), "--format", "json", check=False)
        doctor = collector("doctor", "--data", str(data), "--format", "json", check=False)
        assert server.process.poll() is None
    alone = collector("retention", "status", "--data", str(data), check=False)
    doctor_alone = collector("doctor", "--data", str(data), "--format", "json", check=False)
    assert [one.returncode for one in (beside, doctor, alone, doctor_alone)] == [1, 1, 1, 1]
    found = json.loads(beside.stdout)
    assert [(one["kind"], one["where"]) for one in found["rows"] if one["over"]] == [("quarantine", str(old))]
    assert found["store"] == "ok"
    assert all(one["known"] for one in found["rows"])
    assert f"{old} outlives its limit -> " in alone.stdout
    for examined in (doctor, doctor_alone):
        findings = json.loads(examined.stdout)["findings"]
        assert [one["section"] for one in findings if "the limit is 19" in one["what"]] == ["retention"]
