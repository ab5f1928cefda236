"""What is held, against how long it may be: one row for each kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.retention.kinds import Keeping, keepings

if TYPE_CHECKING:
    import datetime as dt

    from collector.publish.limits import Limits
    from collector.retention.holdings import Holdings


@dataclass(frozen=True)
class Row:
    """One kind.

    Attributes:
        keeping: its limit.
        oldest: the day of the oldest thing held; None if nothing is.
        where: it is.
        age_days: how old it is.
        is_known: whether it could be looked at.
    """

    keeping: Keeping
    oldest: dt.date | None
    where: str
    age_days: int | None
    is_known: bool

    @property
    def is_over(self) -> bool:
        """Whether something outlives its limit."""
        return self.age_days is not None and self.age_days > self.keeping.days

    def shown(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return {
            "kind": self.keeping.kind.value,
            "limit_days": self.keeping.days,
            "since": self.keeping.since,
            "because": self.keeping.because,
            "enforced": self.keeping.enforced,
            "known": self.is_known,
            "oldest": self.oldest.isoformat() if self.oldest else None,
            "where": self.where,
            "age_days": self.age_days,
            "over": self.is_over,
            "todo": self.keeping.todo if self.is_over else "",
        }


def rows(limits: Limits, held: Holdings, today: dt.date) -> list[Row]:
    """All kinds, in the order of keepings."""
    found = []
    for keeping in keepings(limits):
        oldest = held.get(keeping.kind)
        age = (today - oldest.day).days if oldest else None
        day, where = oldest or (None, "")
        found.append(Row(keeping, day, where, age, keeping.kind in held))
    return found
