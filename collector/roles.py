"""What one `collector` process tree does: everything on one machine, or one part with a database between the parts."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A part that can run alone; its value is the verb that runs it."""

    SERVE = "serve"
    INGEST = "ingest"
    PUBLISH = "publish"
    REPORTS = "reports"

    @property
    def takes_reports(self) -> bool:
        """Whether it listens for reports and loads them."""
        return self in {Role.SERVE, Role.INGEST}

    @property
    def publishes(self) -> bool:
        """Whether it closes days."""
        return self in {Role.SERVE, Role.PUBLISH}

    @property
    def answers(self) -> bool:
        """Whether it shows published counts."""
        return self in {Role.SERVE, Role.REPORTS}

    @property
    def migrates(self) -> bool:
        """Whether it may change the database's tables; the others wait until somebody has."""
        return self is Role.SERVE
