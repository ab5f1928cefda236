"""A budget of new values, so that nobody can fill the store with made-up versions.

In a day, a field of a product may bring about so many values that are neither published nor in the catalogue.
Once it has brought more, every such value is stored as `other` for the rest of the day, whether it came before or
not. When that is, is decided with noise (collector/flood.py): nothing can be told from it about one report. The
budget is one worker's own and starts again with the worker. Reports with a licence key neither spend it nor fall
under it: one licence may send many reports, and would be told by what they spend.

The known values come from `<data>/known-values.json`, which the store process writes after every release
from the published cells: {"wordpress": {"os_version": ["debian-12", ...]}}. It holds nothing that is not public.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import structlog

from collector.flood import FIELDS, Flood, random_source
from collector.metrics import REPLACED_VALUES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from collector.noise import Below
    from schemas.catalogue import Catalogue

__all__ = ["FIELDS", "OTHER", "KnownValues", "ValueBudget", "read_known", "write_known"]

log = structlog.get_logger()
OTHER = "other"

Known = dict[tuple[str, str], frozenset[str]]


class ValueBudget:
    """Decides whether a value is stored as it is.

    Args:
        per_day: about how many new values a field of a product may bring in a day.
        below: the noise; random if not given.

    Attributes:
        changes: rises whenever a value may be decided on otherwise than before on the same day.
    """

    def __init__(self, per_day: int, below: Below | None = None) -> None:
        self._per_day = per_day
        self._below = below or random_source()
        self._known: Known = {}
        self._day: dt.date | None = None
        self._floods: dict[tuple[str, str], Flood] = {}
        self._told: set[str] = set()
        self.changes = 0

    def know(self, known: Known) -> None:
        """Takes values that never count against the budget."""
        self._known = known
        self.changes += 1

    def fit(self, product: str, field: str, value: str, day: dt.date) -> str:
        """`value`, or `other` if the field is flooded and the value new."""
        if not value or value in self._known.get((product, field), ()):
            return value
        if day != self._day:
            self._day, self._floods, self._told = day, {}, set()
        flood = self._floods.get((product, field))
        if flood is None:
            flood = self._floods[product, field] = Flood(self._per_day, self._below)
        if flood.is_on:
            REPLACED_VALUES.labels(field).inc()
            return OTHER
        flood.values.add(value)
        return value

    def look(self) -> None:
        """Looks which fields are flooded; to be called by the clock, whatever reports come."""
        for (_, field), flood in self._floods.items():
            if not flood.look():
                continue
            self.changes += 1
            if field not in self._told:
                self._told.add(field)
                log.warning("values_replaced", field=field)


class KnownValues:
    """The values that the budget of new ones lets pass, from the catalogue and from what is published.

    Args:
        path: the file of published values.
        new_values_per_day: the budget.
    """

    def __init__(self, path: Path, new_values_per_day: int) -> None:
        self.budget = ValueBudget(new_values_per_day)
        self._path = path
        self._expected: Known = {}
        self._read_at = 0

    def learn(self, catalogue: Catalogue) -> None:
        """Takes the versions that the catalogue expects."""
        products = catalogue.products.items()
        self._expected = {(name, "product_version"): frozenset(p.versions) for name, p in products if p.versions}
        self._read_at = 0
        self._read()

    def look(self) -> None:
        """Looks for floods, and reads the published values if they were written since."""
        self.budget.look()
        self._read()

    def _read(self) -> None:
        written_at = self._path.stat().st_mtime_ns if self._path.exists() else 1
        if written_at == self._read_at:
            return
        self._read_at = written_at
        published = read_known(self._path)
        expected = {name: values | published.get(name, frozenset()) for name, values in self._expected.items()}
        self.budget.know(published | expected)


def read_known(path: Path) -> Known:
    """The published values in a file; none where it is missing or damaged: then new ones are budgeted."""
    try:
        products = orjson.loads(path.read_bytes())
        return {
            (product, field): frozenset(values)
            for product, fields in products.items()
            for field, values in fields.items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def write_known(path: Path, products: Mapping[str, Mapping[str, list[str]]]) -> None:
    """Replaces the file of published values, whole or not at all."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(orjson.dumps(products))
    temporary.replace(path)
