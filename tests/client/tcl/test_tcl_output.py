"""What the command line prints, where it cannot, and what `status` tells of the last send."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.client.tcl.tclsh import COMMANDS, wait_until

if TYPE_CHECKING:
    from tests.client.conformance.listener import Listener
    from tests.client.tcl.tclsh import Tcl

REPORT = ("--product=installbuilder", "--product-version=25.7.0")


def _to_full_disk(tcl: Tcl, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["tclsh", str(COMMANDS), *arguments]
    with Path("/dev/full").open("w") as full:
        return subprocess.run(
            command, env=tcl.environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )


@pytest.mark.parametrize("arguments", [["--help"], ["log", "--help"], ["--version"], ["log"], ["status"], ["off"]])
def test_output_that_cannot_be_written(tcl: Tcl, arguments: list[str]) -> None:
    places = [] if arguments[0].startswith("--") else ["--root", str(tcl.base), "--state-dir", str(tcl.state)]
    done = _to_full_disk(tcl, arguments[0], *places, *arguments[1:])
    assert (done.returncode, done.stderr) == (1, "telemetry-client: the standard output cannot be written\n")
    # What was asked for is done all the same.
    assert (tcl.state / "consent").exists() == (arguments == ["off"])


def test_a_sent_report_stays_sent_where_nobody_can_be_told(tcl: Tcl, listener: Listener) -> None:
    tcl.agree()
    done = _to_full_disk(tcl, "send", "--state-dir", str(tcl.state), *REPORT, "--url", listener.url)
    assert done.returncode == 1
    assert len(listener.requests) == 1
    assert tcl.tell("status")["last_send"]["outcome"] == "accepted"


def test_arguments_that_are_left_out_are_named_and_not_repeated(tcl: Tcl, listener: Listener) -> None:
    tcl.agree()
    done = tcl.cli(
        "send",
        *REPORT,
        "--os-version=no such",
        "--language",
        "EXAMPLE KEY",
        "--license-key-stdin",
        "--url",
        listener.url,
        stdin="a key in words\n",
        LANG="no language",
    )
    assert done.returncode == 0
    assert done.stderr.splitlines() == [
        f"{name} is left out: it has not its field's format; see `telemetry-client show`"
        for name in ("--os-version", "--language", "--license-key-stdin")
    ]
    assert not {"os_version", "language", "license_key"} & set(listener.requests[0].fields)


def test_last_send(tcl: Tcl, listener: Listener) -> None:
    assert tcl.tell("status")["last_send"] is None
    tcl.cli("send", *REPORT, "--url", listener.url)
    assert tcl.tell("status")["last_send"] is None, "opted out nothing is remembered"
    tcl.agree()
    tcl.cli("send", *REPORT, "--url", listener.url, "--dry-run")
    assert tcl.tell("status")["last_send"] is None, "nor of a dry run"
    tcl.cli("send", *REPORT, "--url=http://127.0.0.1:9", "--background")
    wait_until((tcl.state / "last-send").exists)
    said = tcl.tell("status")["last_send"]
    assert said["outcome"] == "waiting"
    assert said["message"] == "not sent (connection failed (connection refused)); it waits in the outbox"
    line = f"Last send      {said['at'].replace('T', ' ')}  {said['message']}\n"
    assert line in tcl.cli("status").stdout


@pytest.mark.parametrize("text", ["", "at = 0\noutcome = x\n", "at = 1\n", "at = 999999999999\noutcome = x\n", "at"])
def test_what_is_no_last_send_is_none(tcl: Tcl, text: str) -> None:
    tcl.state.mkdir()
    (tcl.state / "last-send").write_text(text)
    assert json.loads(tcl.cli("status", "--format=json").stdout)["last_send"] is None


@pytest.mark.parametrize("where", ["/dev/null", "closed", "another null", "/dev/full"])
def test_a_notice_that_nobody_can_see_lets_nothing_out(tcl: Tcl, listener: Listener, where: str) -> None:
    if where == "another null":
        if os.geteuid() != 0:
            pytest.skip("only root makes devices")
        os.mknod(tcl.base / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        where = str(tcl.base / "null")
    send = ["tclsh", str(COMMANDS), "send", "--state-dir", str(tcl.state), *REPORT, "--url", listener.url]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" 2>{"&-" if where == "closed" else where}', "sh", *send],
        env=tcl.environment(TELEMETRY="on"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "nothing was sent: the notice that comes first could not be shown\n"
    assert listener.connections == 0
    assert not (tcl.state / "notice").exists()
    assert tcl.tell("status")["last_send"]["outcome"] == "opted out"
