"""The commands of `telemetry-client`: show, send, status, on, off.

Exit codes: 0 done, also when opted out and whatever the network did; 1 a choice could not be stored everywhere,
or a dry run's report would be refused; 2 wrong usage (arguments, a refused address, no product known).
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, List, Mapping, Optional

from telemetry_client.arguments import build_parser, parse
from telemetry_client.client import Client, open_client
from telemetry_client.deadline import Deadline
from telemetry_client.endpoint import Refused, parse_endpoint
from telemetry_client.facts import Given
from telemetry_client.machine import this_machine
from telemetry_client.permits import load_permits
from telemetry_client.presentation import describe_report, describe_status, report_lines, status_lines
from telemetry_client.result import Fate
from telemetry_client.state import State, state_directory

if TYPE_CHECKING:
    import argparse

_MAX_KEY_CHARACTERS = 4096
_NOT_STORED = """\
Until it is stored, set TELEMETRY=off for whatever sends, or, as root, forbid it to every user:
  mkdir -p /etc/telemetry-client && echo 'telemetry = off' >> /etc/telemetry-client/config
Both are always obeyed."""


def run(arguments: Optional[List[str]] = None) -> int:
    """Parses, runs one command and returns its exit code."""
    parsed = parse(arguments)
    command = {"show": _show, "send": _send, "status": _status, "on": _on, "off": _off}[parsed.command]
    machine = this_machine(parsed.root)
    client = open_client(
        machine,
        load_permits(),
        State(state_directory(machine, parsed.state_dir)),
        time.time(),
        url=getattr(parsed, "url", ""),
        image_file=parsed.config,
    )
    return command(client, parsed)


def _show(client: Client, parsed: argparse.Namespace) -> int:
    report = client.compose(_given(client, parsed))
    told = describe_report(client, report, reveals_key=parsed.reveal_key)
    _print(parsed, told, report_lines(told))
    return 0


def _send(client: Client, parsed: argparse.Namespace) -> int:
    if parsed.url:
        endpoint = parse_endpoint(parsed.url)
        if isinstance(endpoint, Refused):
            build_parser().error(f"--url: {endpoint.why}")
    given = _given(client, parsed)
    result = client.send(given, Deadline(parsed.timeout), dry_run=parsed.dry_run)
    told = {"outcome": result.fate.value, "message": result.message, "also_sent": result.also_sent}
    lines = [result.message]
    if result.also_sent:
        lines.append(f"also accepted: {result.also_sent} from the outbox")
    _print(parsed, told, lines)
    if result.fate is Fate.UNUSABLE:
        return 2
    # Only a dry run may fail a build; at a boot a refused report is nobody's trouble but the vendor's.
    return 1 if parsed.dry_run and result.fate is Fate.REFUSED else 0


def _status(client: Client, parsed: argparse.Namespace) -> int:
    image_file = parsed.config or client.machine.environ.get("TELEMETRY_CONFIG", "")
    told = describe_status(client, client.compose(Given(product=parsed.product)), image_file)
    _print(parsed, told, status_lines(told))
    return 0


def _on(client: Client, _parsed: argparse.Namespace) -> int:
    chosen = client.choose(is_on=True)
    if chosen.failed:
        print(f"on could not be stored: {chosen.failed[0]}", file=sys.stderr)
        return 1
    print(f"on, stored in {chosen.stored[0]}")
    for path in chosen.lifted:
        print(f"an earlier off was lifted: {path}")
    decision = client.decision(client.compose(Given()).id)
    if decision.is_on:
        print("`telemetry-client show` shows what is sent, `telemetry-client off` ends it")
    else:
        print(f"still nothing is sent: {decision.reason}")
    return 0


def _off(client: Client, _parsed: argparse.Namespace) -> int:
    chosen = client.choose(is_on=False)
    if chosen.stored:
        print(f"off, stored in {' and '.join(chosen.stored)}")
    if chosen.forgotten:
        print(f"{chosen.forgotten} waiting report{'' if chosen.forgotten == 1 else 's'} deleted")
    if not chosen.failed:
        return 0
    for failure in chosen.failed:
        print(f"off could not be stored: {failure}", file=sys.stderr)
    if chosen.reaches_all:
        print("It holds all the same, because every sender reads the place where it is stored.", file=sys.stderr)
        return 1
    if chosen.stored:
        print("What uses another state directory does not know of it.", file=sys.stderr)
    print(_NOT_STORED, file=sys.stderr)
    return 1


def _given(client: Client, parsed: argparse.Namespace) -> Given:
    """The facts of the command line, and the licence key from where it may come."""
    key, origin = client.machine.environ.get("TELEMETRY_LICENSE_KEY", ""), "environment TELEMETRY_LICENSE_KEY"
    if parsed.license_key_stdin:
        key, origin = sys.stdin.readline(_MAX_KEY_CHARACTERS), "standard input"
    return Given(
        product=parsed.product,
        product_version=parsed.product_version,
        source=parsed.source,
        os_version=parsed.os_version,
        instance_type=parsed.instance_type,
        language=parsed.language,
        license_key=key.strip(),
        license_key_origin=origin,
    )


def _print(parsed: argparse.Namespace, told: Mapping[str, Any], lines: List[str]) -> None:
    text = json.dumps(told, indent=2) if parsed.format == "json" else "\n".join(lines)
    print(text, flush=True)


def drop_output() -> None:
    """Lets the interpreter end quietly after the reader of a pipe went away."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
