"""A certificate that is not right in every respect hears nothing, not even a header."""

from __future__ import annotations

import datetime as dt
import ssl
import warnings
from typing import TYPE_CHECKING

import pytest

from tests.client.conformance.listener import Tunnel
from tests.client.tcl.certificates import Authority, Leaf, TlsListener

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.tcl.tclsh import Tcl

AUTHORITY = Authority()
STRANGER = Authority()
HOST = "telemetry.example.com"
NOT_TRUSTED = "not sent (connection failed (the certificate is not trusted)); it waits in the outbox"
ANOTHER_NAME = "not sent (connection failed (the certificate is for another name)); it waits in the outbox"
ACCEPTED = "accepted: the report is on the collector's disk"
# Each certificate as it is shown for HOST, and what a report then comes to.
SHOWN: dict[str, tuple[Leaf, str]] = {
    "its name": (AUTHORITY.issue("other.example.com", HOST), ACCEPTED),
    "its name in capitals": (AUTHORITY.issue("Telemetry.EXAMPLE.com"), ACCEPTED),
    "a wildcard": (AUTHORITY.issue("*.example.com"), ACCEPTED),
    "another name": (AUTHORITY.issue("other.example.com"), ANOTHER_NAME),
    "a name below": (AUTHORITY.issue(f"www.{HOST}"), ANOTHER_NAME),
    "the common name alone": (AUTHORITY.issue(common_name=HOST), ANOTHER_NAME),
    "the common name beside another": (AUTHORITY.issue("other.example.com", common_name=HOST), ANOTHER_NAME),
    "a wildcard for all of com": (AUTHORITY.issue("*.com"), ANOTHER_NAME),
    "an address": (AUTHORITY.issue("127.0.0.1"), ANOTHER_NAME),
    "expired": (AUTHORITY.issue(HOST, ends=-dt.timedelta(days=1)), NOT_TRUSTED),
    "signed by itself": (AUTHORITY.issue(HOST, is_self_signed=True), NOT_TRUSTED),
    "unknown authority": (STRANGER.issue(HOST), NOT_TRUSTED),
}
# Names in certificates, hosts, and whether they are the same.
MATCHES = [
    ("example.com", "example.com", True),
    ("example.com", "EXAMPLE.com.", True),
    ("example.com", "www.example.com", False),
    ("*.example.com", "www.example.com", True),
    ("*.example.com", "example.com", False),
    ("*.example.com", "a.b.example.com", False),
    ("*.example.com", ".example.com", False),
    ("*.com", "example.com", False),
    ("*", "example", False),
    ("w*.example.com", "www.example.com", False),
    ("www.*.com", "www.example.com", False),
    ("*.*.com", "a.b.com", False),
    ("*.0.0.1", "127.0.0.1", False),
    ("127.0.0.1", "127.0.0.1", True),
    ("127.0.0.1", "127.0.0.2", False),
    ("2001:db8::7", "2001:DB8:0:0::7", True),
    ("2001:db8::7", "2001:db8::8", False),
    ("xn--tst-qla.example.com", "xn--tst-qla.example.com", True),
]


@pytest.fixture
def trusting(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "authority.pem"
    AUTHORITY.trustme.cert_pem.write_to_path(file)
    return {"SSL_CERT_FILE": str(file)}


@pytest.mark.parametrize("flaw", SHOWN)
def test_certificate(tcl: Tcl, tmp_path: Path, trusting: dict[str, str], flaw: str) -> None:
    leaf, message = SHOWN[flaw]
    with TlsListener(leaf.context(tmp_path)) as listener, Tunnel(listener.port) as proxy:
        told = tcl.report(f"-url https://{HOST}", https_proxy=f"127.0.0.1:{proxy.port}", **trusting)
    assert told.message == message
    assert len(listener.requests) == (message == ACCEPTED)
    assert proxy.requests[0].line.startswith(f"CONNECT {HOST}:443 ")


def test_address_and_localhost(tcl: Tcl, tmp_path: Path, trusting: dict[str, str]) -> None:
    with TlsListener(AUTHORITY.issue("127.0.0.1", "localhost").context(tmp_path)) as listener:
        for host in ("127.0.0.1", "localhost"):
            assert tcl.report(f"-url https://{host}:{listener.port}", **trusting).outcome == "accepted"
    with TlsListener(AUTHORITY.issue("localhost").context(tmp_path)) as listener:
        assert tcl.report(f"-url https://127.0.0.1:{listener.port}", **trusting).message == ANOTHER_NAME
        assert listener.requests == []


def test_old_tls_is_refused(tcl: Tcl, tmp_path: Path, trusting: dict[str, str]) -> None:
    context = AUTHORITY.issue("127.0.0.1").context(tmp_path)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with TlsListener(context) as listener:
        told = tcl.report(f"-url https://127.0.0.1:{listener.port}", **trusting)
    assert told.outcome == "waiting"
    assert listener.requests == []


def test_where_nothing_is_trusted_status_says_so(tcl: Tcl) -> None:
    (told,) = tcl.run("""
        set telemetry::secure::files {}
        set telemetry::secure::directories {}
        tell [telemetry::secure::authorities]
    """)
    assert told == [""]


def test_names(tcl: Tcl, tmp_path: Path) -> None:
    script = []
    for number, (name, host, _is_same) in enumerate(MATCHES):
        names = [name] if name != "*.0.0.1" else ["x.example.com", name]
        (tmp_path / f"{number}.pem").write_bytes(AUTHORITY.issue("filler.example.org", *names).certificate)
        script.append(
            f"set file [open {{{tmp_path}/{number}.pem}}]\n"
            f"tell [telemetry::certificate::is_for [read $file] {{{host}}}]\nclose $file"
        )
    assert [told == ["1"] for told in tcl.run("\n".join(script))] == [is_same for _, _, is_same in MATCHES]


def test_what_is_no_certificate_is_for_nobody(tcl: Tcl, tmp_path: Path) -> None:
    pem = AUTHORITY.issue(HOST).certificate
    file = tmp_path / "leaf.pem"
    file.write_bytes(pem)
    told = tcl.run(f"""
        set file [open {{{file}}}]
        set pem [read $file]
        close $file
        tell [telemetry::certificate::is_for $pem {HOST}]
        regexp -- {{-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----}} $pem -> base64
        set der [binary decode base64 $base64]
        set found 0
        # Cut anywhere, it is for nobody and raises nothing.
        for {{set length 0}} {{$length < [string length $der]}} {{incr length}} {{
            set cut [binary encode base64 [string range $der 0 [expr {{$length - 1}}]]]
            incr found [telemetry::certificate::is_for \
                "-----BEGIN CERTIFICATE-----\\n$cut\\n-----END CERTIFICATE-----" {HOST}]
        }}
        tell $found
        tell [telemetry::certificate::is_for {{}} {HOST}] [telemetry::certificate::is_for $pem {{}}]
        tell [telemetry::certificate::matches "{HOST}\\0.evil.example" {HOST}]
    """)
    assert told == [["1"], ["0"], ["0", "0"], ["0"]]
