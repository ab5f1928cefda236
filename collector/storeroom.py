"""The rooms behind the spool put together for one process: engine, loader, publisher, published cells.

The store process of `serve` opens this, and so do the commands that work without one.
"""

from __future__ import annotations

import datetime as dt
import importlib
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from stat import S_IROTH, S_IWOTH
from typing import TYPE_CHECKING, Any

from collector.configuration import limits_of
from collector.ingest.pseudonyms import Peppers
from collector.publish.publisher import Publisher
from collector.publish.release import Rules
from collector.publish.released import Released
from collector.roles import Role
from collector.status import status
from collector.store import nodes
from collector.store.engine import Engine, open_embedded
from collector.store.lease import Lease
from collector.store.loader import Loader
from collector.store.migrate import demand_current, migrate
from collector.store.quarantine import dropped_rows
from collector.store.server import Address, ServerEngine, installation_name, is_server_installation
from collector.store.sharded import ShardedEngine
from collector.store.shared_pepper import SharedPepper
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from collector.configuration import Configuration
    from collector.layout import Layout
    from collector.settings import Settings


@dataclass(frozen=True)
class StoreRoom:
    """One open engine and what works on it, each with a connection of its own."""

    settings: Settings
    paths: Layout
    role: Role
    engine: Engine
    loader: Loader
    publisher: Publisher
    released: Released
    pepper: SharedPepper

    @property
    def is_one_of_several(self) -> bool:
        """Whether others may take reports into the same store: the embedded engine has this collector alone."""
        return self.role.takes_reports and self.settings.store_url is not None

    def get_ready(self, today: dt.date) -> None:
        """Brings the tables up to date, or looks whether they are, as the role may.

        Raises:
            NewerDatabaseError, OlderDatabaseError, OtherClusterError: they cannot be used.
            HeldByAnotherError: another collector is at it.
            OtherPepperError, PepperError: see `stay_in_step`.
            EngineError: the engine failed.
        """
        if self.role.migrates:
            for step in migrate(self.engine, today):
                self.publisher.note("store_migrated", f"{step.version:04} {step.name}")
        elif self.role.publishes or self.role.takes_reports:
            demand_current(self.engine)
        self.stay_in_step(today)

    def stay_in_step(self, today: dt.date) -> None:
        """Sees, before anything is loaded, that this collector's pepper is that of the others on the store.

        Raises:
            OtherPepperError, PepperError: it is not, or cannot be read.
            EngineError: the engine failed.
        """
        if self.is_one_of_several:
            self.pepper.agree(self.engine, today)

    @property
    def node_name(self) -> str:
        """By which the store knows this collector among those that take reports into it."""
        return f"{socket.gethostname()}-{self.engine.name[:6]}"

    def note(self, today: dt.date, *, has_left: bool = False) -> None:
        """Tells the store how far this collector has handed over what it received.

        Raises:
            EngineError: the engine failed.
        """
        nodes.note(
            self.engine,
            self.node_name,
            self.loader.loaded_past(today),
            self.loader.waiting_segments(),
            has_left=has_left,
        )

    def status(self, now: dt.datetime) -> dict[str, Any]:
        """How the collector does, at `now` (UTC)."""
        simulated = self.paths.simulated.exists()
        dropped = dropped_rows(self.paths.quarantine, now.date())
        minutes = self.settings.publish_after_minutes
        knows_loads = self.role is not Role.REPORTS
        return status(
            self.engine, self.loader, now, minutes, dropped=dropped, simulated=simulated, knows_loads=knows_loads
        )


@contextmanager
def open_store(
    settings: Settings,
    paths: Layout,
    configuration: Configuration,
    role: Role = Role.SERVE,
    *,
    up_to_date: bool = True,
    note: Callable[[str, str], None] = lambda _event, _about: None,
) -> Iterator[StoreRoom]:
    """Opens the engine, brings its tables up to date, closes it at the end.

    Args:
        settings: say which engine.
        paths: where the embedded one is.
        configuration: what is published.
        role: what is done with it.
        up_to_date: False to leave the tables to the caller, who must see to them before anything else.
        note: writes down what was done, for the audit trail.

    Raises:
        EngineError: the engine does not open.
        ConfigurationError: the password file cannot be used.
        What `StoreRoom.get_ready` raises, if `up_to_date`.
    """
    engine = _engine(settings, paths)
    sessions = [engine, *(engine.session() for _ in range(3))]
    try:
        loader = Loader(sessions[1], paths.spool, paths.quarantine)

        def has_loaded_past(day: dt.date) -> bool:
            # The embedded engine has this collector alone.
            return loader.has_loaded_past(day) and (settings.store_url is None or not nodes.lagging(sessions[2], day))

        publisher = Publisher(
            engine=sessions[2],
            rules=Rules(configuration.menu, settings.profile),
            lease=Lease(sessions[2], engine.name),
            limits=limits_of(settings, configuration.policy),
            has_loaded_past=has_loaded_past,
            note=note,
        )
        released, pepper = Released(sessions[3]), SharedPepper(Peppers(paths.secrets, makes=False))
        room = StoreRoom(settings, paths, role, engine, loader, publisher, released, pepper)
        if up_to_date:
            room.get_ready(dt.datetime.now(dt.UTC).date())
        yield room
    finally:
        for session in reversed(sessions):
            session.close()


def server_engine(settings: Settings, name: str) -> Engine:
    """The server of these settings, or its shards.

    Args:
        settings: with a `store_url`.
        name: by which the server knows this installation's statements.

    Raises:
        ConfigurationError: the password file cannot be used.
    """
    addresses = [
        Address(url, settings.store_password_file, settings.store_timeout_seconds) for url in settings.store_urls
    ]
    secret = settings.store_password_file
    try:
        if secret and secret.stat().st_mode & (S_IROTH | S_IWOTH):
            raise ConfigurationError([f"store_password_file: {secret} is open to others; chmod it to 600"])
        addresses[0].password()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([f"store_password_file: {secret} cannot be read"]) from error
    shards = [ServerEngine(address, name, settings.store_tables == "replicated") for address in addresses]
    return shards[0] if settings.store_tables == "single" else ShardedEngine(shards)


def _engine(settings: Settings, paths: Layout) -> Engine:
    if settings.store_url is None:
        if is_server_installation(paths.engine):
            raise ConfigurationError(
                [f"{paths.data}: its reports go to a ClickHouse server; give store_url, as `collector serve` has it"]
            )
        try:
            importlib.import_module("chdb")
        except ImportError as error:
            raise ConfigurationError(
                ["the embedded engine is not installed: give store_url, or install product-telemetry[embedded]"]
            ) from error
        return open_embedded(paths.engine)
    if (paths.engine / "metadata").exists():
        raise ConfigurationError(
            [f"{paths.data}: its reports are in the embedded engine: leave out store_url, or see `collector move`"]
        )
    return server_engine(settings, installation_name(paths.engine))
