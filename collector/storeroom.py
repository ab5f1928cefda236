"""The rooms behind the spool put together for one process: engine, loader, publisher, published cells.

The store process of `serve` opens this, and so do the commands that work without one.
"""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.publish.publisher import Publisher
from collector.publish.released import Released
from collector.status import status
from collector.store.engine import Engine, open_embedded
from collector.store.loader import Loader
from collector.store.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from collector.configuration import Configuration
    from collector.layout import Layout
    from collector.settings import Settings


@dataclass(frozen=True)
class StoreRoom:
    """One open engine and what works on it, each with a connection of its own."""

    settings: Settings
    paths: Layout
    engine: Engine
    loader: Loader
    publisher: Publisher
    released: Released

    def status(self, now: dt.datetime) -> dict[str, Any]:
        """How the collector does, at `now` (UTC)."""
        simulated = self.paths.simulated.exists()
        return status(self.engine, self.loader, now, self.settings.publish_after_minutes, simulated=simulated)


@contextmanager
def open_store(settings: Settings, paths: Layout, configuration: Configuration) -> Iterator[StoreRoom]:
    """Opens the engine, brings its tables up to date, closes it at the end.

    Raises:
        EngineError: the engine does not open.
        NewerDatabaseError: the database is ahead of this program.
    """
    engine = open_embedded(paths.engine)
    sessions = [engine, *(engine.session() for _ in range(3))]
    try:
        migrate(engine, dt.datetime.now(dt.UTC).date())
        loader = Loader(sessions[1], paths.spool, paths.quarantine)
        publisher = Publisher(
            engine=sessions[2],
            menu=configuration.menu,
            profile=settings.profile,
            keep_after_release_days=settings.keep_after_release_days,
            has_loaded_past=loader.has_loaded_past,
        )
        yield StoreRoom(settings, paths, engine, loader, publisher, Released(sessions[3]))
    finally:
        for session in reversed(sessions):
            session.close()
