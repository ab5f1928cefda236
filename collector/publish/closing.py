"""Closing a day: from what was received to what counts, each report once.

A chain of steps, each safe to repeat after a kill at any moment:

    1. claim    CREATE TABLE private.closing_<day>: the claim and the place for the day's rows in one.
                The embedded engine has one publisher (it owns the data directory), so a table that is
                already there is an earlier try of our own, to be taken up again.
    2. aside    MOVE PARTITION of every open day up to this one; rows that come later wait for the next
                closing.
    3. count    the day's partition of private.counted is made anew from the claimed rows: one row for
                each report_id, without ids that counted in the 14 days before.
    4. release  (publish/release.py) writes public.cells and then public.releases.
    5. forget   DROP TABLE private.closing_<day>, once the day is released.

Because the claimed rows stay until step 5, step 3 can start over at any time before it.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from collector.metrics import LICENCES_LEFT_OUT
from collector.publish.measures import NO_LICENCE
from collector.publish.periods import ONE_DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.store.engine import Engine

REMEMBERED_DAYS = 14
SO_FAR = "private.so_far"
# A bucket's set of remembered ids stays near 100 MB.
_IDS_PER_BUCKET = 2_000_000
_COUNTED = (
    "counted_on, report_id, report, source, product, product_version, version_line, os_version, "
    "instance_type, language, keyed, licence"
)


def close_day(engine: Engine, day: dt.date, between: Callable[[], None] = lambda: None) -> None:
    """Steps 1 to 3: after it, `private.counted` holds the reports that count on `day`.

    Args:
        engine: the connection.
        day: a day that is over.
        between: called before each statement that may take long.
    """
    between()
    claimed = _claimed(day)
    engine.command(f"CREATE TABLE IF NOT EXISTS {claimed} AS private.reports")
    for partition in open_days(engine):
        if partition <= day:
            engine.command(f"ALTER TABLE private.reports MOVE PARTITION '{partition}' TO TABLE {claimed}")
    engine.command(f"ALTER TABLE private.counted DROP PARTITION '{day}'")
    buckets = _buckets(engine, claimed, day)
    for bucket in range(buckets):
        between()
        _count_bucket(engine, f"{claimed} FINAL", "private.counted", day, bucket, buckets)
    # A pseudonym is comparable within its quarter only.
    left_out = engine.rows(
        f"SELECT count() FROM private.counted WHERE counted_on = {{day:Date}} AND keyed AND licence = {NO_LICENCE}",
        day=day,
    )
    LICENCES_LEFT_OUT.inc(int(left_out[0][0]))


def forget_claim(engine: Engine, day: dt.date) -> None:
    """Step 5: the claimed rows of a released day are in `private.counted`; drop them."""
    engine.command(f"DROP TABLE IF EXISTS {_claimed(day)} SYNC")


def count_open_day(engine: Engine, day: dt.date) -> None:
    """Fills `private.so_far` with what a day that is not over would count if it ended now; moves nothing."""
    engine.command(f"TRUNCATE TABLE {SO_FAR}")
    received = (
        f"(SELECT * FROM private.reports FINAL WHERE received_on = '{day}' AND startsWith(report, 'image-boot/'))"
    )
    buckets = _buckets(engine, received, day)
    for bucket in range(buckets):
        _count_bucket(engine, received, SO_FAR, day, bucket, buckets)


def forget_open_day(engine: Engine) -> None:
    """Empties `private.so_far`."""
    engine.command(f"TRUNCATE TABLE {SO_FAR}")


def open_days(engine: Engine) -> list[dt.date]:
    """The days of rows that are received and not yet claimed by a closing, oldest first."""
    rows = engine.rows("SELECT DISTINCT received_on FROM private.reports ORDER BY received_on")
    return [day for (day,) in rows]


def claimed_days(engine: Engine) -> list[dt.date]:
    """The days whose closing was begun and not finished, oldest first."""
    rows = engine.rows(
        "SELECT name FROM system.tables WHERE database = 'private' AND startsWith(name, 'closing_') ORDER BY name"
    )
    return [dt.datetime.strptime(name, "closing_%Y_%m_%d").date() for (name,) in rows]  # noqa: DTZ007 - a date


def _claimed(day: dt.date) -> str:
    return f"private.closing_{day:%Y_%m_%d}"


def _buckets(engine: Engine, received: str, day: dt.date) -> int:
    ids = engine.rows(
        f"SELECT (SELECT count() FROM {received}) + "
        "(SELECT count() FROM private.counted WHERE counted_on >= {first:Date} AND counted_on < {day:Date})",
        first=day - REMEMBERED_DAYS * ONE_DAY,
        day=day,
    )
    return 1 + int(ids[0][0]) // _IDS_PER_BUCKET


def _count_bucket(engine: Engine, received: str, into: str, day: dt.date, bucket: int, buckets: int) -> None:
    """Counts the reports whose id falls into one hash bucket: memory stays bounded whatever the day holds."""
    in_bucket = f"sipHash64(report_id) % {buckets} = {bucket}"
    engine.command(
        f"""
        INSERT INTO {into} ({_COUNTED})
        SELECT {{day:Date}}, report_id, report, source, product, product_version, version_line, os_version,
               instance_type, language, licence != {NO_LICENCE},
               if(toStartOfQuarter(received_on) = toStartOfQuarter({{day:Date}}), licence, {NO_LICENCE})
        FROM {received}
        WHERE {in_bucket} AND report_id NOT IN (
            SELECT report_id FROM private.counted
            WHERE counted_on >= {{first:Date}} AND counted_on < {{day:Date}} AND {in_bucket})
        """,
        day=day,
        first=day - REMEMBERED_DAYS * ONE_DAY,
    )
