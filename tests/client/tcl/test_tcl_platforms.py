"""Windows and macOS by recorded answers, since neither runs here; and the package's own arithmetic."""

from __future__ import annotations

import datetime as dt
import ipaddress
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

from schemas.generate import permits
from schemas.policy import load_policy

if TYPE_CHECKING:
    from tests.client.tcl.tclsh import Tcl

REG = """\r
HKEY_CURRENT_USER\\Control Panel\\International\r
    LocaleName    REG_SZ    pt-BR\r
    sCountry    REG_SZ    Brazil\r
\r
"""
VER = "\r\nMicrosoft Windows [versão 10.0.19045.4894]\r\n"
PLIST = """<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict>
	<key>ProductBuildVersion</key>
	<string>23G93</string>
	<key>ProductVersion</key>
	<string>14.6.1</string>
</dict></plist>"""
NSLOOKUP = """Servidor:  router.lan\r
Address:  192.168.1.1\r
\r
Nome:    telemetry.example.com\r
Addresses:  2001:db8::7\r
          203.0.113.7\r
\r
"""
NSLOOKUP_NONE = (
    "Server:  router.lan\r\nAddress:  192.168.1.1\r\n\r\n*** router.lan can't find x: Non-existent domain\r\n"
)
DSCACHEUTIL = "name: telemetry.example.com\nipv6_address: 2001:db8::7\n\nname: x\nip_address: 203.0.113.7\n\n"
GETENT = (
    "203.0.113.7     STREAM telemetry.example.com\n203.0.113.7     DGRAM\n203.0.113.7     RAW\n2001:db8::7     STREAM\n"
)


@pytest.mark.parametrize(
    ("build", "installation", "version"),
    [
        ("22631", "Client", "windows-11"),
        ("22000", "Client", "windows-11"),
        ("19045", "Client", "windows-10"),
        ("9600", "Client", "windows-8.1"),
        ("7601", "Client", "windows-7"),
        ("26100", "Server", "windows-server-2025"),
        ("20348", "Server Core", "windows-server-2022"),
        ("17763", "Server", "windows-server-2019"),
        ("14393", "Server", "windows-server-2016"),
        ("", "", "windows"),
        ("[exit]", "Server", "windows-server"),
    ],
)
def test_windows(tcl: Tcl, build: str, installation: str, version: str) -> None:
    (told,) = tcl.run(
        """
        set facts [telemetry::platform::windows_facts {*}$argv pt-BR]
        tell [lindex [telemetry::system::windows [dict get $facts build] [dict get $facts is_server]] 0] \
            [dict get $facts locale]
        """,
        build,
        installation,
    )
    assert told == [version, "pt-BR"]


def test_answers_of_programs(tcl: Tcl) -> None:
    (told,) = tcl.run(
        """
        lassign $argv reg ver plist
        tell [telemetry::platform::value_in_reg $reg LocaleName] [telemetry::platform::value_in_reg $reg Locale] \
            [telemetry::platform::build_in_ver $ver] [telemetry::platform::release_in_plist $plist] \
            [telemetry::platform::release_in_plist {}] \
            [telemetry::platform::home_in_passwd "a:x:1:1:A:/a:/s\\nb:x:2:2:B:/home/b:/s\\nc:x:3" 2]
        """,
        REG,
        VER,
        PLIST,
    )
    assert told == ["pt-BR", "", "19045", "14.6.1", "", "/home/b"]


def test_answers_of_name_look_ups(tcl: Tcl) -> None:
    (told,) = tcl.run(
        """
        lassign $argv nslookup none dscacheutil getent
        tell [telemetry::lookup::in_nslookup $nslookup] [telemetry::lookup::in_nslookup $none] \
            [telemetry::lookup::in_dscacheutil $dscacheutil] [telemetry::lookup::in_getent $getent]
        """,
        NSLOOKUP,
        NSLOOKUP_NONE,
        DSCACHEUTIL,
        GETENT,
    )
    assert told == ["2001:db8::7 203.0.113.7", "", "2001:db8::7 203.0.113.7", "203.0.113.7 2001:db8::7"]


@pytest.mark.parametrize(
    ("release", "version"),
    [("14.6.1", "macos-14"), ("10.15.7", "macos-10.15"), ("11.0", "macos-11"), ("26", "macos-26")],
)
def test_macos(tcl: Tcl, release: str, version: str) -> None:
    assert tcl.run("tell [lindex [telemetry::system::macos [lindex $argv 0]] 0]", release) == [[version]]


def test_languages(tcl: Tcl) -> None:
    known = {
        "pt_BR.UTF-8": "pt-BR",
        "sr_RS.UTF-8@latin": "sr-Latn-RS",
        "zh-Hans-CN": "zh-Hans-CN",
        "zh_Hant_TW": "zh-Hant-TW",
        "es-419": "es-419",
        "en_US@currency=EUR": "en-US",
        "C.UTF-8": "und",
        "POSIX": "und",
        "de": "de",
        "de_DE@euro": "de-DE",
        "ca-ES-valencia": "ca-ES",
    }
    told = tcl.run("foreach locale $argv {tell [telemetry::system::to_bcp47 $locale]}", *known)
    assert [tag for (tag,) in told] == list(known.values())


def test_days(tcl: Tcl) -> None:
    moments = [0, 951782399, 951782400, 951868800, 1709164800, 1764183240, 1798761599, 4102444800, 253402300799]
    told = tcl.run(
        """
        foreach {at date} $argv {
            tell [telemetry::day::of $at] [telemetry::day::moment $at] [telemetry::day::of_http $date]
        }
        """,
        *[word for at in moments for word in (str(at), formatdate(at, usegmt=True))],
    )
    for at, (day, moment, again) in zip(moments, told, strict=True):
        when = dt.datetime.fromtimestamp(at, dt.UTC)
        assert day == str(when.date())
        assert moment == when.strftime("%Y-%m-%dT%H:%M:%SZ")
        assert int(again) == at


def test_addresses(tcl: Tcl) -> None:
    words = [
        *("127.0.0.1", "0.0.0.1", "255.255.255.255", "256.0.0.1", "01.2.3.4", "1.2.3", "1.2.3.4.5", "::", "::1", "1::"),
        *("2001:db8::7", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::2::3", ":::"),
        *(
            "1:2:3:4:5:6:7:8:9",
            "::ffff:192.0.2.1",
            "::192.0.2.1:1",
            "12345::",
            "g::",
            "1:",
            ":1",
            "",
            "x",
            "1::2:3:4:5:6:7:8",
        ),
    ]
    told = tcl.run("foreach word $argv {tell [telemetry::address::parse $word]}", *words)
    assert [bytes(map(int, found.split())) for (found,) in told] == [_packed(word) for word in words]


def _packed(word: str) -> bytes:
    try:
        return ipaddress.ip_address(word).packed
    except ValueError:
        return b""


def test_ids_are_random_and_of_version_4(tcl: Tcl) -> None:
    script = """
        for {set n 0} {$n < 500} {incr n} {lappend ids [telemetry::random::uuid]}
        tell [llength [lsort -unique $ids]] [lindex $ids 0] [telemetry::random::chance]
    """
    for without in ("", "proc open {args} {error {no such device}}\n"):
        ((different, one, chance),) = tcl.run(without + script)
        assert different == "500"
        assert one[14] == "4"
        assert one[19] in "89ab"
        assert 0 <= float(chance) < 1


def test_permits_are_read_as_they_were_written(tcl: Tcl) -> None:
    """Tcl reads the generated file to the values of `permits.json`; and knows each of its patterns."""
    published = permits(load_policy())
    told = tcl.run("""
        dict for {name value} $telemetry::permits::policy {tell policy $name $value}
        dict for {report said} $telemetry::permits::reports {
            tell $report path [dict get $said path] {*}[dict get $said sources]
            dict for {field permit} [dict get $said fields] {
                tell $report $field {*}[dict values $permit]
                telemetry::permit::admits $permit x
            }
        }
    """)
    expected = [["policy", name, value] for name, value in published["policy"].items()]
    for name, report in published["reports"].items():
        expected.append([name, "path", report["path"], *report["sources"]])
        for field, said in report["fields"].items():
            values = [said.get(key, "") for key in ("pattern", "maxLength", "enum", "description", "purpose", "clause")]
            words = [" ".join(value) if isinstance(value, list) else str(value) for value in values]
            expected.append([name, field, str(int(said["required"])), " ".join(said["sources"]), *words])
    assert told == expected
