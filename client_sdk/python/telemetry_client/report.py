"""One report: the facts that may leave, the exact bytes that carry them, and what was left out and why.

Invariants: the body holds only fields that the permits grant to this report and source; every value has its
format; optional facts that are unknown are not there at all; the id is new for every report and stays
the same when that report is sent again.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Mapping, NamedTuple, Tuple

from telemetry_client.fact import Fact
from telemetry_client.permits import IMAGE_BOOT, INSTALLBUILDER, INSTALLBUILDER_RUN

if TYPE_CHECKING:
    from telemetry_client.permits import Permit, Permits

# The order people read them in, and every client writes them in; a field that the permits add later comes after.
_ORDER = (
    *("report_id", "source", "product", "product_version", "os_version", "instance_type", "language"),
    "license_key",
)


class Entry(NamedTuple):
    """A field that is in the body: its fact and its permit."""

    permit: Permit
    fact: Fact


class LeftOut(NamedTuple):
    """A fact that is not in the body, and why. The value itself is not repeated."""

    field: str
    why: str


@dataclass(frozen=True, repr=False)
class Report:
    """What would be posted. Without a repr: a body must not come into a traceback or a log.

    badly_formed: fields whose value has not their format.
    """

    id: str
    path: str
    body: bytes
    entries: Tuple[Entry, ...]
    left_out: Tuple[LeftOut, ...]
    missing: Tuple[str, ...]
    badly_formed: Tuple[str, ...] = ()

    @property
    def carries_key(self) -> bool:
        """Whether a licence key is in it: such a report never touches the disk."""
        return any(entry.permit.name == "license_key" for entry in self.entries)


def report_for(product: str) -> str:
    """Which report a product sends: InstallBuilder reports its runs, every other product is an image."""
    return INSTALLBUILDER_RUN if product == INSTALLBUILDER else IMAGE_BOOT


def compose(permits: Permits, facts: Mapping[str, Fact]) -> Report:
    """The report that `facts` make, with a new id. Facts that are not permitted are left out."""
    product = facts.get("product", Fact("", "")).value
    terms = permits.reports[report_for(product)]
    known = {"report_id": Fact(str(uuid.uuid4()), "random, new for every report"), **facts}
    source = terms.source_of({name: fact.value for name, fact in known.items()})
    entries: List[Entry] = []
    left_out: List[LeftOut] = []
    missing: List[str] = []
    badly_formed: List[str] = []
    for name, permit in sorted(terms.fields.items(), key=lambda item: field_rank(item[0])):
        fact = known.get(name)
        if fact is None:
            if permit.required:
                missing.append(name)
        elif not permit.admits(fact.value):
            badly_formed.append(name)
            left_out.append(LeftOut(name, f"what {fact.origin} says does not have the field's format"))
            if permit.required:
                missing.append(name)
        elif source not in permit.sources:
            # A source that is none is somebody's text: it is not repeated.
            whose = f"source {source}" if source in terms.sources else "this source"
            left_out.append(LeftOut(name, f"not permitted from {whose}"))
        else:
            entries.append(Entry(permit, fact))
    left_out.extend(LeftOut(name, f"not a field of {terms.id}") for name in known if name not in terms.fields)
    encoded = encode_body({entry.permit.name: entry.fact.value for entry in entries})
    return Report(terms.id, terms.path, encoded, tuple(entries), tuple(left_out), tuple(missing), tuple(badly_formed))


def encode_body(values: Mapping[str, str]) -> bytes:
    """The exact bytes of these values: compact ASCII, in the order that every client writes."""
    ordered = {name: values[name] for name in sorted(values, key=field_rank)}
    return json.dumps(ordered, separators=(",", ":")).encode("ascii")


def field_rank(name: str) -> int:
    """Where a field stands in a body."""
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)
