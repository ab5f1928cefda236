"""How long reports are kept, in days; pure, and read by every process before it knows where its metrics go."""

from __future__ import annotations

from dataclasses import dataclass

SO_FAR_KEPT_DAYS = 7
_LONGEST_MONTH_DAYS = 31


@dataclass(frozen=True)
class Limits:
    """How long reports are kept, in days.

    A report counts on the day it was received on, or on a later one if its spool was late. From there on it is kept
    `counted_days`; so it may come `late_days` late at the most, or it would be kept for longer than the policy permits.

    Attributes:
        retention_days: what the policy permits from the day of receipt on, for the field that it permits least.
        keep_after_release_days: grace after a month is out.
        closed_within_days: the latest at which a day is closed after its end.
    """

    retention_days: int
    keep_after_release_days: int
    closed_within_days: int

    @property
    def counted_days(self) -> int:
        """The longest that a counted row is kept: the first day of a month of 31 days."""
        return _LONGEST_MONTH_DAYS + max(self.keep_after_release_days, self.closed_within_days)

    @property
    def late_days(self) -> int:
        """The longest that a report may wait before it counts."""
        return self.retention_days - self.counted_days

    @property
    def so_far_days(self) -> int:
        """The longest that what was released of an open day is kept."""
        return SO_FAR_KEPT_DAYS + 1 + self.closed_within_days

    def problem(self) -> str | None:
        """Why these settings cannot be kept to under this policy; None if they can."""
        needed = self.closed_within_days + 1
        if self.late_days >= needed:
            return None
        return (
            f"keep_after_release_days: rows would be kept {self.counted_days} days and come {needed} days late, "
            f"{self.counted_days + needed} in all; the policy allows {self.retention_days}"
        )
