"""Every event that may be written to the log, with its fields: a closed list.

A field that is not listed here is dropped before a line is written, and an event that is not listed loses
all of its fields, so that no value can get into a log by accident. A test holds the program against it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import MutableMapping


class Event(NamedTuple):
    """What an event means, and the fields that it may have."""

    meaning: str
    fields: frozenset[str] = frozenset()


def _event(meaning: str, *fields: str) -> Event:
    return Event(meaning, frozenset(fields))


# Set by the logger itself, on every line.
EVERYWHERE = frozenset({"event", "level", "timestamp", "process"})

EVENTS = {
    # the processes
    "cannot_start": _event("The process needs something changed before it can run; `because` says what.", "because"),
    "process_ended": _event(
        "A process ended without being asked to and is started again.", "child", "code", "restart_in_seconds"
    ),
    "process_not_kept": _event("A mistake in this program: it stops, to be started anew as a whole.", "child", "error"),
    "store_not_opened": _event("The embedded engine does not open; the process is started again.", "error", "code"),
    "process_killed": _event("A process did not stop in time; what it had acknowledged is on disk.", "child"),
    "process_not_started": _event("The system would not start a process; it is tried again.", "child", "error"),
    "process_silent": _event("A process showed no life for `silent_process_seconds` and is killed.", "child"),
    "stopped_while_busy": _event(
        "The store was asked to stop while a statement hung; its segment is loaded next time."
    ),
    "reloaded": _event("Policy, catalogue and certificate were read again and hold from now on."),
    "not_reloaded": _event("They were read again and not taken; what held before still does.", "because", "error"),
    "permit_expires": _event("A permit of the policy is to be reviewed within 60 days.", "field", "owner", "expires"),
    "permit_expired": _event(
        "A permit was not reviewed in time; the field is still taken. Review it, or withdraw the field.",
        *("field", "owner", "expires"),
    ),
    "permits_not_watched": _event("What is in use could not be read to look at its permits.", "because"),
    # taking reports
    "spool_recovered": _event("Rows that an earlier process had left open were sealed.", "rows"),
    "reports_refused": _event("Reports of the last minute with an outcome worth looking into.", "outcome", "reports"),
    "values_replaced": _event("New values over the budget of the day are stored as `other`; see the metric.", "field"),
    "request_failed": _event(
        "A mistake in this program met one request; it was answered with 500 or 503.", "error", "code"
    ),
    "spool_commit_failed": _event("A mistake in this program met one group of reports; answered with 503.", "error"),
    # the store
    "store_not_ready": _event("The store has not come up yet; reports wait on disk."),
    "store_unreachable": _event("The database does not answer; reports wait on disk.", "kind", "code"),
    "store_reachable": _event("The database answers again."),
    "caught_up": _event("What waited through an outage is loaded.", "rows", "seconds"),
    "load_failed": _event("A segment could not be loaded; it waits.", "error", "code", "kind", "retry_in_seconds"),
    "segment_quarantined": _event(
        "The engine cannot read a segment: see `collector quarantine`.", "segment", "rows", "code"
    ),
    "segment_retried": _event("A quarantined segment was loaded, but for `left` rows.", "segment", "rows", "left"),
    "segment_dropped": _event("An operator gave up a quarantined segment.", "segment", "rows"),
    # how long things are kept
    "expired": _event("Something reached the end of its time and was deleted.", "kind"),
    "expired_unused": _event(
        "Accepted reports grew too old before they counted, and were given up: see OPERATING.md.",
        *("kind", "rows", "through"),
    ),
    "not_expired": _event(
        "Something could not be deleted though its time is over; tried again.", "kind", "error", "code"
    ),
    "pepper_made_ahead": _event("The next quarter's pepper was made.", "quarter"),
    "pepper_destroyed": _event("A pepper was destroyed: nothing that was made under it is left.", "quarter"),
    # rights
    "licence_forgotten": _event("A request to forget a licence was carried out so far.", "request", "state"),
    "not_forgotten": _event("Pending requests to forget could not be gone on with; it is tried again.", "error"),
    "erasures_not_told": _event(
        "How many requests to forget are pending could not be said in the metrics.", "error", "code"
    ),
    # publishing
    "day_closed": _event("A day was closed.", "day", "complete"),
    "so_far_released": _event("The open day was released so far, with more noise.", "day", "hour"),
    "store_not_usable": _event("The store is there but not ready for this collector; it is tried again.", "because"),
    "node_not_noted": _event("How far this collector is could not be written down.", "error", "code"),
    "node_left_with_backlog": _event("It ended with reports in its spool; days wait for them.", "segments"),
    "pepper_due": _event("The next quarter's pepper is missing: `collector pepper make` on one machine, copy it."),
    "days_not_told": _event("Which days are due could not be said in the metrics.", "code", "error"),
    "known_values_not_told": _event("The published values could not be handed to the workers.", "error", "code"),
    "publishing_stands_by": _event("Another collector publishes from the same database; this one would take over."),
    "pages_not_ready": _event(
        "The dashboard's pages could not be made ahead; they are made when asked for.", "error", "code"
    ),
    "publish_failed": _event("A closing failed; it is tried again.", "error", "code", "kind"),
    "clock_jumped": _event("The clock was moved; nothing is closed for a while.", "closing_waits_seconds"),
    "closed_days_lie_ahead": _event(
        "The last closed day is not over: the clock was ahead, or is behind.", "last_closed"
    ),
    # reading
    "access_file_failed": _event(
        "The file of tokens and audit cannot be read or written: nobody gets an answer until it can.", "code"
    ),
    "audit_not_written": _event("Audit lines wait in memory; when too many do, answers are refused.", "error"),
    # other people's code
    "library": _event("A library logged something; its text is not kept.", "library", "error"),
}


def only_known(_: object, __: str, line: MutableMapping[str, Any]) -> dict[str, Any]:
    """Drops every field that the event may not have; a structlog processor."""
    event = EVENTS.get(line["event"])
    allowed = EVERYWHERE | (event.fields if event else frozenset())
    return {name: value for name, value in line.items() if name in allowed}
