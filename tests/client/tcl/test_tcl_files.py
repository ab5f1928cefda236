"""Files of the client's own: written through one descriptor, and never reached through a link."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.tcl.tclsh import Tcl

# Somebody else who may write the directory, at the worst moment: right after the temporary file was made.
_SWAP = """
lassign $argv state victim
proc swap {args} {
    foreach temporary [glob -nocomplain $::state/.telemetry-*] {
        file delete $temporary
        file link -symbolic $temporary $::victim
    }
}
trace add execution telemetry::descriptor::permit enter swap
"""


def _victim(tcl: Tcl) -> Path:
    victim = tcl.base / "victim"
    victim.write_text("secret\n")
    victim.chmod(0o600)
    return victim


def test_a_link_in_the_place_of_the_temporary_file_is_not_followed(tcl: Tcl) -> None:
    tcl.state.mkdir()
    victim = _victim(tcl)
    told = tcl.run(
        _SWAP
        + """
        telemetry::state::try_write $state consent "choice = on\\n" 0644
        tell [dict get [telemetry::state::choice $state] is_on] {*}[telemetry::files::read_own_text $state/consent]
        """,
        str(tcl.state),
        str(victim),
    )
    assert (victim.read_text(), stat.S_IMODE(victim.stat().st_mode)) == ("secret\n", 0o600)
    # What the other one put there is not believed either.
    assert told == [["0", "0", ""]]


@pytest.mark.parametrize("mode", [0o600, 0o644])
@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_a_file_has_its_mode_whatever_the_umask(tcl: Tcl, mode: int, umask: int) -> None:
    tcl.state.mkdir()
    before = os.umask(umask)
    try:
        tcl.run(f"telemetry::files::write {tcl.state}/x text 0{mode:o}")
    finally:
        os.umask(before)
    assert (tcl.state / "x").read_text() == "text"
    assert stat.S_IMODE((tcl.state / "x").stat().st_mode) == mode


def test_a_link_in_the_place_of_a_file_is_replaced(tcl: Tcl) -> None:
    tcl.state.mkdir()
    victim = _victim(tcl)
    behind = tcl.base / "behind"
    behind.mkdir()
    (tcl.state / "sent").symlink_to(victim)
    (tcl.state / "today").symlink_to(behind)
    told = tcl.run(
        """
        lassign $argv state
        foreach name {sent today} {
            tell {*}[telemetry::files::read_own_text $state/$name] [telemetry::state::try_write $state $name new 0600]
        }
        """,
        str(tcl.state),
    )
    assert told == [["0", "", "1"], ["0", "", "1"]]
    assert victim.read_text() == "secret\n"
    assert list(behind.iterdir()) == []
    assert [(tcl.state / name).is_symlink() for name in ("sent", "today")] == [False, False]


def test_a_link_in_the_place_of_the_outbox_is_taken_away(tcl: Tcl) -> None:
    tcl.state.mkdir()
    behind = tcl.base / "behind"
    behind.mkdir(0o755)
    name = "1795000000-00000000-0000-4000-8000-000000000000.json"
    for each in (name, ".telemetry-0123"):
        (behind / each).write_text("somebody else's")
    for command in ("telemetry::outbox::names", "telemetry::outbox::clear"):
        (tcl.state / "outbox").unlink(missing_ok=True)
        (tcl.state / "outbox").symlink_to(behind)
        assert tcl.run(f"tell [{command} {tcl.state}/outbox]") in ([[""]], [["0"]])
    assert not (tcl.state / "outbox").is_symlink()
    (tcl.state / "outbox").symlink_to(behind)
    assert tcl.report("-url http://127.0.0.1:9").outcome == "waiting"
    assert len(list((tcl.state / "outbox").iterdir())) == 1
    assert stat.S_IMODE((tcl.state / "outbox").stat().st_mode) == 0o700
    assert {path.name for path in behind.iterdir()} == {name, ".telemetry-0123"}
    assert stat.S_IMODE(behind.stat().st_mode) == 0o755


@pytest.mark.parametrize(("size", "is_read"), [(1 << 20, "1"), ((1 << 20) + 1, "0")])
def test_more_than_a_mebibyte_cannot_be_read(tcl: Tcl, size: int, is_read: str) -> None:
    (tcl.base / "large").write_bytes(b"x" * size)
    path = tcl.base / "large"
    (told,) = tcl.run(f"tell {{*}}[lmap how {{read_text read_own_text}} {{lindex [telemetry::files::$how {path}] 0}}]")
    assert told == [is_read, is_read]


def test_a_state_directory_that_a_link_leads_out_of_an_image_is_none(tcl: Tcl) -> None:
    image = tcl.base / "image"
    outside = tcl.base / "outside"
    (image / "var").mkdir(parents=True)
    outside.mkdir()
    (image / "var/state").symlink_to(outside)
    done = tcl.cli("on", "--root", str(image), f"--state-dir={image}/var/state")
    assert (done.returncode, done.stdout) == (1, "")
    assert "on could not be stored" in done.stderr
    assert list(outside.iterdir()) == []
