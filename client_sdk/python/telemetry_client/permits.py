"""What may leave this machine: the published list of permits, and the check that enforces it.

`permits.json` beside this module is generated from the policy and never edited by hand. It is read through
the package's loader, so a zip works too. A field that is not on the list for a report and its source
does not leave, whatever the rest of this package does.
"""

from __future__ import annotations

import json
import pkgutil
import re
from dataclasses import dataclass
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

IMAGE_BOOT = "image-boot/1"
INSTALLBUILDER_RUN = "installbuilder-run/1"
INSTALLBUILDER = "installbuilder"


class Problem(NamedTuple):
    """Why a body may not be sent: an outcome code of the collector, and the field it is about."""

    outcome: str
    field: str


@dataclass(frozen=True)
class Permit:
    """One field of one report: its format, the sources it may come from, and what it is for."""

    name: str
    required: bool
    sources: Tuple[str, ...]
    pattern: str
    max_length: int
    choices: Tuple[str, ...]
    description: str
    purpose: str
    clause: str

    def admits(self, value: str) -> bool:
        """Whether `value` has the field's format."""
        if self.choices:
            return value in self.choices
        return len(value) <= self.max_length and re.fullmatch(self.pattern, value, re.ASCII) is not None


@dataclass(frozen=True)
class ReportPermits:
    """One report: where it is posted, what it speaks for and the fields it may have."""

    id: str
    path: str
    sources: Tuple[str, ...]
    fields: Mapping[str, Permit]

    def source_of(self, body: Mapping[str, Any]) -> str:
        """The source a body speaks for: its own `source`, or the report's only one."""
        return str(body.get("source", "")) if "source" in self.fields else self.sources[0]


@dataclass(frozen=True)
class Permits:
    """The whole list, and whose policy it is."""

    id: str
    title: str
    dated: str
    contact: str
    url: str
    reports: Mapping[str, ReportPermits]

    @property
    def policy(self) -> Dict[str, str]:
        """Whose policy it is, which version of it, and where it is to be read."""
        return {name: getattr(self, name) for name in ("id", "title", "dated", "url", "contact")}

    def problem_with(self, report_id: str, body: Mapping[str, Any]) -> Optional[Problem]:
        """The first thing that forbids to send `body` as this report; None where it is permitted."""
        report = self.reports.get(report_id)
        if report is None:
            return Problem("unknown_schema", "")
        return self._wrong_name(report, body) or _wrong_value(report, body)

    def _wrong_name(self, report: ReportPermits, body: Mapping[str, Any]) -> Optional[Problem]:
        for name in body:
            if name not in report.fields:
                known = any(name in other.fields for other in self.reports.values())
                return Problem("field_not_permitted" if known else "unknown_field", name)
        for name, permit in report.fields.items():
            if permit.required and name not in body:
                return Problem("missing_field", name)
        return None


def _wrong_value(report: ReportPermits, body: Mapping[str, Any]) -> Optional[Problem]:
    for name, value in body.items():
        if not isinstance(value, str):
            return Problem("wrong_type", name)
        if not report.fields[name].admits(value):
            return Problem("invalid_format", name)
        if report.source_of(body) not in report.fields[name].sources:
            return Problem("field_not_permitted", name)
    # The key's clause speaks of InstallBuilder alone, so its report does too.
    if (body["product"] == INSTALLBUILDER) != (report.id == INSTALLBUILDER_RUN):
        return Problem("product_not_permitted", "product")
    return None


def load_permits() -> Permits:
    """The list that was shipped with this client."""
    # The loader's word for "not there" is None; a package without its permits may send nothing.
    data = pkgutil.get_data(__package__, "permits.json")
    if data is None:
        raise FileNotFoundError("permits.json is missing from the package")
    published = json.loads(data.decode("utf-8"))
    policy = published["policy"]
    reports = {name: _report(name, entry) for name, entry in published["reports"].items()}
    return Permits(policy["id"], policy["title"], policy["dated"], policy["contact"], policy["url"], reports)


def _report(name: str, entry: Mapping[str, Any]) -> ReportPermits:
    fields = {key: _permit(key, value) for key, value in entry["fields"].items()}
    return ReportPermits(name, entry["path"], tuple(entry["sources"]), fields)


def _permit(name: str, entry: Mapping[str, Any]) -> Permit:
    return Permit(
        name=name,
        required=entry["required"],
        sources=tuple(entry["sources"]),
        # A field without a format would admit nothing rather than everything.
        pattern=entry.get("pattern", r"(?!)"),
        max_length=entry.get("maxLength", 0),
        choices=tuple(entry.get("enum", ())),
        description=entry["description"],
        purpose=entry["purpose"],
        clause=entry["clause"],
    )
