"""How the collector does: what was accepted, where it is, and what happens next."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from collector.publish.publisher import last_closed
from collector.store.engine import EngineError
from collector.store.loader import loaded_rows

if TYPE_CHECKING:
    from collector.store.engine import Engine
    from collector.store.loader import Loader


def status(
    engine: Engine,
    loader: Loader,
    now: dt.datetime,
    publish_after_minutes: int,
    *,
    dropped: int,
    simulated: bool,
    knows_loads: bool = True,
) -> dict[str, Any]:
    """The state, ready for JSON; `knows_loads`: whether this collector may read what was loaded.

    Returns:
        `store`: `ok`, or how it cannot be asked; then what only it knows is None. `accepted` = `loaded` +
        `waiting` + `quarantined` + `dropped`, in rows (duplicates included, of the last 400 days);
        `last_closed` and `next_closing` (ISO, UTC); `simulated`.
    """
    backlog = loader.backlog()
    store, loaded, last = "ok", None, None
    try:
        loaded, last = loaded_rows(engine) if knows_loads else None, last_closed(engine)
    except EngineError as error:
        store = str(error)
    tomorrow = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(tzinfo=dt.UTC))
    return {
        "store": store,
        "accepted": None if loaded is None else loaded + backlog.waiting + backlog.quarantined + dropped,
        "loaded": loaded,
        "waiting": backlog.waiting,
        "quarantined": backlog.quarantined,
        "dropped": dropped,
        "last_closed": last.isoformat() if last else None,
        "next_closing": (tomorrow + dt.timedelta(minutes=publish_after_minutes)).isoformat(timespec="minutes"),
        "simulated": simulated,
    }
