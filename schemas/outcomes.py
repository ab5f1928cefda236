"""What can become of a report: a closed list, one outcome for every report, each with its HTTP status.

The same list is the label of the metric, the `outcome` of an answer and a heading of DATA.md.
Client contract: 202 = it is on disk, forget it; 400, 404, 405, 413, 415, 422 = drop it; 410 = stop sending;
anything else = keep it and try again later.
"""

from __future__ import annotations

from enum import Enum


class Outcome(Enum):
    """One thing that can become of a report: its code, HTTP status and meaning."""

    status: int
    meaning: str

    def __new__(cls, code: str, status: int, meaning: str) -> Outcome:  # noqa: PYI034 - an enum cannot return Self
        """The member whose value is `code`."""
        member = object.__new__(cls)
        member._value_ = code
        member.status = status
        member.meaning = meaning
        return member

    # Each member is there once, and counted for every report: what an enum does instead is several times slower.
    __hash__ = object.__hash__

    ACCEPTED = "accepted", 202, "The report is on disk."
    VALID = "valid", 200, "A dry run: the report would be accepted; nothing was stored."
    MALFORMED = "malformed", 400, "The body is not a JSON object, not NDJSON or not a form."
    UNKNOWN_PARAMETER = "unknown_parameter", 400, "The only parameter is dry_run, 0 or 1, given once."
    UNKNOWN_SCHEMA = "unknown_schema", 404, "There is no such report or version of it."
    NOT_FOUND = "not_found", 404, "There is nothing at this path."
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "This path does not answer to this method."
    TOO_SLOW = "too_slow", 408, "The body did not arrive in time; try again later."
    CLIENT_STOPPED = "client_stopped", 410, "This version of the client must not send any more."
    TOO_LARGE = "too_large", 413, "The body, a line of it or the number of lines is over the limit."
    UNSUPPORTED_MEDIA_TYPE = (
        "unsupported_media_type",
        415,
        "Send application/json, application/x-ndjson or application/x-www-form-urlencoded.",
    )
    MISSING_FIELD = "missing_field", 422, "A field that the report needs is not there."
    UNKNOWN_FIELD = "unknown_field", 422, "No report has a field of this name."
    FIELD_NOT_PERMITTED = (
        "field_not_permitted",
        422,
        "The policy does not permit this field from this source.",
    )
    WRONG_TYPE = "wrong_type", 422, "The field is not of its type; every field is a string."
    INVALID_FORMAT = "invalid_format", 422, "The field does not have its format."
    UNKNOWN_PRODUCT = "unknown_product", 422, "The product is not in the catalogue."
    PRODUCT_NOT_PERMITTED = (
        "product_not_permitted",
        422,
        "This product may not send this report from this source.",
    )
    RATE_LIMITED = "rate_limited", 429, "Too many reports from this network address; try again later."
    INTERNAL = "internal", 500, "The server failed; try again later."
    BUSY = "busy", 503, "Too many requests at this moment; try again later."
    UNAVAILABLE = "unavailable", 503, "The report could not be written to disk; try again later."
    SPOOL_FULL = "spool_full", 507, "The disk is full or nearly so; try again later."
