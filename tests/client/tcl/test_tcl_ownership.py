"""Whose "on" counts, as the file system tells it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.tcl.tclsh import Tcl

_OTHER = 12345


def _owned_by_another(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.chown(path, _OTHER, _OTHER)


def _for_everybody(path: Path) -> None:
    path.chmod(0o777)


@pytest.mark.parametrize(
    ("spoil", "what"), [(_owned_by_another, "consent"), (_owned_by_another, ""), (_for_everybody, "")]
)
def test_an_on_of_somebody_else_is_an_off(tcl: Tcl, spoil: object, what: str) -> None:
    tcl.agree()
    assert tcl.tell("status")["telemetry"] == "on"
    spoil(tcl.state / what)  # type: ignore[operator]
    told = tcl.tell("status")
    assert (told["telemetry"], told["rule"]) == ("off", "stored")
    assert told["reason"] == f"{tcl.state}/consent is not this user's alone"


def test_on_is_not_stored_where_it_is_not_heard(tcl: Tcl) -> None:
    tcl.state.mkdir()
    _for_everybody(tcl.state)
    done = tcl.cli("on")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"on could not be stored: {tcl.state}/consent is not this user's alone\n"
    assert list(tcl.state.iterdir()) == []


def test_a_link_to_an_on_is_none(tcl: Tcl) -> None:
    tcl.agree()
    (tcl.state / "consent").rename(tcl.base / "elsewhere")
    (tcl.state / "consent").symlink_to(tcl.base / "elsewhere")
    assert tcl.tell("status")["reason"] == f"{tcl.state}/consent says off"


@pytest.mark.parametrize("line", ["telemetry = on", "default = on"])
def test_settings_of_somebody_else_do_not_allow(tcl: Tcl, line: str) -> None:
    directory = tcl.base / "settings"
    directory.mkdir()
    (directory / "image").write_text(f"{line}\n")
    status = ("status", f"--config={directory}/image", "--product=nginx")
    assert tcl.tell(*status)["telemetry"] == "on"
    _for_everybody(directory)
    told = tcl.tell(*status)
    assert (told["telemetry"], told["rule"]) == ("off", "administrator")
    assert told["reason"] == f"{directory}/image is not this user's alone"


def test_on_windows_there_are_no_such_owners(tcl: Tcl) -> None:
    tcl.agree()
    _for_everybody(tcl.state)
    told = tcl.run(
        "tell [telemetry::ownership::is_alone {*}$argv]; set tcl_platform(platform) windows; "
        "tell [telemetry::ownership::is_alone {*}$argv]",
        str(tcl.state / "consent"),
    )
    assert told == [["0"], ["1"]]
