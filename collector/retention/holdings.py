"""The oldest thing that is held of each kind. Looks, and changes nothing.

On disk (`on_disk`), in the file of tokens and audit lines (`in_ledger`) and in the store (`in_store`): whoever asks
has not always all three. A kind that cannot be looked at, such as a table that this database user may not read, is
left out; one of which nothing is held is None.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from collector.ingest.pseudonyms import last_day, quarters
from collector.ingest.segment import OPEN, SEALED, segments
from collector.layout import BEFORE_MOVE
from collector.publish.closing import oldest_received
from collector.reports.access import audit
from collector.retention.kinds import Kind
from collector.store.backup import backups_in
from collector.store.engine import EngineError, Failure
from collector.store.move import MOVING
from collector.store.quarantine import PART_SUFFIX, given_up, set_aside_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from collector.layout import Layout
    from collector.reports.access.ledger import Ledger
    from collector.store.engine import Engine

# Written for a moment: a row file of a move or restore, a file about to be renamed, a piece of a segment being tried.
TEMPORARY = (
    *(f"{MOVING}*", ".products.toml-*", "run/*.new", "*.new"),
    *("secrets/.pepper-*", "secrets/.*.new", f"quarantine/.*{PART_SUFFIX}"),
)
_TRIES = ("counting_", "backing_", MOVING)
_MOVED = re.compile(rf"{BEFORE_MOVE}(\d{{8}})T\d{{6}}Z")
_ACCESS_DENIED = 497


class Held(NamedTuple):
    """The oldest of a kind: its day, and where it is."""

    day: dt.date
    where: str


Holdings = dict[Kind, Held | None]


def on_disk(paths: Layout, today: dt.date) -> Holdings:
    """What lies in the data directory."""
    waiting = [
        (p, dt.date.fromisoformat(p.name[:10])) for stage in (OPEN, SEALED) for p in segments(paths.spool, stage)
    ]
    marks = list(given_up(paths.quarantine))
    over = [name for name in quarters(paths.secrets) if last_day(name) < today]
    moved = [
        (path, match[1]) for path in _there(paths.data, f"{BEFORE_MOVE}*") if (match := _MOVED.fullmatch(path.name))
    ]
    return {
        Kind.SPOOL: _oldest((day, path) for path, day in waiting),
        Kind.QUARANTINE: _oldest((one.day, one.path) for one in set_aside_segments(paths.quarantine)),
        Kind.GIVEN_UP: _oldest((changed(path), path) for path, _, _ in marks if path.stat().st_size),
        Kind.GIVEN_UP_MARKS: _oldest((day, path) for path, day, _ in marks),
        Kind.ENGINE_BEFORE_MOVE: _oldest((dt.date.fromisoformat(day), path) for path, day in moved),
        Kind.TEMPORARY: _oldest((changed(path), path) for path in temporary(paths)),
        Kind.PEPPERS: _oldest((last_day(name), paths.secrets / f"pepper-{name}") for name in over),
    }


def temporary(paths: Layout) -> list[Path]:
    """Files of our tools that are there for a moment, or were left."""
    return [path for form in TEMPORARY for path in _there(paths.data, form) if path.is_file()]


def changed(path: Path) -> dt.date:
    """The UTC day on which a file was last changed."""
    return dt.datetime.fromtimestamp(path.lstat().st_mtime, dt.UTC).date()


def in_ledger(ledger: Ledger) -> Holdings:
    """Audit lines, sessions and tokens that ended, and the backups that the audit lines name."""
    ((session,),) = ledger.rows("SELECT min(made_at) FROM session")
    ((token,),) = ledger.rows("SELECT min(min(expires_at, ifnull(revoked_at, expires_at))) FROM token")
    line = audit.oldest(ledger)
    taken = ledger.rows("SELECT DISTINCT about FROM audit WHERE event = 'backup_taken'")
    found = [one for into in {Path(about).parent for (about,) in taken} for one in backups_in(into)]
    return {
        Kind.AUDIT: Held(line, "access.sqlite") if line else None,
        Kind.SESSIONS: Held(_day(session), "access.sqlite") if session is not None else None,
        Kind.TOKENS: Held(_day(token), "access.sqlite") if token is not None else None,
        Kind.BACKUPS: _oldest((at.date(), path) for path, at, is_whole in found if is_whole),
        Kind.BEGUN_BACKUPS: _oldest((at.date(), path) for path, at, is_whole in found if not is_whole),
    }


def in_store(engine: Engine, today: dt.date) -> Holdings:
    """What lies in the tables, as far as this user may read them.

    Raises:
        EngineError: the engine cannot be asked.
    """
    counted = engine.over_all("private.counted")
    questions: dict[Kind, tuple[str, Callable[[], dt.date | None]]] = {
        Kind.RECEIVED: ("private.reports", lambda: oldest_received(engine)),
        Kind.COUNTED: ("private.counted", lambda: _smallest(engine, f"SELECT min(counted_on), count() FROM {counted}")),
        Kind.LOADS: (
            "private.loads",
            lambda: _smallest(engine, "SELECT min(received_on), count() FROM private.loads"),
        ),
        Kind.NODES: (
            "private.nodes",
            lambda: _smallest(engine, "SELECT min(toDate(at, 'UTC')), count() FROM private.nodes FINAL"),
        ),
        Kind.SO_FAR: (
            "public.cells",
            lambda: _smallest(
                engine, "SELECT min(period), count() FROM public.cells WHERE startsWith(grain, 'so_far_')"
            ),
        ),
        Kind.TABLES: ("private", lambda: _tries(engine)),
        Kind.FINGERPRINTS: ("private.peppers", lambda: _fingerprints(engine, today)),
    }
    found: Holdings = {}
    for kind, (where, question) in questions.items():
        try:
            day = question()
        except EngineError as error:
            if error.kind is not Failure.ANSWERED or error.code != _ACCESS_DENIED:
                raise
            continue
        found[kind] = Held(day, where) if day else None
    return found


def _smallest(engine: Engine, query: str) -> dt.date | None:
    ((day, rows),) = engine.rows(query)
    return day if rows else None


def _tries(engine: Engine) -> dt.date | None:
    days = []
    named = " OR ".join(f"startsWith(name, '{prefix}')" for prefix in _TRIES)
    for node in engine.nodes:
        query = (
            "SELECT toDate(min(metadata_modification_time), 'UTC'), count() FROM system.tables "
            f"WHERE database IN ('private', 'public') AND ({named})"
        )
        days.append(_smallest(node, query))
    return min(filter(None, days), default=None)


def _fingerprints(engine: Engine, today: dt.date) -> dt.date | None:
    ends = [last_day(name) for (name,) in engine.rows("SELECT DISTINCT quarter FROM private.peppers")]
    return min((day for day in ends if day < today), default=None)


def _there(directory: Path, form: str) -> list[Path]:
    return sorted(directory.glob(form))


def _oldest(found: Iterable[tuple[dt.date, Path]]) -> Held | None:
    day, path = min(found, default=(None, None))
    return Held(day, os.fspath(path)) if day is not None and path is not None else None


def _day(seconds: int) -> dt.date:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).date()
