"""Turns an embedded installation into one whose reports are in a ClickHouse server; its directory stays what it is.

Spool, quarantine, peppers, tokens and the audit trail stay where they are. Once everything is on the server, the
embedded engine's directory is put aside under another name, and nothing of it is deleted.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from collector.layout import BEFORE_MOVE, hold
from collector.store.engine import open_embedded
from collector.store.lease import Lease
from collector.store.migrate import migrate
from collector.store.move import EngineSource, Move
from collector.store.server import installation_name, is_server_installation
from collector.storeroom import server_engine
from schemas.problems import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from collector.layout import Layout
    from collector.settings import Settings
    from collector.store.engine import EmbeddedEngine, Engine


class Moved(NamedTuple):
    """What a move did: rows on the server, rows moved in this run, and where the embedded engine is now."""

    rows: int
    now: int
    kept: Path


@dataclass(frozen=True)
class Moving:
    """The move of one installation.

    Attributes:
        settings: with `data`, and the `store_url` to move to.
        paths: of the data directory.
        wait_seconds: how long to wait for whoever uses the directory.
    """

    settings: Settings
    paths: Layout
    wait_seconds: float

    def run(self, begin: Callable[[int], Callable[[int], None]]) -> Moved:
        """Moves everything; run again after a kill, it goes on.

        Args:
            begin: told how many rows there are; returns what is told of rows that are done.

        Raises:
            DirectoryInUseError: a collector runs on the directory.
            ConfigurationError: there is nothing to move, or the password file cannot be used.
            HeldByAnotherError: another collector publishes from the server.
            Everything that `Move.run` and `migrate` raise.
        """
        lock = hold(self.paths, self.wait_seconds)
        try:
            if is_server_installation(self.paths.engine):
                raise ConfigurationError([f"{self.paths.data}: its reports are on a ClickHouse server already"])
            if not (self.paths.engine / "metadata").exists():
                raise ConfigurationError([f"{self.paths.data}: holds no embedded engine to move"])
            # The same for every run on this directory, so that the server takes the next for the one that was killed.
            name = f"move{hashlib.sha256(os.fsencode(self.paths.data)).hexdigest()[:12]}"
            with (
                closing(open_embedded(self.paths.engine)) as source,
                closing(server_engine(self.settings, name)) as target,
            ):
                rows, now = self._move(source, target, begin)
            return Moved(rows, now, self._put_aside())
        finally:
            os.close(lock)

    def _move(
        self, source: EmbeddedEngine, target: Engine, begin: Callable[[int], Callable[[int], None]]
    ) -> tuple[int, int]:
        today = dt.datetime.now(dt.UTC).date()
        migrate(source, today)
        migrate(target, today)
        lease = Lease(target, target.name)
        lease.hold()
        move = Move(EngineSource(source), target, self.paths.data)
        rows = sum(content.rows for content in move.source.contents().values())
        now = move.run(begin(rows))
        lease.give_up()
        return rows, now

    def _put_aside(self) -> Path:
        """Makes the directory that of a server's installation."""
        kept = self.paths.engine.with_name(f"{BEFORE_MOVE}{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}")
        self.paths.engine.rename(kept)
        installation_name(self.paths.engine)
        return kept
