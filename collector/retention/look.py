"""What is held, where there are tokens and a store to look into; `collector retention status` and the doctor ask."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from collector.retention import pepper_life
from collector.retention.holdings import Held, Holdings, in_ledger, in_store, on_disk
from collector.retention.kinds import Kind
from collector.retention.status import rows
from collector.store.engine import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from collector.layout import Layout
    from collector.publish.limits import Limits
    from collector.reports.access.ledger import Ledger
    from collector.storeroom import StoreRoom


def held_in(room: StoreRoom, ledger: Ledger, limits: Limits, today: dt.date) -> dict[str, Any]:
    """Everything, ready for JSON: `rows` as status.py has them, and `store`: ok, or how it cannot be asked.

    Raises:
        LedgerError: the tokens' file cannot be read.
    """
    held, store = {**on_disk(room.paths, today), **in_ledger(ledger)}, "ok"
    try:
        held |= in_store(room.engine, today)
    except EngineError as error:
        store = str(error)
    return {"store": store, "rows": [row.shown() for row in rows(limits, held, today)]}


def held_without(
    paths: Layout, store: Mapping[str, Sequence[str]] | None, limits: Limits, today: dt.date
) -> list[dict[str, Any]]:
    """The rows of a directory that nobody serves.

    Args:
        paths: the directory.
        store: what a process of its own found in the engine, as `told` wrote it.
        limits: how long things are kept.
        today: the UTC date.
    """
    held: Holdings = on_disk(paths, today)
    for kind, (day, where) in (store or {}).items():
        held[Kind(kind)] = Held(dt.date.fromisoformat(day), where)
    return [row.shown() for row in rows(limits, held, today)]


def told(held: Holdings) -> dict[str, tuple[str, str]]:
    """What is held, for another process."""
    return {kind.value: (one.day.isoformat(), one.where) for kind, one in held.items() if one}


def peppers_in(room: StoreRoom, limits: Limits, today: dt.date) -> list[dict[str, Any]]:
    """The peppers of this machine, ready for JSON; what only the store knows is left open where it cannot be asked."""
    try:
        found = pepper_life.lives(room.paths, today, limits, room.engine, room.role)
    except EngineError:
        found = pepper_life.lives(room.paths, today, limits, None, None)
    return [one.shown() for one in found]
