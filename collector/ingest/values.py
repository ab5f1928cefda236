"""A budget of new values, so that nobody can fill the store with made-up versions.

In a day, a field of a product may bring so many values that were never seen in what is published, stand in
no catalogue and did not come earlier that day; each further one is stored as `other`. The budget is one
worker's own and starts again with the worker.

The known values come from `<data>/known-values.json`, which the store process writes after every release
from the published cells: {"wordpress": {"os_version": ["debian-12", ...]}}. It holds nothing that is not public.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import structlog

from collector.metrics import REPLACED_VALUES

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping
    from pathlib import Path

    from schemas.catalogue import Catalogue

log = structlog.get_logger()
OTHER = "other"
# The fields whose format lets anybody make up values; the rest are closed lists.
FIELDS = ("product_version", "os_version", "instance_type", "language")

Known = dict[tuple[str, str], frozenset[str]]


class ValueBudget:
    """Decides whether a value is stored as it is.

    Args:
        per_day: how many new values a field of a product may bring in a day.
    """

    def __init__(self, per_day: int) -> None:
        self._per_day = per_day
        self._known: Known = {}
        self._day: dt.date | None = None
        self._new: dict[tuple[str, str], set[str]] = {}
        self._told: set[str] = set()

    def know(self, known: Known) -> None:
        """Takes values that never count against the budget."""
        self._known = known

    def fit(self, product: str, field: str, value: str, day: dt.date) -> str:
        """`value`, or `other` if the budget of the day is spent."""
        if not value or value in self._known.get((product, field), ()):
            return value
        if day != self._day:
            self._day, self._new, self._told = day, {}, set()
        new = self._new.setdefault((product, field), set())
        if value in new:
            return value
        if len(new) >= self._per_day:
            if field not in self._told:
                self._told.add(field)
                log.warning("values_replaced", field=field)
            REPLACED_VALUES.labels(field).inc()
            return OTHER
        new.add(value)
        return value


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
        self.look()

    def look(self) -> None:
        """Reads the published values if they were written since."""
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
