"""From the bytes of one report to the row that is stored, or to the reason why it is not.

Pure: no clock, no disk, no environment. What it needs of those is passed in. A verdict never holds a
value that was rejected; a field's name is repeated only where it is one of ours or looks like a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import parse_qsl

import orjson
from pydantic import ValidationError

from collector.ingest.pseudonyms import NO_LICENCE
from collector.ingest.values import FIELDS as BUDGETED
from collector.ingest.values import OTHER
from schemas.outcomes import Outcome

if TYPE_CHECKING:
    import datetime as dt

    from collector.ingest.values import ValueBudget
    from schemas.catalogue import Catalogue
    from schemas.policy import Policy, Source
    from schemas.reports import Report, ReportModel

Pseudonym = Callable[[str, "dt.date"], str]
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MOST_FORM_FIELDS = 32
_MALFORMED = {"json_invalid", "json_type", "model_type", "model_attributes_type", "string_unicode"}
# A few megabytes; a fleet has fewer combinations of values than that.
_MOST_TAILS = 8_192
_FORMAT = {"string_pattern_mismatch", "string_too_long", "string_too_short"}


class Accepted(NamedTuple):
    """A report that may be stored.

    Attributes:
        row: the stored row as one line of NDJSON, line end included.
        blanked: how many withdrawn fields were left empty.
    """

    row: bytes
    blanked: int = 0


@dataclass(frozen=True, slots=True)
class Rejected:
    """A report that may not be stored, why, and the field it is about if it is about one."""

    outcome: Outcome
    field: str | None = None


Verdict = Accepted | Rejected


@dataclass(frozen=True, slots=True)
class _Tail:
    """What follows the id in a row, and whether it does so as long as nothing changes."""

    bytes: bytes
    blanked: int
    is_lasting: bool
    takes_id: bool


class Validator:
    """Decides on reports under one policy and one catalogue.

    Args:
        policy: which fields may be stored from which source.
        catalogue: which products may report.
        pseudonym: replaces a licence key on a day by its pseudonym (UUID notation).
        new_id: makes an id for a report that came without one.
    """

    def __init__(self, policy: Policy, catalogue: Catalogue, pseudonym: Pseudonym, new_id: Callable[[], str]) -> None:
        self._policy = policy
        self._catalogue = catalogue
        self._pseudonym = pseudonym
        self._new_id = new_id
        # What follows the id in rows without a licence: thousands of machines report the same.
        self._tails: dict[tuple[object, ...], _Tail] = {}
        self._withdrawn = {source: policy.withdrawn_fields(source) for p in policy.permits_ for source in p.sources}

    def validate_json(self, report: Report, body: bytes, today: dt.date, budget: ValueBudget | None = None) -> Verdict:
        """The verdict on a report that came as a JSON object.

        Args:
            report: which report it must be.
            body: the JSON.
            today: the UTC date.
            budget: replaces values that are over it; None for a report that is not stored.
        """
        try:
            # What model_validate_json calls, without its own arguments being looked at.
            content = report.model.__pydantic_validator__.validate_json(body)
        except ValidationError as error:
            return self._explain(error)
        return self._admit(report, content, today, budget)

    def validate_form(self, report: Report, body: bytes, today: dt.date, budget: ValueBudget | None = None) -> Verdict:
        """The verdict on a report that came as a form; an empty form field counts as not sent."""
        try:
            pairs = parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=_MOST_FORM_FIELDS,
            )
        except ValueError:
            return Rejected(Outcome.MALFORMED)
        if not pairs or len({name for name, _ in pairs}) != len(pairs):
            return Rejected(Outcome.MALFORMED)
        try:
            known = report.model.model_fields
            content = report.model.model_validate({name: v for name, v in pairs if v or name not in known})
        except ValidationError as error:
            return self._explain(error)
        return self._admit(report, content, today, budget)

    def _admit(self, report: Report, content: ReportModel, today: dt.date, budget: ValueBudget | None) -> Verdict:
        # The model's own dictionary: this runs for every report, and attribute access costs more.
        fields = content.__dict__
        report_id, *others = fields.values()  # in the order of the model
        if fields.get("license_key"):
            tail = self._tail(report, fields, today, budget)
        else:
            # All that the rest of the row depends on.
            kind = (report.id, today, budget.changes if budget else None, *others)
            tail = self._tails.get(kind) or self._tail(report, fields, today, budget)
            if isinstance(tail, _Tail) and tail.is_lasting:
                if len(self._tails) >= _MOST_TAILS:
                    self._tails.clear()
                self._tails[kind] = tail
        if isinstance(tail, Rejected):
            return tail
        if report_id and not tail.takes_id:
            return Accepted(b'{"report_id":"' + self._new_id().encode("ascii") + tail.bytes, tail.blanked + 1)
        return Accepted(b'{"report_id":"' + (report_id or self._new_id()).encode("ascii") + tail.bytes, tail.blanked)

    def _tail(
        self, report: Report, fields: dict[str, str], today: dt.date, budget: ValueBudget | None
    ) -> _Tail | Rejected:
        source = cast("Source", fields.get("source") or report.sources[0])
        product = self._catalogue.products.get(fields["product"])
        if product is None:
            return Rejected(Outcome.UNKNOWN_PRODUCT, "product")
        if not product.may_send(report, source):
            return Rejected(Outcome.PRODUCT_NOT_PERMITTED, "product")
        blanked = 0
        if withdrawn := self._withdrawn[source]:
            blanked = sum(1 for name in withdrawn if name != "report_id" and fields.get(name))
            fields = {name: "" if name in withdrawn else value for name, value in fields.items()}
        key = fields.get("license_key")
        name = fields["product"]
        fitting = fields
        if budget is not None and not key:
            fitting = fields | {of: budget.fit(name, of, fields[of], today) for of in BUDGETED if of in fields}
        version = fitting["product_version"]
        row = {
            "received_on": today,
            "report": report.id,
            "source": source,
            "product": name,
            "product_version": version,
            "version_line": OTHER if version == OTHER else product.version_line(version),
            "os_version": fitting["os_version"],
            "instance_type": fitting.get("instance_type", ""),
            "language": fitting["language"],
            "licence": self._pseudonym(key, today) if key else NO_LICENCE,
        }
        tail = b'",' + orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE).removeprefix(b"{")
        # Each value that is replaced is counted as one.
        return _Tail(tail, blanked, is_lasting=fitting == fields, takes_id="report_id" not in withdrawn)

    def _explain(self, error: ValidationError) -> Rejected:
        """One reason out of possibly many: a field that may not be there at all comes first."""
        problems = error.errors(include_url=False, include_context=False)
        problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
        kind, field = problem["type"], str(problem["loc"][0]) if problem["loc"] else None
        if kind in _MALFORMED:
            return Rejected(Outcome.MALFORMED)
        if kind == "extra_forbidden":
            if field in self._policy.known_fields():
                return Rejected(Outcome.FIELD_NOT_PERMITTED, field)
            return Rejected(Outcome.UNKNOWN_FIELD, field if field and _NAME.fullmatch(field) else None)
        if kind == "missing":
            return Rejected(Outcome.MISSING_FIELD, field)
        if kind in _FORMAT or (kind == "literal_error" and isinstance(problem["input"], str)):
            return Rejected(Outcome.INVALID_FORMAT, field)
        return Rejected(Outcome.WRONG_TYPE, field)
