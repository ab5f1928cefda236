"""TLS of the ingest port: verified by a client that does not know the collector."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

from collector.ingest.tls import Certificate, CertificateError
from tests.conftest import Server, collector, running

BOOT = "/v1/reports/image-boot/1"
GOOD = json.dumps({"source": "vm", "product": "wordpress", "product_version": "6.4.2-0"}).encode()
AUTHORITY = trustme.CA()


def issue(directory: Path) -> tuple[Path, Path]:
    """Writes a certificate for localhost and its key, replacing what is there."""
    issued = AUTHORITY.issue_cert("localhost", "127.0.0.1")
    certificate, key = directory / "chain.pem", directory / "key.pem"
    certificate.write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    return certificate, key


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = issue(directory)
    with running(directory / "data", "--tls-certificate", str(certificate), "--tls-key", str(key)) as server:
        yield server


def connect(server: Server) -> http.client.HTTPSConnection:
    port = urlsplit(server.ingest).port
    connection = http.client.HTTPSConnection("localhost", port, context=trusting(), timeout=20)
    connection.connect()
    return connection


def post(connection: http.client.HTTPSConnection) -> int:
    connection.request("POST", BOOT, GOOD, {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    return response.status


def serial(connection: http.client.HTTPSConnection) -> object:
    assert isinstance(connection.sock, ssl.SSLSocket)
    certificate = connection.sock.getpeercert()
    assert certificate
    return certificate["serialNumber"]


def test_verified_connection_takes_a_report(server: Server) -> None:
    assert server.ingest.startswith("https://")
    connection = connect(server)
    assert isinstance(connection.sock, ssl.SSLSocket)
    assert connection.sock.version() == "TLSv1.3"
    assert connection.sock.selected_alpn_protocol() in {None, "http/1.1"}
    assert post(connection) == 202
    connection.close()


def test_what_is_not_tls_gets_nothing_and_disturbs_nobody(server: Server) -> None:
    host, port = urlsplit(server.ingest).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: canary-plain\r\n\r\n")
        assert b"alive" not in plain.recv(65536)
    connection = connect(server)
    assert post(connection) == 202
    connection.close()
    assert "canary-plain" not in server.log.read_text()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(server: Server) -> None:
    context = trusting()
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    host, port = urlsplit(server.ingest).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="localhost")


def test_handshake_that_does_not_go_on_is_ended(server: Server) -> None:
    host, port = urlsplit(server.ingest).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as stalled:
        assert stalled.recv(1) == b""


def test_renewed_certificate_is_taken_and_open_connections_go_on(server: Server) -> None:
    before = connect(server)
    old = serial(before)
    issue(server.data.parent)
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while True:
        after = connect(server)
        new = serial(after)
        if new != old:
            break
        after.close()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert post(after) == 202
    assert post(before) == 202
    assert serial(before) == old
    after.close()
    before.close()


def test_certificate_that_does_not_fit_its_key_changes_nothing(server: Server) -> None:
    key = server.data.parent / "key.pem"
    good = key.read_bytes()
    before = connect(server)
    key.write_bytes(AUTHORITY.issue_cert("localhost").private_key_pem.bytes())
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while "cannot be used together" not in server.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    after = connect(server)
    assert serial(after) == serial(before)
    assert post(after) == 202
    key.write_bytes(good)
    after.close()
    before.close()


def test_problems_with_the_files_are_said_in_one_line(tmp_path: Path) -> None:
    certificate, key = issue(tmp_path)
    Certificate(certificate, key)
    key.chmod(0o644)
    with pytest.raises(CertificateError, match="mode 0644 lets others use it; run: chmod 600"):
        Certificate(certificate, key)
    key.chmod(0o600)
    with pytest.raises(CertificateError, match="No such file"):
        Certificate(tmp_path / "missing.pem", key)
    (tmp_path / "text.pem").write_text("hello")
    with pytest.raises(CertificateError, match="cannot be used together"):
        Certificate(tmp_path / "text.pem", key)
    started = collector(
        "serve", "--data", os.fspath(tmp_path / "d"), "--tls-certificate", "x.pem", "--tls-key", "y.pem", check=False
    )
    assert started.returncode == 2
    assert started.stderr == "collector: y.pem: No such file or directory\n"
    half = collector("serve", "--data", os.fspath(tmp_path / "d"), "--tls-key", "y.pem", check=False)
    assert "tls_certificate and tls_key are given together or not at all" in half.stderr
