"""What somebody else wrote is never evaluated: it arrives unchanged, or it is rejected."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.client.conformance.hostile import VALUES
from tests.client.tcl.tclsh import PACKAGE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conformance.listener import Listener
    from tests.client.tcl.tclsh import Tcl

# What means something to Tcl; {ran} is the path of a file that appears if a value is run.
OWN = [
    "[exec touch {ran}]",
    "1.2[exec touch {ran}]",
    "\\[exec touch {ran}\\]",
    "$env(HOME)",
    "${env(HOME)}",
    "$argv0",
    "{",
    "}",
    "}{",
    "} ; exec touch {ran} ; {",
    "} [exec touch {ran}] {",
    '"',
    '" ; exec touch {ran} ; "',
    '"quoted" word',
    "{braced} word",
    "{*}[exec touch {ran}]",
    "; exec touch {ran}",
    "\nexec touch {ran}\n",
    "\\\n exec touch {ran}",
    "\\",
    "1.2\\",
    "a\\nb",
    "\\u0041",
    "\\x41",
    "# comment",
    "$",
    "$$",
    "[",
    "]",
    "[]",
    "| touch {ran}",
    "|touch {ran}",
    "> {ran}",
    "< /etc/passwd",
    "2> {ran}",
    "<@stdin",
    "&",
    "~root",
    "~",
    "*",
    "0x10",
    "0b11",
    "010",
    "1e3",
    "00",
    "1 + 1",
    "rand()",
    "true",
    "NaN",
    "-version",
    "-command",
    "--",
    "%s%n",
    "&\\1\\0",
    "^.*$",
    "ü",
    "日本",
    "\U0001f600",
    "\u2028",
    "\ufeff1.2",
    "\x1b[31m",
    "\x7f",
    "a\0b",
    "\0",
    "tab\tbed",
    "cr\r",
    "  1.2  ",
]
FIELDS = ("product_version", "os_version", "language", "license_key")
PERMITS = json.loads((PACKAGE.parent / "python/telemetry_client/permits.json").read_text())
RUN_FIELDS = PERMITS["reports"]["installbuilder-run/1"]["fields"]


def _values(ran: Path) -> list[str]:
    others = [value.decode() for value in VALUES.values() if value.decode(errors="ignore").encode() == value]
    return [value.replace("{ran}", str(ran)) for value in OWN + others]


def _admits(field: str, value: str) -> bool:
    rule = RUN_FIELDS[field]
    pattern = rule["pattern"].removesuffix("$")
    return len(value) <= rule["maxLength"] and re.fullmatch(pattern, value, re.ASCII) is not None


def test_they_are_many(tmp_path: Path) -> None:
    assert len(OWN) >= 60
    assert len(_values(tmp_path)) >= 130


def test_values_given_to_the_package(tcl: Tcl) -> None:
    """Each value in each place of the package's own call; the body holds it as it is, or not at all."""
    ran = tcl.base / "ran"
    values = _values(ran)
    told = tcl.run(
        """
        set values [telemetry::json::at [telemetry::json::parse [read stdin]] {}]
        set client [telemetry::client::open {root /}]
        foreach value [lindex $values 1] {
            set value [lindex $value 1]
            set report [telemetry::client::compose $client [dict create product installbuilder product_version $value \
                os_version $value language $value license_key $value]]
            tell [dict get $report body] {*}[dict keys [dict get $report left_out]]
        }
        """,
        stdin=json.dumps(values),
    )
    for value, (body, *left_out) in zip(values, told, strict=True):
        fields = json.loads(body)
        for name in FIELDS:
            if _admits(name, value):
                assert fields[name] == value, (name, value)
            elif value:
                assert name not in fields, (name, value)
                assert name in left_out, (name, value)
    assert any(_admits(name, value) for name in FIELDS for value in OWN)
    assert not ran.exists()


def test_values_given_to_the_call(tcl: Tcl, listener: Listener) -> None:
    """The same through `telemetry::report` itself, also as paths and addresses."""
    ran = tcl.base / "ran"
    told = tcl.run(
        f"""
        set values [lindex [telemetry::json::parse [read stdin]] 1]
        foreach value $values {{
            set value [lindex $value 1]
            set good [list -answer 0 -url {listener.url} -state-dir {{{tcl.state}}}]
            foreach options [list [list -version $value] [list -version 1 -config $value] \
                    [list -version 1 -os-version $value -language $value -license $value] \
                    [list -version 1 -answer $value] [list -version 1 -timeout $value] [list -version 1 $value x]] {{
                if {{"-command" in $options}} continue
                tell [dict get [telemetry::report {{*}}$good {{*}}$options] outcome]
            }}
            set options [list -version 1 -answer 1 -state-dir {{{tcl.state}}} -timeout 300]
            tell [dict get [telemetry::report {{*}}$options -url $value] outcome]
        }}
        """,
        stdin=json.dumps(_values(ran)),
    )
    assert {outcome for (outcome,) in told} <= {"opted out", "unusable"}
    assert not ran.exists()
    assert listener.connections == 0


def test_values_in_files_and_addresses(tcl: Tcl) -> None:
    """Parsers of files and answers give back what was written, or nothing."""
    ran = tcl.base / "ran"
    values = _values(ran)
    told = tcl.run(
        """
        foreach value [lindex [telemetry::json::parse [read stdin]] 1] {
            set value [lindex $value 1]
            set quoted [string map [list ' '\\"'\\"'] $value]
            set read [telemetry::assignments::read "KEY = '$quoted'"]
            set again [telemetry::json::parse [telemetry::json::compact [list string $value]]]
            tell [lindex $read 2] [lindex $again 1]
            # None of these may raise anything or run anything.
            telemetry::assignments::read $value
            telemetry::endpoint::parse $value
            telemetry::endpoint::parse https://$value
            telemetry::proxy::parse $value origin
            telemetry::proxy::is_excepted example.com $value
            telemetry::system::to_bcp47 $value
            telemetry::system::macos $value
            telemetry::lookup::addresses $value [telemetry::waiting::deadline 0]
            telemetry::http::codes $value
            telemetry::http::retry_after $value 0
            telemetry::sent::Parsed $value
            telemetry::outbox::Parsed $value $value
            telemetry::certificate::matches $value $value
            telemetry::certificate::is_for $value $value
            telemetry::platform::value_in_reg $value $value
            telemetry::lookup::in_nslookup $value
            telemetry::permit::allows $value [dict create product $value]
            catch {telemetry::programs::start [list echo $value]} channel
            catch {close $channel}
        }
        """,
        stdin=json.dumps(values),
    )
    assert len(told) == len(values)
    for value, (read, again) in zip(values, told, strict=True):
        # Within a file's line; what is at its ends and blank is taken away.
        if "\n" not in value:
            assert read == value.strip(" \t\r\v\f"), value
        assert again == value
    assert not ran.exists()


@pytest.mark.parametrize("value", [value for value in OWN if "\0" not in value])
def test_paths_of_the_command_line(tcl: Tcl, value: str) -> None:
    ran = tcl.base / "ran"
    name = value.replace("{ran}", "ran")
    here = tcl.base / "here"
    here.mkdir()
    for option in ("--config", "--state-dir"):
        done = tcl.cli("status", f"{option}={here}/{name}", "--format", "json")
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["telemetry"] == "off"
    relative = tcl.cli("status", f"--config={name}", f"--root={here}", f"--state-dir={name}")
    assert (relative.returncode, relative.stderr) == (0, "")
    assert list(here.iterdir()) == []
    strange = tcl.cli("status", f"--root={here}/no{name}")
    assert (strange.returncode, strange.stdout) == (2, "")
    (here / f"no{name}").mkdir(parents=True)
    found = tcl.cli("status", f"--root={here}/no{name}", "--format", "json")
    assert (found.returncode, found.stderr) == (0, "")
    assert json.loads(found.stdout)["telemetry"] == "off"
    assert not ran.exists()


def test_what_is_no_absolute_path_is_never_opened(tcl: Tcl) -> None:
    """Tcl's own `open` runs what begins with a bar."""
    ran = tcl.base / "ran"
    told = tcl.run(
        """
        foreach path $argv {
            tell {*}[telemetry::files::read_text $path] [catch {telemetry::files::write $path x 0600}] \
                [catch {telemetry::files::make_directory $path 0700}]
        }
        """,
        *(f"|touch {ran}", f"| touch {ran}", "relative", "~root/x", "", "./x"),
    )
    assert told == [["0", "", "1", "1"]] * 6
    assert not ran.exists()


def test_only_the_package_itself_is_evaluated() -> None:
    """No command that evaluates is anywhere in the package but where it is given the package's own words."""
    evaluating = re.compile(r"(?:^\s*|\[\s*|;\s*|\blist )(eval|subst|uplevel|interp|source)\s")
    found = [
        path.name
        for path in sorted([*PACKAGE.glob("*.tcl"), *(PACKAGE / "lib").glob("*.tcl")])
        for line in path.read_text().splitlines()
        if evaluating.search(line) and path.name != "permits.tcl"
    ]
    assert found == ["package.tcl", "pkgIndex.tcl", "telemetry.tcl", "telemetry.tcl"]
    # What chooses between values is not `expr`, which turns what looks like a number into one.
    for path in (PACKAGE / "lib").glob("*.tcl"):
        for line in path.read_text().splitlines():
            assert not re.search(r"expr \{[^{}]*\? (\$value|\$text|\$name|\[dict get|\[lindex \$value)", line), line
