"""One holder at a time of a right that several installations on one store may want, such as to publish.

A lease is a table `private.<right>_<number>` whose comment names its holder: CREATE TABLE succeeds for
one only. The holder of the highest number has the right, and renews it by inserting a row, long before it must. Who
has not renewed for `lasts_seconds` may be succeeded, by the next number; times are the store's own, no two clocks are
compared.
The same installation takes its own lease up again at once: its data directory has one process.

A holder that slept through the end of its lease can still do the one statement that it was about to do. So `hold`
stands before each statement that others can see, and each of those must do no harm when it comes late.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from collector.store.engine import NAME_TAKEN, EngineError

if TYPE_CHECKING:
    from collector.store.engine import Engine


class HeldByAnotherError(Exception):
    """Another installation on this store has the right.

    Args:
        right: what it is doing, as `publishing`.
    """

    def __init__(self, right: str) -> None:
        super().__init__(f"another collector is {right} on this store; this one stands by")


# A lease is renewed once this part of it has passed.
_RENEWED_AFTER = 0.05


@dataclass(eq=False)
class Lease:
    """A right.

    Attributes:
        engine: a connection.
        holder: the name of this installation, letters and digits.
        right: what its holder does, one word: `publishing`, `migrating`.
        lasts_seconds: how long it holds without being renewed.
    """

    engine: Engine
    holder: str
    right: str = "publishing"
    lasts_seconds: float = 900
    _renewed: float = field(default=float("-inf"), init=False)

    def hold(self) -> None:
        """Takes the lease if it is free, renews it if it is held and was not renewed just now.

        Raises:
            HeldByAnotherError: another one holds it.
            EngineError: the engine failed.
        """
        number, holder = self._latest()
        if holder != self.holder:
            if number and self._idle_seconds(number) < self.lasts_seconds:
                raise HeldByAnotherError(self.right)
            number += 1
            self._take(number)
        elif _now() - self._renewed < _RENEWED_AFTER * self.lasts_seconds:
            return
        now = _now()
        self.engine.command(f"INSERT INTO {self._table(number)} (holder) VALUES ('{self.holder}')")
        self._renewed = now

    def give_up(self) -> None:
        """Lets others have it at once; does nothing where another one holds it.

        Raises:
            EngineError: the engine failed.
        """
        number, holder = self._latest()
        if holder == self.holder:
            self._renewed = float("-inf")
            self.engine.command(f"DROP TABLE IF EXISTS {self._table(number)} SYNC")

    def _table(self, number: int) -> str:
        return f"private.{self.right}_{number}"

    def _take(self, number: int) -> None:
        try:
            self.engine.command(
                f"CREATE TABLE {self._table(number)} (holder String, at DateTime DEFAULT now()) "
                f"ENGINE = ReplacingMergeTree(at) ORDER BY holder COMMENT '{self.holder}'"
            )
        except EngineError as error:
            if error.code == NAME_TAKEN:
                raise HeldByAnotherError(self.right) from None
            raise
        for earlier in self._holders():
            if earlier < number:
                self.engine.command(f"DROP TABLE IF EXISTS {self._table(earlier)} SYNC")

    def _latest(self) -> tuple[int, str]:
        """Number and holder of the lease in force; 0 and nobody if there is none."""
        return max(self._holders().items(), default=(0, ""))

    def _idle_seconds(self, number: int) -> float:
        """How long ago a lease was renewed; until its first row is in, its making counts."""
        found = self.engine.rows(
            "SELECT now() - greatest(metadata_modification_time, "
            f"(SELECT max(at) FROM {self._table(number)})) "
            "FROM system.tables WHERE database = 'private' AND name = {name:String}",
            name=f"{self.right}_{number}",
        )
        return float(found[0][0]) if found else 0

    def _holders(self) -> dict[int, str]:
        """The holders of all leases that are there, by their numbers."""
        prefix = f"{self.right}_"
        rows = self.engine.rows(
            "SELECT name, comment FROM system.tables WHERE database = 'private' AND startsWith(name, {prefix:String})",
            prefix=prefix,
        )
        return {int(name.removeprefix(prefix)): holder for name, holder in rows}


def _now() -> float:
    """A clock that goes on while the machine sleeps, and that nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
