"""The command line: switches and options in any order, and each right or wrong alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.client.tcl.tclsh import Tcl

SWITCHES = ("--license-key-stdin", "--reveal-key")


@pytest.mark.parametrize("first", SWITCHES)
def test_a_switch_comes_first(tcl: Tcl, first: str) -> None:
    told = tcl.tell("show", first, "--product", "installbuilder", "--language=de-DE", stdin="EXAMPLE-0000\n")
    assert '"language":"de-DE"' in told["body"]
    assert told["license_key_is_masked"] is (first == "--license-key-stdin")


def test_help_and_version(tcl: Tcl) -> None:
    for arguments in (("--help",), ("send", "--help")):
        done = tcl.cli(*arguments)
        assert done.returncode == 0
        for word in ("show", "send", "status", "on", "off", "log", "seal", "--background", "--license-key-stdin"):
            assert word in done.stdout
    assert tcl.cli("--version").stdout.startswith("telemetry-client 0.")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("sned",), "the command must be one of show, send, status, log, on, off, seal"),
        (("send", "--license-key-stdin=KEY-0000-1111"), "--license-key-stdin takes no value"),
        (("send", "--dry-run", "--background"), "--dry-run waits for the answer, which --background does not"),
        (("off", "--product", "x"), "`off` takes no --product: the choice is for every product and collector"),
        (("send", "--timeout", "61"), "--timeout: more than 60 seconds"),
        (("send", "KEY-0000-1111"), "not understood: an argument without a name"),
    ],
)
def test_wrong_use(tcl: Tcl, arguments: tuple[str, ...], complaint: str) -> None:
    done = tcl.cli(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert "KEY-" not in done.stderr
