"""The commands of `telemetry-client`: show, send, status, on, off.

Exit codes: 0 done, also when opted out and whatever the network did; 1 a choice could not be stored; 2 wrong
usage (arguments, a refused address, no product known).
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
    return 2 if result.fate is Fate.UNUSABLE else 0


def _status(client: Client, parsed: argparse.Namespace) -> int:
    image_file = parsed.config or client.machine.environ.get("TELEMETRY_CONFIG", "")
    told = describe_status(client, client.compose(_given(client, parsed)), image_file)
    _print(parsed, told, status_lines(told))
    return 0


def _on(client: Client, _parsed: argparse.Namespace) -> int:
    return _choose(client, is_on=True)


def _off(client: Client, _parsed: argparse.Namespace) -> int:
    return _choose(client, is_on=False)


def _choose(client: Client, *, is_on: bool) -> int:
    word = "on" if is_on else "off"
    try:
        forgotten = client.choose(is_on=is_on)
    except OSError as error:
        print(f"{word} could not be stored: {error.strerror or error}.", file=sys.stderr)
        if not is_on:
            print("Set TELEMETRY=off in the environment, or telemetry = off in", file=sys.stderr)
            print("/etc/telemetry-client/config: both are always obeyed.", file=sys.stderr)
        return 1
    print(f"{word}, stored in {client.state.path('consent')}")
    if is_on:
        decision = client.decision(client.compose(Given()).id)
        if decision.is_on:
            print("`telemetry-client show` shows what is sent, `telemetry-client off` ends it")
        else:
            print(f"still nothing is sent: {decision.reason}")
    elif forgotten:
        print(f"{forgotten} waiting report(s) deleted")
    return 0


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
