"""The rooms behind the spool put together for one process: engine, loader, publisher, published cells.

The store process of `serve` opens this, and so do the commands that work without one.
"""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from dataclasses import dataclass
from stat import S_IROTH, S_IWOTH
from typing import TYPE_CHECKING, Any

from collector.store.lease import Lease
from collector.publish.publisher import Publisher
from collector.publish.release import Rules
from collector.publish.released import Released
from collector.status import status
from collector.store.engine import Engine, open_embedded
from collector.store.loader import Loader
from collector.store.migrate import migrate
from collector.store.quarantine import dropped_rows
from collector.store.server import Address, ServerEngine, installation_name, is_server_installation
from schemas.problems import ConfigurationError

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
        dropped = dropped_rows(self.paths.quarantine)
        minutes = self.settings.publish_after_minutes
        return status(self.engine, self.loader, now, minutes, dropped=dropped, simulated=simulated)


@contextmanager
def open_store(
    settings: Settings, paths: Layout, configuration: Configuration, *, up_to_date: bool = True
) -> Iterator[StoreRoom]:
    """Opens the engine, brings its tables up to date, closes it at the end.

    Args:
        settings: say which engine.
        paths: where the embedded one is.
        configuration: what is published.
        up_to_date: False to leave the tables to the caller, who must see to them before anything else.

    Raises:
        EngineError: the engine does not open.
        NewerDatabaseError: the database is ahead of this program.
        ConfigurationError: the password file cannot be used.
    """
    engine = _engine(settings, paths)
    sessions = [engine, *(engine.session() for _ in range(3))]
    try:
        if up_to_date:
            migrate(engine, dt.datetime.now(dt.UTC).date())
        loader = Loader(sessions[1], paths.spool, paths.quarantine)
        publisher = Publisher(
            engine=sessions[2],
            rules=Rules(configuration.menu, settings.profile),
            # The embedded engine has one publisher: whoever holds its directory's lock.
            lease=Lease(sessions[2], "embedded" if settings.store_url is None else installation_name(paths.engine)),
            keep_after_release_days=settings.keep_after_release_days,
            has_loaded_past=loader.has_loaded_past,
        )
        yield StoreRoom(settings, paths, engine, loader, publisher, Released(sessions[3]))
    finally:
        for session in reversed(sessions):
            session.close()


def _engine(settings: Settings, paths: Layout) -> Engine:
    if settings.store_url is None:
        if is_server_installation(paths.engine):
            raise ConfigurationError(
                [f"{paths.data}: its reports go to a ClickHouse server; give store_url, as `collector serve` has it"]
            )
        return open_embedded(paths.engine)
    if (paths.engine / "metadata").exists():
        raise ConfigurationError(
            [f"{paths.data}: its reports are in the embedded engine; give another directory, or leave out store_url"]
        )
    address = Address(settings.store_url, settings.store_password_file, settings.store_timeout_seconds)
    try:
        if address.password_file and address.password_file.stat().st_mode & (S_IROTH | S_IWOTH):
            raise ConfigurationError(
                [f"store_password_file: {address.password_file} is open to others; chmod it to 600"]
            )
        address.password()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"store_password_file: {address.password_file} cannot be read"]) from error
    return ServerEngine(address, installation_name(paths.engine))
