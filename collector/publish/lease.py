"""One publisher at a time, whichever installations share a store.

A lease is a table `private.publishing_<number>` whose comment names its holder: CREATE TABLE succeeds for
one only. The holder of the highest number publishes, and renews by inserting a row. Who has not renewed for
`lasts_seconds` may be succeeded, by the next number; times are the store's own, no two clocks are compared.
The same installation takes its own lease up again at once: its data directory has one process.

A holder that slept through the end of its lease can still do the one statement that it was about to do. `hold`
stands before each that others can see, so that is: a MOVE into a claim, which is given back; a REPLACE of a day's
counted rows by the same rows; a RENAME, which finds the name taken or the period released (publish/release.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from collector.store.engine import NAME_TAKEN, EngineError

if TYPE_CHECKING:
    from collector.store.engine import Engine

_PREFIX = "publishing_"


class NotThePublisherError(Exception):
    """Another installation publishes from this store."""

    def __init__(self) -> None:
        super().__init__("another collector publishes from this store; this one stands by")


@dataclass(frozen=True)
class Lease:
    """The right to publish.

    Attributes:
        engine: a connection.
        holder: the name of this installation, letters and digits.
        lasts_seconds: how long it holds without being renewed.
    """

    engine: Engine
    holder: str
    lasts_seconds: float = 900

    def hold(self) -> None:
        """Takes the lease if it is free, renews it if it is held.

        Raises:
            NotThePublisherError: another one holds it.
            EngineError: the engine failed.
        """
        number, holder, idle_seconds = self._latest()
        if holder != self.holder:
            if number and idle_seconds < self.lasts_seconds:
                raise NotThePublisherError
            number += 1
            self._take(number)
        self.engine.command(f"INSERT INTO private.{_PREFIX}{number} (holder) VALUES ('{self.holder}')")

    def _take(self, number: int) -> None:
        try:
            self.engine.command(
                f"CREATE TABLE private.{_PREFIX}{number} (holder String, at DateTime DEFAULT now()) "
                f"ENGINE = ReplacingMergeTree(at) ORDER BY holder COMMENT '{self.holder}'"
            )
        except EngineError as error:
            if error.code == NAME_TAKEN:
                raise NotThePublisherError from None
            raise
        for earlier in self._numbers():
            if earlier < number:
                self.engine.command(f"DROP TABLE IF EXISTS private.{_PREFIX}{earlier} SYNC")

    def _latest(self) -> tuple[int, str, float]:
        """Number, holder and seconds since the last renewal of the lease in force; 0 and nobody if there is none."""
        number = max(self._numbers(), default=0)
        if not number:
            return 0, "", 0
        # Until its first row is in, the making of the table counts.
        found = self.engine.rows(
            "SELECT comment, now() - greatest(metadata_modification_time, "
            f"(SELECT max(at) FROM private.{_PREFIX}{number})) "
            "FROM system.tables WHERE database = 'private' AND name = {name:String}",
            name=f"{_PREFIX}{number}",
        )
        return (number, str(found[0][0]), float(found[0][1])) if found else (number, "", 0)

    def _numbers(self) -> list[int]:
        rows = self.engine.rows(
            "SELECT name FROM system.tables WHERE database = 'private' AND startsWith(name, {prefix:String})",
            prefix=_PREFIX,
        )
        return [int(name.removeprefix(_PREFIX)) for (name,) in rows]
