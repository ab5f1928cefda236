"""The commands of `telemetry-client`: show, verify, send, status, log, on, off, seal.

Exit codes: 0 done, also when opted out and whatever the network did; 1 a choice could not be stored everywhere, an
image not be sealed, or a dry run's report would be refused; 2 wrong usage (arguments, a refused address, no product
known). Those of `verify` are those of cmp: 0 the same, 1 differs, 2 could not be compared.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, List, Mapping, Optional

from telemetry_client.arguments import build_parser, parse
from telemetry_client.deadline import TOTAL_SECONDS, Deadline
from telemetry_client.endpoint import Refused, parse_endpoint
from telemetry_client.facts import Given
from telemetry_client.key_input import first_line_of_input
from telemetry_client.opening import open_here
from telemetry_client.presentation import describe_report, describe_status, report_lines, status_lines
from telemetry_client.result import Fate, Result
from telemetry_client.sealing import seal
from telemetry_client.sent import describe_sent, sent_lines
from telemetry_client.text import stripped

if TYPE_CHECKING:
    import argparse

    from telemetry_client.client import Client, Ready

_INPUT = "standard input"
_NOT_STORED = """\
Until it is stored, set TELEMETRY=off for whatever sends, or, as root, forbid it to every user:
  mkdir -p /etc/telemetry-client && echo 'telemetry = off' >> /etc/telemetry-client/config
Both are always obeyed."""


def run(arguments: Optional[List[str]] = None) -> int:
    """Parses, runs one command and returns its exit code."""
    parsed = parse(arguments)
    client = open_here(
        root=parsed.root, state_dir=parsed.state_dir, url=getattr(parsed, "url", ""), image_file=parsed.config
    )
    code = _COMMANDS[parsed.command](client, parsed)
    if sys.stdout is not None:
        sys.stdout.flush()  # here, where a failure is still told
    return code


def _show(client: Client, parsed: argparse.Namespace) -> int:
    given = _with_key_of_input(_given(client, parsed), parsed, Deadline(TOTAL_SECONDS))
    report = client.compose(given)
    # Opted out, nothing is asked; and what is sealed or stopped is as quiet.
    if client.decision(report.id).is_on and not client.is_sealed() and not client.state.is_stopped():
        report = client.complete(given)
    told = describe_report(client, report, reveals_key=parsed.reveal_key)
    _print(parsed, told, report_lines(told))
    return 0


def _verify(client: Client, parsed: argparse.Namespace) -> int:
    # Only here: no other command loads what connects before it may.
    from telemetry_client.verification import verification_lines, verify  # noqa: PLC0415

    told = verify(client, client.compose(Given(product=parsed.product)), Deadline(parsed.timeout))
    _print(parsed, told, verification_lines(told))
    return {"same": 0, "differs": 1}.get(told["outcome"], 2)


def _send(client: Client, parsed: argparse.Namespace) -> int:
    deadline = Deadline(parsed.timeout)
    if parsed.url:
        endpoint = parse_endpoint(parsed.url)
        if isinstance(endpoint, Refused):
            build_parser().error(f"--url: {endpoint.why}")
    if parsed.dry_run and parsed.background:
        build_parser().error("--dry-run waits for the answer, which --background does not")
    given = _given(client, parsed)
    ready = client.prepare(given, dry_run=parsed.dry_run)
    if not isinstance(ready, Result):
        # Only now: who is opted out is not kept waiting for a key.
        given = _with_key_of_input(given, parsed, deadline)
        ready = ready._replace(given=given)
    _tell_left_out(client, given)
    if isinstance(ready, Result):
        result = ready
    elif parsed.background and _is_left_behind(client, ready, parsed, deadline):
        result = Result(Fate.BACKGROUND, "sending in the background; `telemetry-client log` shows what was sent")
    else:
        result = client.deliver(ready, deadline, dry_run=parsed.dry_run)
    told = {"outcome": result.fate.value, "message": result.message, "also_sent": result.also_sent}
    lines = [result.message]
    if result.also_sent:
        lines.append(f"also accepted: {result.also_sent} from the outbox")
    _print(parsed, told, lines)
    if result.fate is Fate.UNUSABLE:
        return 2
    # Only a dry run may fail a build; at a boot a refused report is nobody's trouble but the vendor's.
    return 1 if parsed.dry_run and result.fate is Fate.REFUSED else 0


def _is_left_behind(client: Client, ready: Ready, parsed: argparse.Namespace, deadline: Deadline) -> bool:
    """Whether another process sends it; where there is no room for one, this one does."""
    from telemetry_client.background import Task, leave_behind, start_detached  # noqa: PLC0415

    if hasattr(os, "fork"):
        return leave_behind(lambda: client.deliver_beside(ready, deadline), deadline.remaining())
    return start_detached(
        Task(ready.given, parsed.url, parsed.state_dir, parsed.config, parsed.root, deadline.remaining())
    )


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


def _log(client: Client, parsed: argparse.Namespace) -> int:
    told = describe_sent(client.state)
    _print(parsed, told, sent_lines(told))
    return 0


def _seal(client: Client, _parsed: argparse.Namespace) -> int:
    sealing = seal(client.choices, client.boot)
    if sealing.sealed:
        print(f"sealed, stored in {' and '.join(sealing.sealed)}; nothing is sent before the next boot")
    elif not client.boot:
        print("emptied; no boot is known here, so nothing holds reports back until the image is taken")
    for path in sealing.offs:
        print(f"an off stays: {path}")
    for path in sealing.failed:
        print(f"could not be removed or written: {path}", file=sys.stderr)
    return 1 if sealing.failed else 0


def _given(client: Client, parsed: argparse.Namespace) -> Given:
    """The facts of the command line, and the licence key from where it may come."""
    key = "" if parsed.license_key_stdin else client.machine.environ.get("TELEMETRY_LICENSE_KEY", "")
    return Given(
        product=parsed.product,
        product_version=parsed.product_version,
        source=parsed.source,
        os_version=parsed.os_version,
        instance_type=parsed.instance_type,
        language=parsed.language,
        license_key=stripped(key),
        license_key_origin="environment TELEMETRY_LICENSE_KEY",
    )


def _with_key_of_input(given: Given, parsed: argparse.Namespace, deadline: Deadline) -> Given:
    """The facts with the licence key of standard input, where it is to come from there."""
    if not parsed.license_key_stdin:
        return given
    return replace(given, license_key=stripped(first_line_of_input(deadline)), license_key_origin=_INPUT)


def _tell_left_out(client: Client, given: Given) -> None:
    """Which arguments are not sent because of their form; a value is not repeated."""
    for name in client.compose(given).badly_formed:
        stated = name != "license_key" or given.license_key_origin == _INPUT
        if getattr(given, name, "") and stated:
            option = "license-key-stdin" if name == "license_key" else name.replace("_", "-")
            print(
                f"--{option} is left out: it has not its field's format; see `telemetry-client show`", file=sys.stderr
            )


def _print(parsed: argparse.Namespace, told: Mapping[str, Any], lines: List[str]) -> None:
    text = json.dumps(told, indent=2) if parsed.format == "json" else "\n".join(lines)
    print(text, flush=True)


def is_of_output(error: OSError) -> bool:
    """Whether the standard output is what could not be written; what fails with a file has its name."""
    return error.filename is None and error.errno in (errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG)


def drop_output() -> None:
    """Lets the interpreter end quietly after the reader of a pipe went away, or where nothing more can be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_COMMANDS = {
    "show": _show,
    "verify": _verify,
    "send": _send,
    "status": _status,
    "log": _log,
    "on": _on,
    "off": _off,
    "seal": _seal,
}
