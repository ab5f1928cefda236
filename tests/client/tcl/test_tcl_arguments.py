"""The command line: switches and options in any order, and each right or wrong alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.client.tcl.tclsh import Tcl

COMMANDS = ("show", "verify", "send", "status", "log", "on", "off", "seal")
PLACES = {"--state-dir", "--config", "--root", "--help"}
FACTS = {"--product", "--product-version", "--source", "--os-version", "--instance-type", "--language"}
TAKES = {
    "verify": {"--url", "--product", "--timeout", "--format"},
    "show": FACTS | {"--url", "--license-key-stdin", "--reveal-key"},
    "send": FACTS | {"--url", "--license-key-stdin", "--dry-run", "--timeout", "--background"},
    "status": {"--url", "--product"},
}
SWITCHES = ("--license-key-stdin", "--reveal-key")


@pytest.mark.parametrize("first", SWITCHES)
def test_a_switch_comes_first(tcl: Tcl, first: str) -> None:
    told = tcl.tell("show", first, "--product", "installbuilder", "--language=de-DE", stdin="EXAMPLE-0000\n")
    assert '"language":"de-DE"' in told["body"]
    assert told["license_key_is_masked"] is (first == "--license-key-stdin")


def test_help_of_the_program(tcl: Tcl) -> None:
    done = tcl.cli("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in _section(done.stdout, "commands:")] == list(COMMANDS)
    assert [line.split()[0] for line in _section(done.stdout, "exit codes:") if line[2] != " "] == ["0", "1", "2"]
    assert _section(done.stdout, "examples:")
    assert tcl.cli("--version").stdout.startswith("telemetry-client 0.")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_names_what_it_takes(tcl: Tcl, command: str) -> None:
    done = tcl.cli(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: telemetry-client {command} ")
    named = {line.split()[0] for line in _section(done.stdout, "options:")}
    # As the contract says.
    assert named == PLACES | TAKES.get(command, set()) | ({"--format"} if command in COMMANDS[:5] else set())


def _section(text: str, title: str) -> list[str]:
    return text[text.index(f"\n{title}\n") + len(title) + 2 :].split("\n\n", maxsplit=1)[0].splitlines()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("sned",), "the command must be one of show, verify, send, status, log, on, off, seal"),
        (("send", "--license-key-stdin=KEY-0000-1111"), "--license-key-stdin takes no value"),
        (("send", "--dry-run", "--background"), "--dry-run waits for the answer, which --background does not"),
        (("off", "--product", "x"), "`off` takes no --product: the choice is for every product and collector"),
        (("send", "--timeout", "61"), "--timeout: more than 60 seconds"),
        (("show", "--root", "/KEY-no-directory"), "--root: not a directory"),
        (("off", "--root=/dev/null"), "--root: not a directory"),
        (("log", "--root="), "--root: not a directory"),
        (("send", "KEY-0000-1111"), "not understood: an argument without a name"),
    ],
)
def test_wrong_use(tcl: Tcl, arguments: tuple[str, ...], complaint: str) -> None:
    done = tcl.cli(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert complaint in done.stderr
    assert "KEY-" not in done.stderr
