"""A pepper's life: made before its quarter, destroyed when nothing that was made under it is left."""

from __future__ import annotations

import datetime as dt
import json
import os
import uuid
from pathlib import Path

from collector.configuration import Configuration
from collector.ingest.pseudonyms import Peppers, destroy, first_day, last_day, quarters
from collector.metrics import LICENCES_LEFT_OUT
from collector.publish.limits import Limits
from collector.publish.publisher import Publisher
from collector.retention import pepper_life
from collector.retention.deleting import Deleting
from collector.roles import Role
from collector.settings import Settings
from collector.store import nodes
from collector.store.shared_pepper import known_quarters
from tests.conftest import collector
from tests.publishers import publisher_on
from tests.retention.planting import aside, count, sealed
from tests.sample_days import ONE, receive, run_row

LAST, FIRST = dt.date(2026, 9, 30), dt.date(2026, 10, 1)
KEY = "CANARY-0000-KEY"


def test_pepper_of_the_next_quarter_is_made_two_weeks_ahead(deleting: Deleting) -> None:
    secrets = deleting.room.paths.secrets
    Peppers(secrets).prepare(LAST)
    assert deleting.run(FIRST - 15 * ONE)
    assert quarters(secrets) == ["2026Q3"]
    assert deleting.run(FIRST - 14 * ONE)
    assert quarters(secrets) == ["2026Q3", "2026Q4"]
    made = (secrets / "pepper-2026Q4").read_bytes()
    assert deleting.run(FIRST - 13 * ONE)
    assert (secrets / "pepper-2026Q4").read_bytes() == made
    assert audited(deleting, "pepper_made") == ["2026Q4"]
    assert [(one.quarter, one.state) for one in lives(deleting, FIRST - 13 * ONE)] == [
        ("2026Q3", "current"),
        ("2026Q4", "next"),
    ]


def test_pepper_is_kept_by_whatever_was_made_under_it_and_goes_with_the_last_of_it(deleting: Deleting, capsys) -> None:
    secrets, engine = deleting.room.paths.secrets, deleting.room.engine
    for day in (LAST, FIRST):
        Peppers(secrets).prepare(day)
    engine.insert(
        "private.peppers", ("quarter", "fingerprint", "noted_on"), [("2026Q3", "f", LAST), ("2026Q4", "g", FIRST)]
    )
    today = FIRST + ONE
    segment, quarantined = sealed(deleting, LAST), aside(deleting, LAST)
    receive(engine, [run_row(LAST)])
    count(deleting, LAST)
    steps = [
        ("wait in the spool (1)", segment.unlink),
        ("in quarantine (1)", quarantined.unlink),
        ("the store has reports", lambda: engine.command("TRUNCATE TABLE private.reports")),
        ("the store has reports", lambda: engine.command("TRUNCATE TABLE private.counted")),
    ]
    for because, end in steps:
        assert deleting.run(today)
        (one,) = [one for one in lives(deleting, today) if one.quarter == "2026Q3"]
        assert one.state == "kept"
        assert because in one.because
        end()
    assert [one.state for one in lives(deleting, LAST)] == ["current", "next"], "its quarter is not over"
    assert [one.state for one in lives(deleting, today)] == ["may go", "current"]
    assert "2026Q3" in known_quarters(engine)
    assert deleting.run(today)
    assert quarters(secrets) == ["2026Q4"]
    assert known_quarters(engine) == ["2026Q4"]
    assert audited(deleting, "pepper_destroyed") == ["2026Q3"]
    assert "pepper_destroyed" in "".join(capsys.readouterr())


def test_pepper_goes_when_the_quarters_last_day_does(deleting: Deleting) -> None:
    engine, secrets = deleting.room.engine, deleting.room.paths.secrets
    Peppers(secrets).prepare(LAST)
    count(deleting, LAST)
    for today, is_there in ((dt.date(2026, 10, 14), True), (dt.date(2026, 10, 15), False)):
        # The last day closed: ids are remembered for 14 days, which is longer than the grace of 10.
        engine.insert("public.releases", ["grain", "period"], [["day", today - ONE]])
        (one,) = lives(deleting, today)
        assert one.until == dt.date(2026, 10, 17), "where days are closed two days late"
        assert deleting.run(today)
        assert bool(quarters(secrets)) == is_there


def test_destroyed_pepper_is_overwritten_before_its_name_goes(tmp_path: Path) -> None:
    Peppers(tmp_path).prepare(LAST)
    kept = tmp_path / "kept"
    os.link(tmp_path / "pepper-2026Q3", kept)
    before = kept.read_bytes()
    assert destroy(tmp_path, "2026Q3")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert len(kept.read_bytes()) == len(before)
    assert kept.read_bytes() != before
    assert not destroy(tmp_path, "2026Q3")


def test_machine_that_may_not_read_rows_goes_by_the_publisher_and_the_calendar(deleting: Deleting) -> None:
    paths, engine = deleting.room.paths, deleting.room.engine
    Peppers(paths.secrets).prepare(LAST)

    def state(today: dt.date) -> str:
        (one,) = pepper_life.lives(paths, today, deleting.limits, engine, Role.INGEST)
        return one.state

    engine.insert("private.peppers", ("quarter", "fingerprint", "noted_on"), [("2026Q3", "f", LAST)])
    gone = LAST + (deleting.limits.counted_days + deleting.limits.closed_within_days) * ONE
    assert state(gone) == "kept", "the publisher has not said so"
    pepper_life.forget_fingerprint(engine, "2026Q3")
    assert state(gone - ONE) == "kept", "a store that came from a backup knows no fingerprint"
    assert state(gone) == "may go"


def test_publisher_waits_for_every_machine_before_it_forgets_a_quarter(deleting: Deleting) -> None:
    engine, limits = deleting.room.engine, deleting.limits
    engine.insert("private.peppers", ("quarter", "fingerprint", "noted_on"), [("2026Q3", "f", LAST)])
    nodes.note(engine, "one", LAST - ONE, 1)
    assert pepper_life.fulfilled_in_store(engine, FIRST, limits) == []
    assert pepper_life.fulfilled_in_store(engine, LAST + 59 * ONE, limits) == []
    assert pepper_life.fulfilled_in_store(engine, LAST + 60 * ONE, limits) == ["2026Q3"], "it fell silent"
    nodes.note(engine, "one", LAST, 0)
    assert pepper_life.fulfilled_in_store(engine, FIRST, limits) == ["2026Q3"]
    assert pepper_life.fulfilled_in_store(engine, LAST, limits) == [], "it is not over"


def test_process_that_takes_reports_forgets_the_last_quarters_pepper_after_a_day(tmp_path: Path) -> None:
    peppers = Peppers(tmp_path)
    old, new = peppers.pseudonym(KEY, LAST), peppers.pseudonym(KEY, FIRST)
    assert old != new
    assert peppers.pseudonym(KEY, LAST) == old, "around midnight both are asked for"
    peppers.pseudonym(KEY, FIRST + ONE)
    assert set(peppers._loaded) == {"2026Q4"}
    destroy(tmp_path, "2026Q3")
    assert peppers.pseudonym(KEY, FIRST) == new


def test_quarter_turns_and_each_month_counts_its_licences_once(
    deleting: Deleting, configuration: Configuration
) -> None:
    """The same 300 licences run on both sides of midnight, and some reports of the old quarter come late."""
    engine = deleting.room.engine
    peppers = Peppers(deleting.room.paths.secrets)
    publisher: Publisher = publisher_on(engine, configuration, limits=Limits(60, 10, 2))

    def runs(day: dt.date, numbers: range) -> list[dict[str, object]]:
        return [run_row(day, licence=uuid.UUID(peppers.pseudonym(f"{KEY}-{n}", day))) for n in numbers]

    receive(engine, [*runs(LAST - ONE, range(300)), *runs(LAST, range(300))])
    publisher.publish(FIRST, LAST)
    before = LICENCES_LEFT_OUT._value.get()
    receive(engine, [*runs(LAST, range(300, 340)), *runs(FIRST, range(300))])
    publisher.publish(FIRST + ONE, FIRST)
    assert LICENCES_LEFT_OUT._value.get() - before == 40
    publisher.publish(dt.date(2026, 11, 1), dt.date(2026, 10, 31))
    months = dict(
        engine.rows(
            "SELECT period, max(value) FROM public.cells WHERE grain = 'month' AND measure = 'licences' "
            "AND product_version = '' AND version_line = '' AND os_version = '' AND language = '' GROUP BY period"
        )
    )
    assert set(months) == {dt.date(2026, 9, 1), FIRST}
    # Five standard deviations of the shipped noise, 12; with one pepper too many it would be 600, or 340.
    assert all(abs(value - 300) < 40 for value in months.values()), months


def test_list_says_what_becomes_of_each(settings: Settings) -> None:
    today = dt.datetime.now(dt.UTC).date()
    secrets = settings.data / "secrets"
    (settings.data / "spool").mkdir(parents=True)
    for day in (today, last_day(pepper_life.next_quarter(today)), dt.date(2020, 1, 1)):
        Peppers(secrets).prepare(day)
    told = json.loads(collector("pepper", "list", "--data", str(settings.data), "--format", "json").stdout)["peppers"]
    assert [one["state"] for one in told] == ["may go", "current", "next"]
    assert all(len(one["fingerprint"]) == 16 for one in told)
    text = collector("pepper", "list", "--data", str(settings.data)).stdout
    assert text.startswith(f"2020Q1  fingerprint {told[0]['fingerprint']}  may go\n")
    for path in secrets.iterdir():
        assert path.read_bytes().hex() not in text


def test_quarters_have_first_and_last_days() -> None:
    assert (first_day("2026Q4"), last_day("2026Q4")) == (dt.date(2026, 10, 1), dt.date(2026, 12, 31))
    assert (first_day("2027Q1"), last_day("2027Q1")) == (dt.date(2027, 1, 1), dt.date(2027, 3, 31))


def lives(deleting: Deleting, today: dt.date) -> list[pepper_life.Life]:
    return pepper_life.lives(deleting.room.paths, today, deleting.limits, deleting.room.engine, Role.SERVE)


def audited(deleting: Deleting, event: str) -> list[str]:
    return [about for (about,) in deleting.ledger.rows("SELECT about FROM audit WHERE event = ? ORDER BY at", event)]
