"""The pseudonyms that were forgotten, for as long as something could still bring them back.

<data>/secrets/forgotten     mode 0600; a line of JSON for each request:
    request       its random id, as in its receipt and in the journal
    asked_on      the UTC date
    pseudonyms    of the licence, one for each pepper
    until         the last day on which a backup may hold its rows; while it is pending, if it were done on `asked_on`
    is_pending    whether something of it has still to be erased
    waits_for     what kept it from ending at the last try, in the receipt's words; no key, no pseudonym, nobody's name

A pseudonym is personal data, and this is all that is kept of one: no row, no key. Without it a request could not be
ended where another machine still holds reports, and a backup that is put back would bring the rows back. It lies
beside the peppers, without which it says nothing, and a line goes with the first look after its last day.

<data>/backups-kept          the largest number of days for which backups were asked to be kept
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.ingest.owned_files import begun, replace, sync_directory

if TYPE_CHECKING:
    from pathlib import Path

    from collector.layout import Layout

# As long as `collector backup` keeps them if nobody says otherwise.
KEPT_DAYS = 7
# A request ends when every machine has loaded past its day, so at the next one; a whole day after that it is late.
LATE_AFTER = dt.timedelta(days=2)
# A backup is removed when the next one is taken.
_NEXT_BACKUP = dt.timedelta(days=2)


@dataclass(frozen=True)
class Forgotten:
    """One request, see above."""

    request: str
    asked_on: dt.date
    pseudonyms: tuple[str, ...]
    until: dt.date
    is_pending: bool = True
    waits_for: tuple[str, ...] = ()

    def age(self, now: dt.datetime) -> dt.timedelta:
        """Since its day began: the hour is kept nowhere."""
        return now - dt.datetime.combine(self.asked_on, dt.time(tzinfo=dt.UTC))


def read(paths: Layout) -> list[Forgotten]:
    """All requests that are kept, in the order in which they came.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        lines = paths.forgotten.read_text(encoding="ascii").splitlines()
    except FileNotFoundError:
        return []
    return [_parsed(json.loads(line)) for line in lines]


def pending(paths: Layout) -> list[Forgotten]:
    """The requests of which something has still to be erased, in the order in which they came.

    Raises:
        OSError: the file cannot be read.
    """
    return [one for one in read(paths) if one.is_pending]


def keep(paths: Layout, one: Forgotten) -> None:
    """Writes a request down, durably; one of the same id is replaced.

    Raises:
        OSError: it cannot be written.
    """
    kept = [other for other in read(paths) if other.request != one.request]
    _write(paths.forgotten, [*kept, one])


def let_go(paths: Layout, today: dt.date) -> None:
    """Removes what no backup can bring back any more, and a list that a killed process was writing.

    Raises:
        OSError: the file cannot be written.
    """
    begun(paths.forgotten).unlink(missing_ok=True)
    found = read(paths)
    kept = [one for one in found if one.is_pending or one.until >= today]
    if kept != found:
        _write(paths.forgotten, kept)


def note_kept_days(paths: Layout, days: int) -> None:
    """Takes note of how long backups are kept; those that are there from before a request stay longer, too.

    Raises:
        OSError: it cannot be written.
    """
    longer = dt.timedelta(days=days - kept_days(paths))
    if longer <= dt.timedelta():
        return
    # The list first: killed in between, it is prolonged twice, and nothing comes back.
    if kept := read(paths):
        _write(paths.forgotten, [dataclasses.replace(one, until=one.until + longer) for one in kept])
    replace(paths.backups_kept, str(days).encode())


def kept_days(paths: Layout) -> int:
    """For how many days backups of this store may be there."""
    try:
        return max(KEPT_DAYS, int(paths.backups_kept.read_text(encoding="ascii")))
    except (FileNotFoundError, ValueError):
        return KEPT_DAYS


def until(asked_on: dt.date, days: int) -> dt.date:
    """The last day on which a backup from before the request may be there."""
    return asked_on + dt.timedelta(days=days) + _NEXT_BACKUP


def until_if_done(one: Forgotten, on: dt.date) -> dt.date:
    """The same, of a request that is carried out on a day: backups of while it was pending may hold its rows, too."""
    return one.until + max(dt.timedelta(), on - one.asked_on) if one.is_pending else one.until


def _parsed(line: dict[str, Any]) -> Forgotten:
    return Forgotten(
        request=line["request"],
        asked_on=dt.date.fromisoformat(line["asked_on"]),
        pseudonyms=tuple(line["pseudonyms"]),
        until=dt.date.fromisoformat(line["until"]),
        is_pending=line["is_pending"],
        waits_for=tuple(line.get("waits_for", ())),  # lines of before there was this have none
    )


def _write(path: Path, kept: list[Forgotten]) -> None:
    if not kept:
        path.unlink(missing_ok=True)
        sync_directory(path.parent)
        return
    lines = (
        {
            "request": one.request,
            "asked_on": one.asked_on.isoformat(),
            "pseudonyms": one.pseudonyms,
            "until": one.until.isoformat(),
            "is_pending": one.is_pending,
            "waits_for": one.waits_for,
        }
        for one in kept
    )
    replace(path, "".join(f"{json.dumps(line)}\n" for line in lines).encode())
