"""With and without an event loop: what a caller's own events see of a report, which is nothing."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING

from tests.client.conformance.listener import Listener
from tests.client.tcl.tclsh import PACKAGE

if TYPE_CHECKING:
    from tests.client.tcl.tclsh import Tcl


class Slow(Listener):
    """A collector that thinks for a while."""

    def _answer(self, *connection: object) -> None:
        time.sleep(0.5)
        super()._answer(*connection)  # type: ignore[arg-type]


def test_no_event_of_the_caller_is_processed_while_it_waits(tcl: Tcl) -> None:
    with Slow() as listener:
        told = tcl.run(f"""
            set events {{}}
            after 0 {{lappend events timer}}
            after idle {{lappend events idle}}
            set server [socket -server {{apply {{args {{lappend ::events connection}}}}}} -myaddr 127.0.0.1 0]
            set client [socket -async 127.0.0.1 [lindex [fconfigure $server -sockname] 2]]
            fileevent $client writable {{lappend events writable}}
            set result [telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} -url {listener.url}]
            tell [dict get $result outcome] $events
            fileevent $client writable {{}}
            after 50 {{set over 1}}
            vwait over
            tell {{*}}[lsort -unique $events]
        """)
    assert told[0] == ["accepted", ""]
    assert {"connection", "idle", "timer"} <= set(told[1])


def test_called_back_from_the_event_loop(tcl: Tcl) -> None:
    with Slow() as listener:
        told = tcl.run(f"""
            proc done {{tag result}} {{
                tell $tag [dict get $result outcome] [info coroutine] [info level]
                set ::over 1
            }}
            set before [clock milliseconds]
            set returned [telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} -url {listener.url} \
                -command {{done {{a tag}}}}]
            tell $returned [expr {{[clock milliseconds] - $before < 100}}]
            set beats 0
            proc beat {{}} {{incr ::beats; after 10 beat}}
            beat
            vwait over
            tell [expr {{$beats > 20}}] [llength [info commands ::telemetry::attempt*]]
        """)
    assert told == [["", "1"], ["a tag", "accepted", "", "1"], ["1", "0"]]


def test_as_the_readme_embeds_it(tcl: Tcl, listener: Listener) -> None:
    block = re.search(r"```tcl\n(.*?)```", (PACKAGE / "README.md").read_text(), re.DOTALL)
    assert block is not None
    script = tcl.base / "embedding.tcl"
    script.write_text(
        f"set here {{{PACKAGE.parent}}}\nset key EXAMPLE-0000-1111\n{block[1]}\nafter 1500 {{exit}}\nvwait ever"
    )
    environment = tcl.environment(TELEMETRY_URL=listener.url, TELEMETRY_STATE_DIR=str(tcl.state))
    done = subprocess.run(["tclsh", str(script)], env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("accepted: the report is on the collector's disk\n", "")
    assert listener.requests[0].fields["license_key"] == "EXAMPLE-0000-1111"


def test_without_tls_nothing_leaves(tcl: Tcl) -> None:
    (told,) = tcl.run(f"""
        proc telemetry::secure::has_tls {{}} {{return 0}}
        timed telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} -url https://127.0.0.1:9
    """)
    assert told[1] == "waiting"


def test_several_at_once(tcl: Tcl, listener: Listener) -> None:
    told = tcl.run(f"""
        proc done {{result}} {{lappend ::results [dict get $result outcome]}}
        set results {{}}
        foreach number {{1 2 3}} {{
            telemetry::report -version 25.7.$number -answer 1 -state-dir "{tcl.state}/$number" -url {listener.url} \
                -command done
        }}
        while {{[llength $results] < 3}} {{vwait results}}
        tell {{*}}$results
    """)
    assert told == [["accepted", "accepted", "accepted"]]
    assert {request.fields["product_version"] for request in listener.requests} == {"25.7.1", "25.7.2", "25.7.3"}


def test_from_a_coroutine_of_the_caller(tcl: Tcl, listener: Listener) -> None:
    told = tcl.run(f"""
        coroutine mine apply {{{{}} {{
            set result [telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} -url {listener.url}]
            tell [dict get $result outcome]
        }}}}
        tell end
    """)
    assert told == [["accepted"], ["end"]]


def test_a_callback_that_fails_is_the_callers_own(tcl: Tcl, listener: Listener) -> None:
    told = tcl.run(f"""
        interp bgerror {{}} {{apply {{{{message options}} {{set ::over $message}}}}}}
        proc fails {{result}} {{error "mine"}}
        telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} -url {listener.url} -command fails
        vwait over
        tell $over
    """)
    assert told == [["mine"]]


def test_nothing_global_is_left_behind(tcl: Tcl, listener: Listener) -> None:
    (told,) = tcl.run(f"""
        # What Tcl itself adds on a first error is Tcl's.
        catch {{error first}}
        set telemetry_before {{}}
        set telemetry_before [list [lsort [info commands]] [lsort [info globals]] [lsort [chan names]] \
            [encoding system]]
        telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} -url {listener.url}
        tell [expr {{$telemetry_before eq [list [lsort [info commands]] [lsort [info globals]] [lsort [chan names]] \
            [encoding system]]}}]
    """)
    assert told == ["1"]


def test_opted_out_there_is_no_connection_and_no_process(tcl: Tcl, listener: Listener) -> None:
    for variables in ({"DO_NOT_TRACK": "1"}, {"TELEMETRY": "off"}, {"CI": "true"}):
        told = tcl.run(
            f"""
            proc telemetry::programs::start {{args}} {{error "a process"}}
            proc telemetry::lookup::addresses {{args}} {{tell "a look-up"}}
            proc socket {{args}} {{tell "a socket"}}
            timed telemetry::report -version 25.7.0 -answer 1 -state-dir {{{tcl.state}}} -url {listener.url}
            """,
            **variables,
        )
        assert told[0][1:2] == ["opted out"]
    told = tcl.run(f"timed telemetry::report -version 1 -state-dir {{{tcl.state}}} -url {listener.url}")
    assert told[0][2] == "nothing was sent: nobody has switched it on"
    assert listener.connections == 0
    assert not tcl.state.exists()
