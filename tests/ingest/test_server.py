"""The ingest server as a real process on a real socket."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import struct
import urllib.error
import urllib.request
from urllib.parse import urlsplit

import pytest
from openapi_spec_validator import validate

from schemas.examples import examples
from schemas.outcomes import Outcome
from schemas.reports import REPORTS
from tests.conftest import Server

BOOT = "/v1/reports/image-boot/1"
GOOD = {"source": "vm", "product": "wordpress", "product_version": "6.4.2-0"}
JSON = "application/json"


def send(
    server: Server, path: str, body: bytes | None, content_type: str = JSON, method: str = "POST"
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection(urlsplit(server.ingest).netloc, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": content_type} if content_type else {})
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def exchange(server: Server, raw: bytes, *, half_close: bool = True) -> bytes:
    """What comes back for bytes on the socket, until the server closes it."""
    host, port = urlsplit(server.ingest).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(raw)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def outcome(server: Server, path: str, body: bytes, content_type: str = JSON) -> tuple[int, str]:
    status, answer, _ = send(server, path, body, content_type)
    return status, json.loads(answer)["outcome"]


def test_examples_get_their_status_and_outcome(server: Server) -> None:
    for example in examples():
        status, answer, _ = send(server, f"{REPORTS[example.report].path}?dry_run=1", example.body)
        content = json.loads(answer)
        expected = Outcome.VALID if example.outcome is Outcome.ACCEPTED else example.outcome
        assert (status, content["outcome"]) == (expected.status, expected.value), example.path.name
        assert content.get("field") == example.field


def test_bad_input_gets_its_outcome_is_counted_and_stores_nothing(server: Server) -> None:
    before = server.status()["accepted"]
    cases = [
        (BOOT, b"{", JSON, 400, "malformed", "image-boot/1"),
        (BOOT, json.dumps(GOOD | {"hostname": "canary-host"}).encode(), JSON, 422, "unknown_field", "image-boot/1"),
        (BOOT, json.dumps(GOOD | {"license_key": "k" * 12}).encode(), JSON, 422, "field_not_permitted", "image-boot/1"),
        (BOOT, json.dumps(GOOD | {"product": "nothing"}).encode(), JSON, 422, "unknown_product", "image-boot/1"),
        (BOOT, json.dumps(GOOD | {"product_version": 6}).encode(), JSON, 422, "wrong_type", "image-boot/1"),
        (BOOT, b" " * 20_000, JSON, 413, "too_large", "image-boot/1"),
        (BOOT, b" " * 5_000_000, "application/x-ndjson", 413, "too_large", "image-boot/1"),
        (BOOT, b"{}\n" * 10_001, "application/x-ndjson", 413, "too_large", "image-boot/1"),
        (BOOT, b"{}", "text/plain", 415, "unsupported_media_type", "image-boot/1"),
        (BOOT, b"{}", "", 415, "unsupported_media_type", "image-boot/1"),
        ("/v1/reports/image-boot/2", b"{}", JSON, 404, "unknown_schema", "none"),
        ("/v1/reports/other/1", b"{}", JSON, 404, "unknown_schema", "none"),
        ("/v1/reports", b"{}", JSON, 404, "not_found", "none"),
    ]
    for path, body, content_type, status, code, label in cases:
        metric = f'telemetry_reports_total{{outcome="{code}",report="{label}"}}'
        counted = server.metric(metric)
        got, answer, _ = send(server, path, body, content_type)
        content = json.loads(answer)
        assert (got, content["outcome"]) == (status, code), (path, content_type)
        assert content["documentation"] == f"/v1/data#{code}"
        assert b"canary" not in answer
        assert server.metric(metric) == counted + 1
    assert server.status()["accepted"] == before
    assert outcome(server, BOOT, json.dumps(GOOD).encode()) == (202, "accepted")


def test_form_and_batch_are_taken(server: Server) -> None:
    form = "source=vm&product=wordpress&product_version=6.4.2-0&instance_type="
    assert outcome(server, BOOT, form.encode(), "application/x-www-form-urlencoded; charset=utf-8") == (202, "accepted")
    lines = [json.dumps(GOOD), "{", json.dumps(GOOD | {"source": "laptop"}), "", json.dumps(GOOD)]
    status, answer, _ = send(server, BOOT, "\r\n".join(lines).encode(), "application/x-ndjson")
    outcomes = [json.loads(line)["outcome"] for line in answer.splitlines()]
    assert status == 202
    assert outcomes == ["accepted", "malformed", "invalid_format", "accepted"]


def test_batch_without_a_good_line_is_not_acknowledged(server: Server) -> None:
    assert send(server, BOOT, b'{"a": 1}\n{"b": 2}\n', "application/x-ndjson")[0] == 422


def test_dry_run_stores_nothing(server: Server) -> None:
    server.wait_until_loaded()
    before = server.status()["accepted"]
    assert outcome(server, f"{BOOT}?dry_run=1", json.dumps(GOOD).encode()) == (200, "valid")
    assert server.status()["accepted"] == before


def test_reports_are_in_the_store_within_seconds(server: Server) -> None:
    server.wait_until_loaded()
    before = server.status()["loaded"]
    assert outcome(server, BOOT, json.dumps(GOOD).encode()) == (202, "accepted")
    assert server.wait_until_loaded(15)["loaded"] == before + 1


@pytest.mark.parametrize("query", ["dry_run=true", "dry_run", "DRY_RUN=1", "dry-run=1", "dry_run=0&dry_run=1", "a=b"])
def test_misspelt_dry_run_is_refused_and_not_stored(server: Server, query: str) -> None:
    assert outcome(server, f"{BOOT}?{query}", json.dumps(GOOD).encode()) == (400, "unknown_parameter")


@pytest.mark.parametrize(
    ("encoding", "body", "answer"),
    [
        ("gzip", gzip.compress(json.dumps(GOOD).encode(), mtime=0), (202, "accepted")),
        ("gzip", b"canary", (400, "malformed")),
        ("gzip", gzip.compress(b" " * 9_000_000, mtime=0), (413, "too_large")),
        ("foo", json.dumps(GOOD).encode(), (415, "unsupported_media_type")),
    ],
)
def test_compressed_bodies(server: Server, encoding: str, body: bytes, answer: tuple[int, str]) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.ingest).netloc, timeout=10)
    connection.request("POST", BOOT, body, {"Content-Type": JSON, "Content-Encoding": encoding})
    response = connection.getresponse()
    assert (response.status, json.loads(response.read())["outcome"]) == answer
    connection.close()


@pytest.mark.parametrize("expect", ["100-continue", "canary"])
def test_expect_header(server: Server, expect: str) -> None:
    head = f"POST {BOOT} HTTP/1.1\r\nHost: a\r\nContent-Type: {JSON}\r\nExpect: {expect}\r\nConnection: close\r\n"
    body = json.dumps(GOOD).encode()
    answer = exchange(server, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body, half_close=False)
    assert b"canary" not in answer
    assert (b"202 Accepted" if expect == "100-continue" else b"400 Bad Request") in answer


def test_client_that_goes_away_in_the_middle_is_no_fault_of_the_server(server: Server) -> None:
    host, port = urlsplit(server.ingest).netloc.split(":")
    head = f"POST {BOOT} HTTP/1.1\r\nHost: a\r\nContent-Type: {JSON}\r\nContent-Length: 200\r\n\r\n{{"
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(head.encode())
    assert outcome(server, BOOT, json.dumps(GOOD).encode()) == (202, "accepted")
    assert server.metric('telemetry_reports_total{outcome="internal",report="none"}') == 0
    assert "AttributeError" not in server.log.read_text()


def test_wrong_method_names_the_right_one(server: Server) -> None:
    status, answer, headers = send(server, BOOT, None, method="GET")
    assert (status, headers["Allow"]) == (405, "POST")
    assert json.loads(answer)["outcome"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path",
    ["/livez", "/readyz", "/v1/policy", "/v1/schemas/image-boot/1", "/openapi.json", "/v1/data", "/v1/permits.txt"],
)
def test_public_pages_answer(server: Server, path: str) -> None:
    with urllib.request.urlopen(server.ingest + path) as response:
        assert response.read()


@pytest.mark.parametrize("path", ["/v1/permits.txt", "/v1/policy"])
def test_what_is_permitted_is_cached_for_a_minute_at_most(server: Server, path: str) -> None:
    with urllib.request.urlopen(server.ingest + path) as response:
        assert response.headers["Cache-Control"] == "public, max-age=60"


def test_metrics_are_not_on_the_public_port(server: Server) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{server.ingest}/metrics")


def test_openapi_document_is_valid(server: Server) -> None:
    with urllib.request.urlopen(f"{server.ingest}/openapi.json") as response:
        document = json.load(response)
    validate(document)
    assert set(document["paths"]) >= {report.path for report in REPORTS.values()}


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"POST /v1/reports/image-boot/1 HTTP/1.1\r\nHost: a\r\nContent-Length: canary\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-Key: canary\x01\r\n\r\n",
        b"canary\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: " + b"canary" * 4000 + b"\r\n\r\n",
        b"POST /v1/reports/image-boot/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",
        b"POST /v1/reports/image-boot/1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_garbage_on_the_socket_disturbs_nothing_and_is_not_logged(server: Server, raw: bytes) -> None:
    answer = exchange(server, raw)
    assert b"canary" not in answer
    assert not answer or b'"outcome":"' in answer
    assert outcome(server, BOOT, json.dumps(GOOD).encode()) == (202, "accepted")
    log = server.log.read_text()
    assert "canary" not in log
    assert "127.0.0.1" not in log


def test_no_label_of_any_metric_holds_a_value_of_a_report(server: Server) -> None:
    assert outcome(server, BOOT, json.dumps(GOOD | {"os_version": "canary-12"}).encode()) == (202, "accepted")
    with urllib.request.urlopen(f"{server.metrics}/metrics") as response:
        text = response.read().decode()
    assert "canary" not in text
    assert "wordpress" not in text


def test_client_that_closes_its_side_after_the_request_still_gets_its_answer(server: Server) -> None:
    body = json.dumps(GOOD).encode()
    lines = [f"POST {BOOT} HTTP/1.1", "Host: a", f"Content-Type: {JSON}", f"Content-Length: {len(body)}", "", ""]
    whole = "\r\n".join(lines).encode() + body
    for _ in range(20):
        assert exchange(server, whole, half_close=True).startswith(b"HTTP/1.1 202 ")
    assert exchange(server, whole[:-1], half_close=True) == b""
    assert exchange(server, b"", half_close=True) == b""


@pytest.mark.parametrize(
    ("asked", "said", "is_kept"),
    [
        ("HTTP/1.1", "HTTP/1.1", True),
        ("HTTP/1.1\r\nConnection: close", "HTTP/1.1", False),
        ("HTTP/1.0", "HTTP/1.0", False),
        ("HTTP/1.0\r\nConnection: keep-alive", "HTTP/1.0", True),
    ],
)
@pytest.mark.parametrize("path", [BOOT, BOOT.replace("image-boot", "image%2Dboot"), f"{BOOT}?dry_run=0"])
def test_answer_says_whether_the_connection_stays_and_it_does_so(
    server: Server, path: str, asked: str, said: str, is_kept: bool
) -> None:
    body = json.dumps(GOOD).encode()
    head = f"POST {path} {asked}\r\nHost: a\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    host, port = urlsplit(server.ingest).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        for n in range(2 if is_kept else 1):
            connection.sendall(head.encode() + body)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert (answer.status, json.loads(answer.read())) == (202, {"outcome": "accepted"}), n
            assert answer.version == {"HTTP/1.0": 10, "HTTP/1.1": 11}[said]
            assert (answer.headers["Content-Type"], answer.headers["Server"]) == (JSON, "product-telemetry")
            assert answer.headers["Date"]
            default = {"HTTP/1.0": "close", "HTTP/1.1": "keep-alive"}[said]
            assert (answer.headers["Connection"] or default) == ("keep-alive" if is_kept else "close")
        if not is_kept:
            assert connection.recv(100) == b""


def test_head_is_answered_without_a_body(server: Server) -> None:
    answer = exchange(server, f"HEAD {BOOT} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
    assert b"\r\nAllow: POST" in head
    assert body == b""


def test_requests_that_come_at_once_on_one_connection_are_answered_in_their_order(server: Server) -> None:
    body = json.dumps(GOOD).encode()

    def post(path: str, rest: str = "") -> bytes:
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n{rest}\r\n"
        return head.encode() + body

    get = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
    asked = [post(BOOT), post(BOOT), get, post(f"{BOOT}?dry_run=1"), post(BOOT), post(BOOT, "Connection: close\r\n")]
    host, port = urlsplit(server.ingest).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"".join(asked))
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]] == [202, 202, 200, 200, 202, 202]


def test_client_that_goes_away_at_once_disturbs_nothing(server: Server) -> None:
    body = json.dumps(GOOD).encode()
    head = f"POST {BOOT} HTTP/1.1\r\nHost: a\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    host, port = urlsplit(server.ingest).netloc.split(":")
    for raw in (head.encode() + body, head.encode() + body[:5], b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", b""):
        for _ in range(50):
            with socket.create_connection((host, int(port)), timeout=5) as connection:
                # Closed with a reset, as if the machine were switched off.
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.sendall(raw)
    assert outcome(server, BOOT, json.dumps(GOOD).encode()) == (202, "accepted")
    assert "request_failed" not in server.log.read_text()


def test_body_that_is_packed_twice_or_in_an_unknown_way_is_not_unpacked(server: Server) -> None:
    packed = gzip.compress(json.dumps(GOOD).encode())
    head = f"POST {BOOT} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: {JSON}\r\n"
    head += f"Content-Length: {len(packed)}\r\n"
    for encodings in (("", "gzip"), ("gzip", "gzip"), ("zstd",), ("br",)):
        lines = "".join(f"Content-Encoding: {encoding}\r\n" for encoding in encodings)
        answer = exchange(server, f"{head}{lines}\r\n".encode() + packed)
        assert answer.startswith(b"HTTP/1.1 415 "), encodings
    assert exchange(server, f"{head}Content-Encoding: gzip\r\n\r\n".encode() + packed).startswith(b"HTTP/1.1 202 ")
    assert exchange(server, f"{head}Content-Encoding: gzip\r\n\r\n".encode() + b"x" * len(packed)).startswith(
        b"HTTP/1.1 400 "
    )


def test_what_a_client_expects_is_not_repeated(server: Server) -> None:
    for path in ("/livez", BOOT, "/nowhere"):
        answer = exchange(
            server, f"GET {path} HTTP/1.1\r\nHost: a\r\nExpect: canary\r\nConnection: close\r\n\r\n".encode()
        )
        assert answer.startswith(b"HTTP/1.1 4")
        assert b"canary" not in answer


def test_reports_that_come_at_once_before_the_client_closes_its_side_are_all_answered(server: Server) -> None:
    body = json.dumps(GOOD).encode()
    head = f"POST {BOOT} HTTP/1.1\r\nHost: a\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    assert exchange(server, (head.encode() + body) * 5).count(b"HTTP/1.1 202 ") == 5


def test_trailer_of_a_report_is_no_header_of_the_next(server: Server) -> None:
    body = json.dumps(GOOD).encode()
    chunked = f"POST {BOOT} HTTP/1.1\r\nHost: a\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\nContent-Encoding: gzip\r\nX: y\r\n\r\n"
    answer = exchange(server, chunked.encode() + chunks)
    assert answer.startswith(b"HTTP/1.1 202 ")
    assert b"\r\nConnection: close\r\n" in answer
