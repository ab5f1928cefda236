"""What the collector's policy permits now, compared with what this client was built with.

A person asks for it, so it connects also where telemetry is off. Nothing of this machine is in the question: it is a
GET without a body, and the same from everywhere. The answer is lines of text (`schemas/permits_text.py`). It counts
only as a whole and only in that form; of any other answer not a character is printed.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, NamedTuple, Optional

from telemetry_client.endpoint import Refused
from telemetry_client.presentation import policy_line
from telemetry_client.proxy import Proxy, UnusableProxy
from telemetry_client.report import field_rank
from telemetry_client.transport import get

if TYPE_CHECKING:
    from telemetry_client.client import Client
    from telemetry_client.deadline import Deadline
    from telemetry_client.permits import Permits
    from telemetry_client.report import Report

PATH = "/v1/permits.txt"
_FORM = "product-telemetry-permits 1"
_END = "end"
_MOST_LINES = 500
_MOST_OF_A_LINE = 500
_LINE = re.compile(
    r"(policy (?:id|title|dated|contact|url)|[a-z][a-z0-9-]*/[0-9]+ [a-z][a-z0-9_]* (?:sources|clause|purpose))"
    r": ([!-~][ -~]*)"
)
_NOT_A_LIST = "the answer is not a list of permits"


class Change(NamedTuple):
    """what: the subject. here, now: the values of client and collector; None where one of them has no such thing."""

    what: str
    here: Optional[str]
    now: Optional[str]


def verify(client: Client, report: Report, deadline: Deadline) -> Dict[str, Any]:
    """Asks and compares: everything that `verify` tells."""
    endpoint = client.endpoint()
    proxy = client.proxy(endpoint)
    theirs: Optional[Dict[str, str]] = None
    if isinstance(endpoint, Refused):
        why = endpoint.why
    elif isinstance(proxy, UnusableProxy):
        why = proxy.why
    else:
        answer = get(endpoint, PATH, deadline, proxy)
        why = answer.trouble or ("" if answer.status == HTTPStatus.OK else f"HTTP {answer.status}")
        theirs = None if why else read_list(answer.content)
    ours = own_list(client.permits)
    changes = None if theirs is None else compare(ours, theirs)
    terms = client.permits.reports[report.id]
    source = terms.source_of({entry.permit.name: entry.fact.value for entry in report.entries})
    not_within = [
        name
        for name in sorted(terms.fields, key=field_rank)
        if source in terms.fields[name].sources
        and source not in (theirs or {}).get(f"{report.id} {name} sources", "").split(", ")
    ]
    return {
        "url": None if isinstance(endpoint, Refused) else endpoint.url + PATH,
        "proxy": proxy.shown if isinstance(proxy, Proxy) else None,
        "policy": client.permits.policy,
        "outcome": "not compared" if changes is None else "differs" if changes else "same",
        "why": why or _NOT_A_LIST if changes is None else None,
        "changes": [change._asdict() for change in changes or ()],
        "report": report.id,
        "source": source or None,
        "is_within": None if changes is None or not source else not not_within,
        "not_within": not_within if changes is not None else [],
    }


def verification_lines(told: Mapping[str, Any]) -> List[str]:
    """`verify` for people."""
    changes = told["changes"]
    found = {
        "same": "permits the same as this client was built with",
        "differs": f"differs from what this client was built with, in {len(changes)} point{'s'[: len(changes) != 1]}",
    }.get(told["outcome"], f"not compared: {told['why']}")
    within = "all that may be sent is permitted by the collector's policy"
    if told["not_within"]:
        within = f"no longer permitted: {', '.join(told['not_within'])}"
    return [
        f"Asked          {told['url'] or 'nobody'}",
        *([f"Through        {told['proxy']}"] if told["proxy"] else []),
        f"Built with     {policy_line(told['policy'])}",
        f"Collector      {found}",
        *(f"               {_in_words(change)}" for change in changes),
        *(
            [f"From here      {told['report']}, source {told['source']}: {within}"]
            if told["is_within"] is not None
            else []
        ),
    ]


def own_list(permits: Permits) -> Dict[str, str]:
    """The permits of this client as the collector writes its own."""
    found = {f"policy {key}": permits.policy[key] for key in ("id", "title", "dated", "contact", "url")}
    for report in permits.reports.values():
        for name, permit in sorted(report.fields.items(), key=lambda item: field_rank(item[0])):
            found[f"{report.id} {name} sources"] = ", ".join(permit.sources)
            found[f"{report.id} {name} clause"] = permit.clause
            found[f"{report.id} {name} purpose"] = permit.purpose
    return found


def read_list(content: bytes) -> Optional[Dict[str, str]]:
    """The list that an answer is; None where it is none, or was cut short."""
    text = content.decode("latin-1")
    lines = [line for line in text.split("\n") if line]
    if text.count("\n") > _MOST_LINES or lines[:1] != [_FORM] or lines[-1] != _END:
        return None
    found: Dict[str, str] = {}
    for line in lines[1:-1]:
        match = _LINE.fullmatch(line)
        if match is None or len(line) > _MOST_OF_A_LINE or match.group(1) in found:
            return None
        found[match.group(1)] = match.group(2)
    return found


def compare(ours: Mapping[str, str], theirs: Mapping[str, str]) -> Optional[List[Change]]:
    """What changed; None where the collector's list leaves out what every list says."""
    changes = []
    for key, here in ours.items():
        subject, _, what = key.rpartition(" ")
        now = theirs.get(key)
        if now is None and what == "sources":
            changes.append(Change(subject, here, None))
        elif now is None and (subject == "policy" or f"{subject} sources" in theirs):
            return None
        elif now is not None and now != here:
            changes.append(Change(key, here, now))
    for key, now in theirs.items():
        subject, _, what = key.rpartition(" ")
        if what == "sources" and key not in ours:
            changes.append(Change(subject, None, now))
    return changes


def _in_words(change: Mapping[str, Optional[str]]) -> str:
    if change["now"] is None:
        return f"{change['what']}: withdrawn"
    if change["here"] is None:
        return f"{change['what']}: newly permitted, from {change['now']}; this client does not send it"
    return f'{change["what"]}: now "{change["now"]}", here "{change["here"]}"'
