"""What `show` and `status` print: first a plain mapping (which is also the JSON form), then lines for people.

A licence key is shown as asterisks unless the person asks for it; what is sent holds the key itself.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

from telemetry_client.configuration import ADMINISTRATOR_FILE, IMAGE_FILE
from telemetry_client.deadline import TOTAL_SECONDS
from telemetry_client.endpoint import Endpoint, Refused
from telemetry_client.last_send import last_send
from telemetry_client.limits import BOOT_IS_REPORTED, MOST_A_DAY
from telemetry_client.pause import seconds_to_wait
from telemetry_client.proxy import Proxy, UnusableProxy
from telemetry_client.sealing import IS_SEALED
from telemetry_client.sent import MASK, mask_key
from telemetry_client.version import USER_AGENT

if TYPE_CHECKING:
    from telemetry_client.client import Client
    from telemetry_client.machine import Machine
    from telemetry_client.report import Report

BUILT_IN = "built into this client; `telemetry-client verify` compares it with the collector's"


def describe_report(client: Client, report: Report, *, reveals_key: bool) -> Dict[str, Any]:
    """Everything `show` tells about a report."""
    endpoint = client.endpoint()
    decision = client.decision(report.id)
    obstacle = client.obstacle(report)
    proxy = client.proxy(endpoint)
    masked = report.carries_key and not reveals_key
    values = {e.permit.name: e.fact.value for e in report.entries}
    if masked:
        values["license_key"] = MASK
    body = mask_key(report.body) if masked else report.body.decode("ascii")
    return {
        "report": report.id,
        "url": endpoint.url + report.path if isinstance(endpoint, Endpoint) else None,
        "proxy": proxy.shown if isinstance(proxy, Proxy) else None,
        "would_be_sent": not obstacle,
        "why": obstacle or decision.reason,
        "notice_comes_first": decision.needs_notice and not client.state.notice_was_shown(),
        "fields": [
            {
                "field": entry.permit.name,
                "value": values[entry.permit.name],
                "from": entry.fact.origin,
                "purpose": entry.permit.purpose,
                "clause": entry.permit.clause,
            }
            for entry in report.entries
        ],
        "left_out": [{"field": left.field, "why": left.why} for left in report.left_out],
        "missing": list(report.missing),
        "body": body,
        "body_bytes": len(report.body),
        "license_key_is_masked": masked,
        "policy": client.permits.policy,
    }


def report_lines(told: Mapping[str, Any]) -> List[str]:
    """`describe_report` for people."""
    lines = [
        f"Report         {told['report']}",
        f"Goes to        {told['url'] or 'nowhere yet'}",
        *([f"Through        {told['proxy']}"] if told["proxy"] else []),
        f"Would be sent  {'yes' if told['would_be_sent'] else 'no'}: {told['why']}",
        "",
        "What is in it, where each value comes from, and what it is for",
    ]
    for field in told["fields"]:
        lines.append(f"  {field['field']:<16} {field['value']}")
        lines.append(f"  {'':<16}   from {field['from']}")
        lines.append(f"  {'':<16}   for  {field['purpose']} [{field['clause']}]")
    lines.extend(f"  {name:<16} missing, and needed" for name in told["missing"])
    if told["left_out"]:
        lines += ["", "What was found and is not sent"]
        lines.extend(f"  {left['field']:<16} {left['why']}" for left in told["left_out"])
    exact = "incomplete, would not be sent" if told["missing"] else "exactly"
    if told["license_key_is_masked"]:
        masked = "the licence key is masked here, --reveal-key shows it"
        exact = f"{exact}; {masked}" if told["missing"] else masked
    policy = told["policy"]
    return [
        *lines,
        "",
        f"The body, {told['body_bytes']} bytes ({exact}; report_id is new for every report)",
        told["body"],
        "",
        f"Headers        Host, User-Agent: {USER_AGENT}, Content-Type, Content-Length, Connection; no others",
        f"Policy         {policy_line(policy)}",
        f"               {BUILT_IN}",
        f"Contact        {policy['contact']}",
    ]


def policy_line(policy: Mapping[str, str]) -> str:
    """Which version of whose policy, and where it is."""
    return f"{policy['title']} of {policy['dated']} ({policy['id']}), {policy['url']}"


def describe_status(client: Client, report: Report, image_file: str) -> Dict[str, Any]:
    """Everything `status` tells."""
    endpoint = client.endpoint()
    decision = client.decision(report.id)
    ages = client.outbox.ages(client.now)
    has_endpoint = isinstance(endpoint, Endpoint)
    url = client.configuration.url
    proxy = client.proxy(endpoint)
    return {
        "telemetry": "on" if decision.is_on else "off",
        "rule": decision.rule,
        "reason": decision.reason,
        "collector": endpoint.url if isinstance(endpoint, Endpoint) else None,
        "collector_from": url.origin if has_endpoint and url else None,
        "collector_problem": endpoint.why if isinstance(endpoint, Refused) else None,
        "proxy": proxy.shown if isinstance(proxy, Proxy) else None,
        "proxy_from": proxy.origin if isinstance(proxy, Proxy) else None,
        "proxy_problem": proxy.why if isinstance(proxy, UnusableProxy) else None,
        "network": _network(endpoint),
        "configuration_files": [
            {"path": machine.path(path), "is_there": machine.exists(path)}
            for machine, path in _configuration_files(client, image_file)
        ],
        "configuration_problems": list(client.configuration.problems),
        "state_directory": client.state.directory,
        "state_is_writable": _is_writable(client.state.directory),
        "notice_was_shown": client.state.notice_was_shown(),
        "is_stopped": client.state.is_stopped(),
        "seconds_to_wait": round(seconds_to_wait(client.state, endpoint.url, client.now))
        if isinstance(endpoint, Endpoint)
        else 0,
        "boot_is_reported": client.limits.boot_is_reported(),
        "is_sealed": client.is_sealed(),
        "reports_today": client.limits.reports_today(),
        "last_send": last_send(client.state),
        "outbox": {
            "reports": len(ages),
            "oldest_seconds": round(ages[0]) if ages else 0,
            "will_be_deleted": bool(ages) and not decision.is_on,
        },
    }


def status_lines(told: Mapping[str, Any]) -> List[str]:
    """`describe_status` for people."""
    files = ", ".join(
        file["path"] + ("" if file["is_there"] else " (not there)") for file in told["configuration_files"]
    )
    waiting = told["outbox"]
    lines = [
        f"Telemetry      {told['telemetry']}: {told['reason']}",
        f"Collector      {told['collector'] or told['collector_problem']}"
        + (f" ({told['collector_from']})" if told["collector_from"] else ""),
        f"Proxy          {_proxy(told)}",
        f"Network        {told['network']}",
        f"Configuration  {files}",
        *(f"               {problem}" for problem in told["configuration_problems"]),
        f"State          {told['state_directory'] or 'nowhere'}"
        + ("" if told["state_is_writable"] else " (cannot be written: nothing is remembered)"),
        f"Notice         {'was shown' if told['notice_was_shown'] else 'not shown so far'}",
        f"Reports        {told['reports_today']} made today, of {MOST_A_DAY}"
        + (f"; {BOOT_IS_REPORTED}" if told["boot_is_reported"] else ""),
        *_last_send_line(told["last_send"]),
        f"Outbox         {waiting['reports']} waiting"
        + (f", the oldest for {waiting['oldest_seconds']} s" if waiting["reports"] else "")
        + ("; will be deleted, not sent" if waiting["will_be_deleted"] else ""),
    ]
    if told["seconds_to_wait"]:
        lines.append(f"Left alone     the collector, for another {told['seconds_to_wait']} s")
    if told["is_sealed"]:
        lines.append(f"Sealed         {IS_SEALED}")
    if told["is_stopped"]:
        lines.append("Stopped        the collector told this version of the client to stop")
    return lines


def _last_send_line(told: Optional[Mapping[str, str]]) -> List[str]:
    return [f"Last send      {told['at'].replace('T', ' ')}  {told['message']}"] if told else []


def _configuration_files(client: Client, image_file: str) -> List[Tuple[Machine, str]]:
    here, *hosts = client.machine.all_that_may_forbid()
    files = [(here, ADMINISTRATOR_FILE), (here, image_file or IMAGE_FILE)]
    return files + [(host, ADMINISTRATOR_FILE) for host in hosts]


def _proxy(told: Mapping[str, Any]) -> str:
    if told["proxy"]:
        return f"{told['proxy']} ({told['proxy_from']})"
    return told["proxy_problem"] or "none"


def _network(endpoint: object) -> str:
    limits = f"no redirects, {TOTAL_SECONDS:g} s at most"
    if isinstance(endpoint, Endpoint) and not endpoint.is_tls:
        return f"plain http, to this machine only; {limits}"
    try:
        from telemetry_client.tls import has_authorities  # noqa: PLC0415 - minimal builds of Python have no TLS
    except ImportError:
        return "this Python has no TLS: nothing can be sent to another machine"
    if not has_authorities():
        return "no trusted certificates were found: nothing can be sent to another machine"
    return f"https, certificate always verified; {limits}"


def _is_writable(directory: str) -> bool:
    """Whether the state directory, or the nearest one above it that exists, lets this user write."""
    while directory and not os.path.isdir(directory):
        parent = os.path.dirname(directory)
        if os.path.lexists(directory) or parent == directory:
            return False
        directory = parent
    return bool(directory) and os.access(directory, os.W_OK | os.X_OK)
