"""A publisher for tests: the shipped menu, nothing waiting in any spool, one installation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from collector.publish.limits import Limits
from collector.publish.publisher import Publisher
from collector.publish.release import Rules
from collector.store.lease import Lease

if TYPE_CHECKING:
    from collector.configuration import Configuration
    from collector.store.engine import Engine


def rules_of(configuration: Configuration, profile: str = "standard") -> Rules:
    return Rules(configuration.menu, profile)


def publisher_on(
    engine: Engine, configuration: Configuration, keep_after_release_days: int = 10, **other: Any
) -> Publisher:
    """A publisher on this engine; `other` replaces its attributes."""
    usual = {
        "engine": engine,
        "rules": rules_of(configuration),
        "lease": Lease(engine, "tests"),
        "limits": Limits(400, keep_after_release_days, 2),
        "has_loaded_past": lambda _: True,
    }
    return Publisher(**(usual | other))
