"""Whether the store takes statements: one gauge, and one log line when that changes or fails otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from collector.metrics import STORE_UP

if TYPE_CHECKING:
    from collector.store.engine import EngineError

log = structlog.get_logger()


class Reach:
    """What was last seen of the store."""

    def __init__(self) -> None:
        self._failing: tuple[str, int] | None = None

    def succeeded(self) -> None:
        """A statement was done."""
        STORE_UP.set(1)
        if self._failing:
            log.info("store_reachable")
        self._failing = None

    def found_unusable(self) -> None:
        """It answers, and somebody must do something before this collector can work with it."""
        STORE_UP.set(0)

    def failed(self, error: EngineError) -> None:
        """A statement failed, and it was not the statement's fault."""
        STORE_UP.set(0)
        failing = (error.kind.value, error.code)
        if failing != self._failing:
            log.error("store_unreachable", kind=error.kind.value, code=error.code)
        self._failing = failing
