"""A running collector and permits whose day has passed: it goes on, and says so until somebody acts.

Every permit ends on a day, so that somebody has to look at it again. When nobody did, a running collector could blank
the field or go on. It goes on, because an expired permit is a missed appointment and not a withdrawal: the paragraph
of the policy that permits the field still stands, a field that is blanked is lost for good, and a date must not change
what is counted at midnight, with nobody there. What keeps the promise is that it cannot stay unnoticed:

- `collector check` fails, and with it `make test` and every deployment that checks first: nothing new goes out;
- the log has an error at start, at every reload and each day, for each field; `collector doctor` has a problem;
- the public page of what is collected (`/v1/data`) gives the day of each permit, for everybody to compare.

To stop a field at once: `withdrawn = true` in the policy file, and `collector reload`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import TYPE_CHECKING

import structlog

from collector.configuration import accepted
from schemas.problems import ConfigurationError
from schemas.review import reviews

if TYPE_CHECKING:
    from collector.layout import Layout
    from schemas.policy import Policy

log = structlog.get_logger()
_EVERY_SECONDS = 24 * 3600


def say(policy: Policy, today: dt.date) -> None:
    """Logs what is due of this policy's permits: an error for one that has expired, a warning ahead of it."""
    for review in reviews(policy, today):
        for field in review.fields:
            told = {"field": field, "owner": review.owner, "expires": review.expires.isoformat()}
            if review.is_overdue:
                log.error("permit_expired", **told)
            else:
                log.warning("permit_expires", **told)


async def watch(paths: Layout) -> None:
    """Says it each day, of the policy that is then in use; at a reload the supervisor says it."""
    while True:
        try:
            say(accepted(paths).policy, dt.datetime.now(dt.UTC).date())
        except ConfigurationError as error:
            log.error("permits_not_watched", because=str(error))
        await asyncio.sleep(_EVERY_SECONDS)
