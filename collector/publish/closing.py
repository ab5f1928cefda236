"""Closing a day: from what was received to what counts, each report once.

A chain of steps, each safe to repeat after a kill at any moment:

    1. claim    CREATE TABLE private.closing_<day>: the claim and the place for the day's rows in one. A table
                that is already there is an earlier try, to be taken up again.
    2. aside    MOVE PARTITION of every open day up to this one; rows that come later wait for the next
                closing.
    3. count    into a table of this try alone, from the claimed rows: one row for each report_id, without ids
                that counted in the 14 days before. One REPLACE PARTITION puts it into private.counted.
    4. release  (publish/release.py) writes public.cells and then public.releases.
    5. forget   DROP TABLE private.closing_<day>, once the day is released.

Steps 1 to 3 and 5 are done on every node of the store: the same report is always on the same one. Because the
claimed rows stay until step 5, step 3 can start over at any time before it. Before each step that
others can see the right to publish is looked at again (`still`), so that a publisher that was asleep does not go
on where another one has finished; what it was counting nobody reads.
"""

from __future__ import annotations

import datetime as dt
import secrets
from typing import TYPE_CHECKING

from collector.metrics import LICENCES_LEFT_OUT
from collector.publish.measures import NO_LICENCE
from collector.publish.periods import ONE_DAY
from collector.store.sharded import distribute_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from collector.store.engine import Engine

REMEMBERED_DAYS = 14
# An id as the number that it is looked up by first, and as what parts are made by.
_HASH = "toUInt32(cityHash64(report_id))"
# The engine holds so many in a quarter of a gigabyte; a few more would take twice that.
_HASHES_AT_ONCE = 32_000_000
_IDS_AT_ONCE = 8_000_000
# What is sorted in memory before it is written; the engine's own choice is a million.
_ROWS_AT_ONCE = 262_144
_COUNTED = (
    "counted_on, report_id, report, source, product, product_version, version_line, os_version, "
    "instance_type, language, keyed, licence"
)
_COUNTING = "counting_"


def close_day(engine: Engine, day: dt.date, still: Callable[[], None] = lambda: None) -> None:
    """Steps 1 to 3: after it, `private.counted` holds the reports that count on `day`.

    Args:
        engine: the connection.
        day: a day that is over.
        still: raises if the day is not this publisher's to close any more.
    """
    for node in engine.nodes:
        _close_on(node, day, still)
    # A pseudonym is comparable within its quarter only.
    left_out = engine.rows(
        f"SELECT count() FROM {engine.over_all('private.counted')} "
        f"WHERE counted_on = {{day:Date}} AND keyed AND licence = {NO_LICENCE}",
        day=day,
    )
    LICENCES_LEFT_OUT.inc(int(left_out[0][0]))


def _close_on(engine: Engine, day: dt.date, still: Callable[[], None]) -> None:
    claimed = _claimed(day)
    still()
    engine.command(f"CREATE TABLE IF NOT EXISTS {claimed} AS private.reports")
    for partition in _received_on(engine, "private.reports"):
        if partition <= day:
            still()
            engine.command(f"ALTER TABLE private.reports MOVE PARTITION '{partition}' TO TABLE {claimed}")
    counting = _new_counting()
    _count(engine, counting, claimed, "true", day)
    still()
    if engine.rows(f"SELECT 1 FROM {counting} LIMIT 1"):
        engine.command(f"ALTER TABLE private.counted REPLACE PARTITION '{day}' FROM {counting}")
    else:  # the engine puts no empty partition in place
        engine.command(f"ALTER TABLE private.counted DROP PARTITION '{day}'")
    engine.command(f"DROP TABLE {counting} SYNC")


def forget_claim(engine: Engine, day: dt.date) -> None:
    """Step 5: the claimed rows of a released day are in `private.counted`; drop them."""
    for node in engine.nodes:
        node.command(f"DROP TABLE IF EXISTS {_claimed(day)} SYNC")


def give_back(engine: Engine, day: dt.date) -> None:
    """Puts the claimed rows of a day that is out back among the received ones.

    What of them was counted is left out by its id at the next closing; what was not still counts then.
    """
    claimed = _claimed(day)
    for node in engine.nodes:
        if day in _claimed_on(node):
            for partition in _received_on(node, claimed):
                node.command(f"ALTER TABLE {claimed} MOVE PARTITION '{partition}' TO TABLE private.reports")
    forget_claim(engine, day)


def count_open_day(engine: Engine, day: dt.date) -> str:
    """What a day that is not over would count of boots if it ended now, in a table of its own; moves nothing.

    Returns:
        The table; drop it with `drop_counting`.
    """
    boots = f"received_on = '{day}' AND startsWith(report, 'image-boot/')"
    counting = _new_counting()
    for node in engine.nodes:
        _count(node, counting, "private.reports", boots, day)
    distribute_table(engine, counting)
    return engine.over_all(counting)


def drop_counting(engine: Engine) -> None:
    """Drops all tables of tries that did not end: nobody reads them."""
    for node in engine.nodes:
        rows = node.rows(
            "SELECT name FROM system.tables WHERE database = 'private' AND startsWith(name, {prefix:String})",
            prefix=_COUNTING,
        )
        for (name,) in rows:
            node.command(f"DROP TABLE IF EXISTS private.{name} SYNC")


def drop_received(engine: Engine, before: dt.date) -> int:
    """Drops what was received before a day and has not counted, claimed or not.

    Returns:
        How many rows were dropped.
    """
    dropped = 0
    for node in engine.nodes:
        for table in ("private.reports", *map(_claimed, sorted(_claimed_on(node)))):
            found = node.rows(
                f"SELECT received_on, count() FROM {table} WHERE received_on < {{before:Date}} GROUP BY received_on",
                before=before,
            )
            for day, rows in found:
                node.command(f"ALTER TABLE {table} DROP PARTITION '{day}'")
                dropped += int(rows)
    return dropped


def has_rows_between(engine: Engine, first: dt.date, last: dt.date) -> bool:
    """Whether anything is held that was received, or counts, on one of these days."""
    received = any(
        first <= day <= last
        for node in engine.nodes
        for table in ("private.reports", *map(_claimed, _claimed_on(node)))
        for day in _received_on(node, table)
    )
    if received:
        return True
    return bool(
        engine.rows(
            f"SELECT 1 FROM {engine.over_all('private.counted')} "
            "WHERE counted_on BETWEEN {first:Date} AND {last:Date} LIMIT 1",
            first=first,
            last=last,
        )
    )


def oldest_received(engine: Engine) -> dt.date | None:
    """The oldest day of what was received and has not counted, claimed or not."""
    days = [*open_days(engine)[:1]]
    for node in engine.nodes:
        for day in _claimed_on(node):
            days += _received_on(node, _claimed(day))[:1]
    return min(days, default=None)


def open_days(engine: Engine) -> list[dt.date]:
    """The days of rows that are received and not yet claimed by a closing, oldest first."""
    return _received_on(engine, engine.over_all("private.reports"))


def claimed_days(engine: Engine) -> list[dt.date]:
    """The days whose closing was begun and not finished, oldest first."""
    return sorted({day for node in engine.nodes for day in _claimed_on(node)})


def _claimed_on(engine: Engine) -> set[dt.date]:
    rows = engine.rows("SELECT name FROM system.tables WHERE database = 'private' AND startsWith(name, 'closing_')")
    return {dt.datetime.strptime(name, "closing_%Y_%m_%d").date() for (name,) in rows}  # noqa: DTZ007 - a date


def _received_on(engine: Engine, table: str) -> list[dt.date]:
    return [day for (day,) in engine.rows(f"SELECT DISTINCT received_on FROM {table} ORDER BY received_on")]


def _new_counting() -> str:
    return f"private.{_COUNTING}{secrets.token_hex(8)}"


def _claimed(day: dt.date) -> str:
    return f"private.closing_{day:%Y_%m_%d}"


def _rows_in(engine: Engine, table: str, which: str) -> int:
    return int(engine.rows(f"SELECT count() FROM {table} WHERE {which}")[0][0])


def _parts(rows: int, most: int) -> list[str]:
    """Conditions that cut what has a report_id into parts of about `most` rows or fewer."""
    parts = 1 + rows // most
    return [f"{_HASH} % {parts} = {part}" for part in range(parts)] if parts > 1 else ["true"]


def _count(engine: Engine, counting: str, received: str, which: str, day: dt.date) -> None:
    """Counts each report that did not count before into a new table; memory stays bounded whatever the day holds.

    The remembered ids are gone through once: those with a hash of the day's are put aside, and only they are compared.

    Args:
        engine: the connection.
        counting: the new table.
        received: the table of received rows.
        which: a condition on it.
        day: the day that they count on.
    """
    again = _new_counting()
    for table in (counting, again):
        engine.command(f"CREATE TABLE {table} AS private.counted")
    remembered = f"counted_on >= '{day - REMEMBERED_DAYS * ONE_DAY}' AND counted_on < '{day}'"
    if _rows_in(engine, "private.counted", remembered):
        for part in _parts(_rows_in(engine, received, which), _HASHES_AT_ONCE):
            engine.command(
                f"INSERT INTO {again} (counted_on, report_id) SELECT '{day}', report_id FROM private.counted "
                f"WHERE {remembered} AND {_HASH} IN (SELECT {_HASH} FROM {received} WHERE {which} AND {part})"
            )
    for part in _parts(_rows_in(engine, again, "true"), _IDS_AT_ONCE):
        engine.command(
            f"""
            INSERT INTO {counting} ({_COUNTED})
            SELECT {{day:Date}}, report_id, report, source, product, product_version, version_line, os_version,
                   instance_type, language, licence != {NO_LICENCE},
                   if(toStartOfQuarter(received_on) = toStartOfQuarter({{day:Date}}), licence, {NO_LICENCE})
            FROM {received} FINAL
            WHERE {which} AND {part} AND report_id NOT IN (SELECT report_id FROM {again} WHERE {part})
            SETTINGS min_insert_block_size_rows = {_ROWS_AT_ONCE}
            """,
            day=day,
        )
    engine.command(f"DROP TABLE {again} SYNC")
