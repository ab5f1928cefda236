"""One sender at a time, and a directory that is gone stays gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.client.tcl.tclsh import Tcl

_TRY = """
set holder [telemetry::lock::Try [lindex $argv 0] [telemetry::waiting::deadline 2000]]
tell [expr {$holder ne {}}]
if {$holder ne {}} {
    tell [expr {[telemetry::lock::Try [lindex $argv 0] [telemetry::waiting::deadline 500]] ne {}}]
}
telemetry::lock::release $holder
"""


def test_lock_makes_nothing_of_a_directory_that_was_removed_meanwhile(tcl: Tcl) -> None:
    """An empty file in its place would keep every client from storing an off."""
    assert tcl.run(_TRY, str(tcl.state)) == [["0"]]
    assert not tcl.state.exists()


def test_lock_is_held_once(tcl: Tcl) -> None:
    tcl.state.mkdir()
    assert tcl.run(_TRY, str(tcl.state)) == [["1"], ["0"]]
