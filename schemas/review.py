"""When permits are due for review: a warning ahead, and a problem once one has expired.

Pure: the day is passed in. A permit holds through its day of expiry. What a running collector does with one
that has expired is written where it is done, in `collector/permit_watch.py`: it goes on and says so.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from schemas.policy import Permit, Policy

WARNING_DAYS = 60


@dataclass(frozen=True, slots=True)
class Review:
    """Permits that end on the same day and wait for the same owner.

    Attributes:
        fields: what they permit, by name.
        sources: where from.
        owner: the role that has to review them.
        expires: the last day that they hold.
        days_left: from the day that was asked for until then; negative once they have expired.
    """

    fields: tuple[str, ...]
    sources: tuple[str, ...]
    owner: str
    expires: dt.date
    days_left: int

    @property
    def is_overdue(self) -> bool:
        """Whether they have expired."""
        return self.days_left < 0

    def __str__(self) -> str:
        """One line for whoever has to act."""
        names = f"{', '.join(self.fields)} (from {', '.join(self.sources)})"
        when = (
            f"expired on {self.expires}" if self.is_overdue else f"expires on {self.expires}, in {self.days_left} days"
        )
        return f"the permit of {names} {when}; its owner, {self.owner}, is to review it"


def reviews(policy: Policy, today: dt.date, within_days: int = WARNING_DAYS) -> list[Review]:
    """Permits that have expired by `today` or do so within these days, soonest first; none that is withdrawn."""
    due: dict[tuple[dt.date, tuple[str, ...], str], list[Permit]] = defaultdict(list)
    for permit in policy.permits_:
        if not permit.withdrawn and (permit.expires - today).days <= within_days:
            due[permit.expires, permit.sources, permit.owner].append(permit)
    return [
        Review(tuple(sorted(p.field for p in permits)), sources, owner, expires, (expires - today).days)
        for (expires, sources, owner), permits in sorted(due.items())
    ]


def misdated(policy: Policy, today: dt.date) -> list[str]:
    """Permits whose last review is still to come: nobody has reviewed them, one line each."""
    return [
        f"permit {p.field} from {', '.join(p.sources)}: last_review {p.last_review} is a day that is still to come"
        for p in policy.permits_
        if p.last_review > today
    ]
