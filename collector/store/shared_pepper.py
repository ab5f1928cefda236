"""Collectors on one store must use the same pepper: under two, one licence would count twice.

The store holds a fingerprint for each quarter, which tells peppers apart and says nothing about keys.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from collector.ingest.pseudonyms import first_day, quarter

if TYPE_CHECKING:
    from collector.ingest.pseudonyms import Peppers
    from collector.store.engine import Engine


_MADE_AHEAD = dt.timedelta(days=21)


class OtherPepperError(Exception):
    """This collector's pepper is not the one that the store's other collectors use."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"pepper-{name} is not the one that this store's reports were made with: copy the file from the secrets "
            "directory of another collector of this store; `collector pepper list` prints fingerprints to compare"
        )


class SharedPepper:
    """Compares this collector's pepper with the store's, once a quarter.

    Args:
        peppers: this collector's.
    """

    def __init__(self, peppers: Peppers) -> None:
        self._peppers = peppers
        self._agreed = ""

    def is_due(self, today: dt.date) -> bool:
        """Whether a quarter begins soon whose pepper is not there."""
        return not self._peppers.is_there(today + _MADE_AHEAD)

    def agree(self, engine: Engine, today: dt.date) -> None:
        """Writes down this collector's pepper as the store's, or finds that it is; nothing while there is none.

        Raises:
            OtherPepperError: the store has another one. Of two that came at the same moment both are told.
            PepperError: this collector's cannot be read.
            EngineError: the engine failed.
        """
        name = quarter(today)
        if name == self._agreed or not self._peppers.is_there(today):
            return
        fingerprint = self._peppers.fingerprint(today)
        if not _known(engine, name):
            engine.insert("private.peppers", ("quarter", "fingerprint", "noted_on"), [(name, fingerprint, today)])
        if _known(engine, name) != {fingerprint}:
            raise OtherPepperError(name)
        self._agreed = name

    def missing(self, engine: Engine) -> tuple[str, ...]:
        """The quarters of the store's reports of which this collector has no pepper, or another one.

        Raises:
            PepperError: one cannot be read.
            EngineError: the engine failed.
        """
        return tuple(name for name in known_quarters(engine) if not self._is_here(engine, name))

    def _is_here(self, engine: Engine, name: str) -> bool:
        day = first_day(name)
        return self._peppers.is_there(day) and _known(engine, name) == {self._peppers.fingerprint(day)}


def forget(engine: Engine, name: str) -> bool:
    """Forgets which pepper the store's reports of a quarter were made with, since it is lost: the next one is believed.

    Returns:
        Whether one was known.

    Raises:
        EngineError: the engine failed.
    """
    known = bool(_known(engine, name))
    engine.command(f"ALTER TABLE private.peppers DELETE WHERE quarter = '{name}' SETTINGS mutations_sync = 1")
    return known


def known_quarters(engine: Engine) -> list[str]:
    """The quarters whose peppers the store knows.

    Raises:
        EngineError: the engine failed.
    """
    return [name for (name,) in engine.rows("SELECT DISTINCT quarter FROM private.peppers ORDER BY quarter")]


def _known(engine: Engine, name: str) -> set[str]:
    rows = engine.rows("SELECT fingerprint FROM private.peppers WHERE quarter = {quarter:String}", quarter=name)
    return {fingerprint for (fingerprint,) in rows}
