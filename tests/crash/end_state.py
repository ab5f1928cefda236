"""What became of the reports, looked at once every process has stopped."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from collector.configuration import read_configuration
from collector.layout import layout
from collector.settings import Settings
from collector.store.loader import Backlog
from collector.storeroom import open_store


@dataclass(frozen=True)
class EndState:
    """Ids of reports: as they are stored, duplicates merged, and as they are counted once the days are closed."""

    stored: list[str]
    counted: list[str]
    backlog: Backlog


def end_state(data: Path, *, last_day: dt.date | None = None) -> EndState:
    """Loads what is sealed, then closes all days up to `last_day` (today if not given), as the day after would."""
    settings = Settings(data=data)
    last_day = last_day or dt.datetime.now(dt.UTC).date()
    with open_store(settings, layout(settings), read_configuration(settings)) as room:
        room.engine.command("SYSTEM STOP MERGES")  # a merge in time must not be what keeps a report from counting twice
        room.loader.load_sealed()
        stored = [str(found) for (found,) in room.engine.rows("SELECT report_id FROM private.reports FINAL")]
        room.publisher.publish(last_day + dt.timedelta(days=1), last_day)
        counted = [str(found) for (found,) in room.engine.rows("SELECT report_id FROM private.counted")]
        return EndState(stored, counted, room.loader.backlog())
