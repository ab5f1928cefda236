"""Everything that can be asked of a running collector, and what it answers."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from click.testing import CliRunner

from collector.cli.main import cli
from schemas.outcomes import Outcome
from tests.conftest import BIN, Server
from tests.leaks.beforehand import CLIENT
from tests.leaks.evidence import Evidence
from tests.leaks.needles import QUESTION, marker, text_needle
from tests.leaks.planted import KEY, Planted

_VERSIONS = ["--by", "product_version"]
_PAIRS = ["--product", "installbuilder", "--by", "product_version,os_version"]
_OF_A_DAY = ["--product", "wordpress", *_VERSIONS, "--grain", "day", "--from", "2020-01-01"]
_JSON = ["--format", "json"]
# As programs of their own: the longest way that their words go.
_PROGRAMS = (["usage", *_PAIRS], ["status"], ["doctor"])
# Beside a running serve a verb only asks it, and can be run in this process.
_VERBS = (
    *(["usage", *_PAIRS, "--format", form] for form in ("csv", "json")),
    *(["usage"], ["usage", *_VERSIONS, "--format", "csv"], ["usage", *_OF_A_DAY], ["usage", *_OF_A_DAY, *_JSON]),
    *(["status", *_JSON], ["doctor", *_JSON], ["publish"], ["publish", *_JSON], ["releases"], ["releases", *_JSON]),
    *(["quarantine", "list"], ["quarantine", "list", *_JSON], ["products", "list"], ["products", "list", *_JSON]),
)
_PROGRAMS_AFTERWARDS = (["usage", *_OF_A_DAY], ["doctor", *_JSON])


def send(server: Server, planted: Planted, evidence: Evidence) -> str | None:
    """Sends from an address that is looked for too; returns the outcome that the answer gives.

    One's own field name may come back, once, to oneself.
    """
    answer = exchange(server.ingest, planted.request, half_close=planted.outcome is None)
    if planted.echoes:
        answer = answer.replace(marker(planted.place).encode(), b"", 1)
    evidence.look(f"answer to {planted.place}", answer)
    return _outcome(answer)


def exchange(url: str, request: bytes, *, half_close: bool = False) -> bytes:
    """Sends a request that asks for the connection's end, and reads until then."""
    address = urlsplit(url)
    assert address.hostname
    received = []
    to = (address.hostname, address.port or 0)
    with contextlib.closing(socket.create_connection(to, 5, source_address=(CLIENT, 0))) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(request)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            while part := connection.recv(65_536):
                received.append(part)
    return b"".join(received)


def ask_loopback(server: Server, evidence: Evidence) -> dict[str, bytes]:
    """Good, wrong and hostile questions to the ports that answer on loopback only, and what they answer.

    They may repeat a wrong question to who asked it, so the hostile answers are not looked at: the log is. The token
    that opens the port is looked for from here on.
    """
    questions = ["", "product=wordpress&by=product_version&grain=day", "product=installbuilder&by=product_version"]
    questions += [f"product={QUESTION}", f"product=nginx&by={QUESTION}"]
    questions += [f"{name}={QUESTION}" for name in ("from", "to", "measure", "grain")]
    paths = [f"/v1/usage?{question}" for question in questions]
    paths += [f"/v1/usage?product=wordpress&by=product_version&format={form}" for form in ("json", "csv", "parquet")]
    paths += [f"/{QUESTION}", "/v1/products", "/v1/releases", "/v1/privacy", "/openapi.json", "/livez"]
    paths += ["/metrics", f"/metrics?{QUESTION}"]
    answers = {}
    opened = {"Authorization": f"Bearer {server.token}"}
    evidence.look_for_too(text_needle("token", server.token))
    for port, url in (("reports", server.reports), ("metrics", server.metrics)):
        for path in paths:
            head = {"Host": urlsplit(url).netloc, "Cookie": marker("apicookie"), "User_Agent": marker("apiagent")}
            answer = exchange(url, _get(path, **head, **opened))
            evidence.look(f"{port} answer to {path}", answer)
            answers[f"{port} {path}"] = answer
        noise = marker("apinoise").encode() * 9 + b"\r\n\r\n"
        for hostile in (noise, _get(f"/v1/usage?{QUESTION}=1"), _get("/", **{f"X {marker('apihead')}": KEY})):
            assert exchange(url, hostile)
    return answers


def _get(path: str, **headers: str) -> bytes:
    named = {"Host": "a", "Connection": "close"} | {name.replace("_", "-"): v for name, v in headers.items()}
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""]
    return "\r\n".join(lines).encode()


def ask_on_the_command_line(data: Path, evidence: Evidence, *, beside_serve: bool) -> None:
    """Verbs that tell something of the data, in every format."""
    when = "beside serve" if beside_serve else "after the end"
    for verb in _PROGRAMS if beside_serve else _PROGRAMS_AFTERWARDS:
        done = subprocess.run([BIN / "collector", *verb, "--data", str(data)], capture_output=True, check=False)
        evidence.look(f"command {when}, {' '.join(verb)}", done.stdout + done.stderr)
    for verb in _VERBS if beside_serve else ():
        told = CliRunner().invoke(cli, [*verb, "--data", str(data)])
        assert told.exit_code in {0, 1}, (verb, told.output)  # 1: doctor has something to say
        evidence.look(f"command {when}, {' '.join(verb)}", told.stdout_bytes + told.stderr_bytes)


def _outcome(answer: bytes) -> str | None:
    """Of a batch, what became of its best report; None for what is not in the answers' shape."""
    outcomes = [json.loads(line)["outcome"] for line in answer.splitlines() if line.startswith(b'{"outcome"')]
    return Outcome.ACCEPTED.value if Outcome.ACCEPTED.value in outcomes else next(iter(outcomes), None)
