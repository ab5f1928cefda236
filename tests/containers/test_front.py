"""The TLS proxies before a collector: what they let through, what they stop, and that they keep nothing of who asks."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.settings import Settings
from tests.clickhouse_server import free_port
from tests.conftest import BIN, Server, missing, running
from tests.containers.fronts import FILES, GRAFANA, NAMES, STRANGER, TELEMETRY, USAGE, Front, front

KINDS = list(FILES)
CANARY = "canary-5b1f"
PATH = "/v1/reports/image-boot/1"
JSON = {"Content-Type": "application/json"}
REPORT = {"source": "vm", "product": "wordpress", "product_version": "6.4.2-0", "os_version": "debian-12"}
# The stranger is counted, for it is the proxy alone that is believed: its batches are many.
LOCALLY = ("--reports-url", f"https://{USAGE}", "--trusted-proxies", "127.0.0.1/32", "--request-seconds", "2")
LOCALLY += ("--rate-burst", "1000000")


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("collector") / "data", *LOCALLY) as server:
        yield server


def behind(collector: Server) -> dict[str, str]:
    """The real collector; and where Grafana should be, nobody."""
    ingest, reports = (url.removeprefix("http://") for url in (collector.ingest, collector.reports))
    return {"collector:8080": ingest, "collector:8081": reports, "grafana:3000": f"127.0.0.1:{free_port()}"}


@pytest.fixture(scope="module", params=KINDS)
def proxy(
    request: pytest.FixtureRequest, collector: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Front]:
    with front(request.param, tmp_path_factory.mktemp(request.param), behind(collector)) as running_front:
        yield running_front


def test_a_report_of_the_python_client_arrives(proxy: Front, tmp_path: Path) -> None:
    options = ["--product", "wordpress", "--product-version", "6.4.2-0", "--url", f"https://{TELEMETRY}:{proxy.port}"]
    environment = {"TELEMETRY": "on", "TELEMETRY_STATE_DIR": str(tmp_path), "SSL_CERT_FILE": str(proxy.authority)}
    command = [BIN / "telemetry-client", "send", *options]
    sent = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert sent.stdout.startswith("accepted"), sent


def test_a_whole_batch_arrives_and_a_longer_one_does_not(proxy: Front) -> None:
    # As long as the collector takes it, but for a little.
    line = json.dumps(REPORT).encode().ljust(440)
    batch = b"\n".join([line] * 9_500)
    assert 0.99 < len(batch) / Settings().max_batch_bytes < 1
    ndjson = {"Content-Type": "application/x-ndjson"}
    assert proxy.ask("POST", PATH, batch, ndjson)[0] == 202
    assert proxy.ask("POST", f"{PATH}?{CANARY}", batch * 2, ndjson)[0] == 413


def test_a_longer_report_is_refused_in_the_collectors_words(proxy: Front) -> None:
    status, text = proxy.ask("POST", PATH, b" " * 20_000, JSON)
    assert (status, json.loads(text)["outcome"]) == (413, "too_large")


def test_the_sign_in_page_is_there_under_its_own_name(proxy: Front) -> None:
    status, text = proxy.ask("GET", "/sign-in", host=USAGE)
    assert (status, "<form" in text) == (200, True)
    assert proxy.ask("GET", "/v1/usage?product=wordpress", host=USAGE)[0] == 401
    # The metrics and the other ports are under no name.
    assert proxy.ask("GET", "/metrics", host=USAGE)[0] in {303, 404}
    assert proxy.ask("GET", "/metrics", host=TELEMETRY)[0] == 404


@pytest.mark.parametrize("kind", KINDS)
def test_without_the_host_the_dashboard_is_not_shown(kind: str, collector: Server, tmp_path: Path) -> None:
    loses = {
        "nginx": {"proxy_set_header Host $http_host;": "proxy_set_header Host collector.internal;"},
        "caddy": {"header_up X-Forwarded-Proto https": "header_up Host collector.internal"},
    }
    with front(kind, tmp_path, behind(collector), loses[kind]) as running_front:
        assert running_front.ask("GET", "/sign-in", host=USAGE)[0] == 421


def everything_that_goes_wrong(proxy: Front) -> None:
    """Each error that a stranger can cause, with an address and a canary to be recognised by."""
    report = json.dumps(REPORT | {"language": CANARY}).encode()
    agent = JSON | {"User-Agent": CANARY, "Referer": f"https://{CANARY}/", "Cookie": CANARY}
    assert proxy.ask("POST", PATH, json.dumps(REPORT).encode(), agent)[0] == 202
    assert proxy.ask("POST", f"{PATH}?{CANARY}=1", report, agent)[0] == 400
    assert proxy.ask("POST", PATH, report, agent)[0] == 422
    assert proxy.ask("GET", f"/{CANARY}?{CANARY}", headers=agent)[0] == 404
    assert proxy.ask("GET", f"/{CANARY}?{CANARY}", headers=agent, host=GRAFANA)[0] == 502
    assert proxy.ask("POST", f"{PATH}?{CANARY}", report * 50_000, agent)[0] == 413
    for malformed in (
        f"GET /{CANARY} HTTP/9.9\r\nHost: {TELEMETRY}\r\n\r\n",
        f"{CANARY} {CANARY}\r\n\r\n",
        f"GET /{CANARY} HTTP/1.1\r\n\r\n",
        f"GET /{CANARY} HTTP/1.1\r\nHost: {CANARY}.example.com\r\n\r\n",
        f"POST {PATH}?{CANARY} HTTP/1.1\r\nHost: {TELEMETRY}\r\nContent-Length: {CANARY}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: {TELEMETRY}\r\nX: {'a' * 70000}{CANARY}\r\n\r\n",
    ):
        answered = proxy.say(malformed.encode())
        assert not answered or int(answered.split()[1]) >= 400, answered
    # A body that ends in the middle, a name that nobody has, plain http, and a connection that says nothing.
    with proxy.connect(TELEMETRY) as cut:
        cut.sendall(
            f"POST {PATH}?{CANARY} HTTP/1.1\r\nHost: {TELEMETRY}\r\nContent-Length: 900\r\n\r\n{CANARY}".encode()
        )
    with contextlib.suppress(OSError):
        proxy.connect(f"{CANARY}.example.com").close()
    with socket.create_connection(("127.0.0.1", proxy.port), source_address=(STRANGER, 0)) as plain:
        plain.sendall(f"GET /{CANARY} HTTP/1.1\r\nHost: {TELEMETRY}\r\n\r\n".encode())
        with contextlib.suppress(OSError):
            plain.recv(1000)
    socket.create_connection(("127.0.0.1", proxy.port), source_address=(STRANGER, 0)).close()
    time.sleep(0.5)


def test_it_writes_no_address_and_nothing_of_what_was_sent(proxy: Front, collector: Server) -> None:
    everything_that_goes_wrong(proxy)
    for told in (STRANGER, CANARY):
        assert told.encode() not in proxy.written(), told
        assert told not in collector.log.read_text(), told


LOUD = {
    "nginx": {"error_log /dev/null emerg;": "error_log /tmp/error info;"},
    "caddy": {"include tls.obtain tls.renew tls.issuance": ""},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_as_it_comes_would_hold_both(kind: str, collector: Server, tmp_path: Path) -> None:
    """Otherwise the test above would prove nothing."""
    change = {name: value.replace("/tmp/", f"{tmp_path}/") for name, value in LOUD[kind].items()}  # noqa: S108
    with front(kind, tmp_path, behind(collector), change) as running_front:
        everything_that_goes_wrong(running_front)
        assert STRANGER.encode() in running_front.written()
        assert CANARY.encode() in running_front.written()


# Caddy answers only once it has read on for as long as it is told to; nginx as soon as the collector has answered.
ENDS = {"nginx": {}, "caddy": {"read_body 40s": "read_body 4s"}}


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_does_not_come_is_ended_by_the_collector(kind: str, collector: Server, tmp_path: Path) -> None:
    """The proxy passes on what it has, and waits for no end of it: the collector's two seconds hold."""
    with front(kind, tmp_path, behind(collector), ENDS[kind]) as proxy, proxy.connect(TELEMETRY) as slow:
        began = time.monotonic()
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {TELEMETRY}\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n"
        )
        slow.sendall(head.encode() + b"{")
        answered = slow.recv(65536)
    assert answered.split()[1] == b"408", answered
    assert 1.5 < time.monotonic() - began < 8


class _Mirror(http.server.BaseHTTPRequestHandler):
    """Answers with the headers that it was sent."""

    def do_GET(self) -> None:
        body = json.dumps({name.lower(): self.headers.get_all(name) for name in self.headers}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("kind", KINDS)
def test_the_collector_hears_the_connections_address_and_no_other(kind: str, tmp_path: Path) -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Mirror) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        place = f"127.0.0.1:{mirror.server_port}"
        places = {"collector:8080": place, "collector:8081": place, "grafana:3000": place}
        with front(kind, tmp_path, places) as running_front:
            said = {"X-Forwarded-For": "192.0.2.1, 127.0.0.1", "X-Forwarded-Proto": "http"}
            for host in (TELEMETRY, USAGE):
                status, text = running_front.ask("GET", "/", headers=said, host=host)
                heard = json.loads(text)
                assert (status, heard["x-forwarded-for"], heard["host"]) == (200, [STRANGER], [host])
                assert heard["x-forwarded-proto"] == ["https"]
            # Grafana would log it.
            text = running_front.ask("GET", "/", headers=said, host=GRAFANA)[1]
            assert (STRANGER in text, json.loads(text)["host"]) == (False, [GRAFANA])
        mirror.shutdown()


def test_times_are_no_shorter_than_the_collectors() -> None:
    """Else a proxy would end what the collector still waits for, and say so in words that no client knows."""
    settings = Settings()
    answer = settings.request_seconds + 30  # as long as the collector gives an answer to be read
    least = {
        "client_header_timeout": settings.idle_seconds,
        "client_body_timeout": settings.request_seconds,
        "proxy_send_timeout": settings.request_seconds,
        "proxy_read_timeout": answer,
        "read_header": settings.idle_seconds,
        "read_body": settings.request_seconds,
        "write": answer,
        "response_header_timeout": answer,
    }
    text = "".join(file.read_text(encoding="utf-8") for file in FILES.values())
    found = {name: int(value) for name, value in re.findall(r"^\s*(\w+) (\d+)s;?$", text, re.MULTILINE)}
    assert {name for name, seconds in least.items() if found[name] <= seconds} == set()
    # Idle connections to the collector are given up before it does that, so that no report meets a closing one.
    (nginx_idle,) = re.findall(r"keepalive 64;\s.*\s+keepalive_timeout (\d+)s", text)
    (caddy_idle,) = re.findall(r"keepalive (\d+)s", text)
    assert max(int(nginx_idle), int(caddy_idle)) < settings.idle_seconds


def test_nginx_which_stores_bodies_first_bounds_them_a_little_above_the_collectors_limit() -> None:
    assert re.findall(r"client_max_body_size 5m", FILES["nginx"].read_text())
    assert Settings().max_batch_bytes < 5_000_000


@pytest.mark.parametrize("given", ["", "tls /run/a /run/b"])
def test_caddy_gets_certificates_by_itself_unless_it_is_given_some(given: str, tmp_path: Path) -> None:
    if shutil.which("caddy") is None:
        missing("caddy is missing")
    command = ["caddy", "adapt", "--adapter", "caddyfile", "--config", FILES["caddy"]]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CERTIFICATE": given} | NAMES
    adapted = json.loads(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)
    (server,) = adapted["apps"]["http"]["servers"].values()
    assert server["listen"] == [":8443"]
    assert server["automatic_https"]["disable_redirects"] is True
    assert "skip" not in server["automatic_https"] or given
    loaded = adapted["apps"].get("tls", {}).get("certificates", {}).get("load_files", [])
    assert [one["certificate"] for one in loaded] == (["/run/a"] if given else [])
    assert adapted["logging"]["logs"]["default"]["include"] == ["tls.obtain", "tls.renew", "tls.issuance"]
