"""`collector usage` against a directory, beside a running `serve`, and at an address, over real HTTP and TLS."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import io
import json
import os
import pty
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pandas as pd
import pytest
import trustme

from collector.cli.sparkline import sparkline
from collector.cli.usage_table import as_text
from tests.conftest import BIN, Server, running
from tests.made_up_summer import TODAY, made_up_summer

MONTHLY = ("--product", "wordpress", "--grain", "month", "--from", str(TODAY - dt.timedelta(days=70)))
# With an end: `serve` may release the open day so far while it is asked.
DAILY = ("--grain", "day", "--from", str(TODAY - dt.timedelta(days=20)), "--to", str(TODAY - dt.timedelta(days=1)))
QUESTIONS = [
    (*DAILY, "--product", "wordpress", "--by", "product_version"),
    (*MONTHLY, "--by", "os_version", "--compare", "previous"),
    ("--grain", "quarter", "--from", str(TODAY - dt.timedelta(days=150))),
    ("--grain", "year", "--top", "3"),
]
MADE_UP = "ptel_made-up-by-a-test"
FORMS = ("json", "csv", "parquet")
ASKED = [*((question, "json") for question in QUESTIONS), *((QUESTIONS[1], form) for form in ("csv", "parquet"))]


def usage(*options: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """The real command, with what it wrote as bytes."""
    command = [BIN / "collector", "usage", *options]
    return subprocess.run(command, capture_output=True, env=os.environ | environment, check=False)


def refused(*options: str, **environment: str) -> str:
    """What the command says when it ends with exit code 2."""
    result = usage(*options, **environment)
    assert result.returncode == 2, result.stdout
    assert not result.stdout
    return result.stderr.decode()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[tuple[str, ...], bytes]]]:
    """A made-up summer: what the command answers from the directory alone, and then a `serve` on it."""
    data = made_up_summer(tmp_path_factory)
    alone = {}
    for question, form in ASKED:
        result = usage("--data", str(data), *question, "--format", form)
        assert result.returncode == 0, result.stderr
        alone[*question, form] = result.stdout
    with running(data) as server:
        yield server, alone


@pytest.fixture(scope="module")
def server(world: tuple[Server, dict[tuple[str, ...], bytes]]) -> Server:
    return world[0]


@pytest.mark.parametrize(("question", "form"), ASKED)
def test_directory_socket_and_address_give_the_same_bytes(
    world: tuple[Server, dict[tuple[str, ...], bytes]], question: tuple[str, ...], form: str
) -> None:
    server, alone = world
    names = [name.removeprefix("--") for name in question[::2]]
    parameters = dict(zip(names, question[1::2], strict=True)) | {"format": form}
    api = server.ask(f"/v1/usage?{urlencode(parameters)}").read()
    socket = usage("--data", str(server.data), *question, "--format", form)
    address = usage("--url", server.reports, *question, "--format", form, COLLECTOR_TOKEN=server.token)
    assert (socket.returncode, address.returncode) == (0, 0), socket.stderr + address.stderr
    if form != "parquet":
        assert alone[*question, form] == api
        assert socket.stdout == api
        assert address.stdout == api
    # Parquet's own metadata may differ between two writings; its rows may not.
    if form == "parquet":
        frames = [pd.read_parquet(io.BytesIO(b)) for b in (api, alone[*question, form], socket.stdout, address.stdout)]
        assert len(frames[0])
        for frame in frames[1:]:
            pd.testing.assert_frame_equal(frame, frames[0])


def test_top_reaches_the_api_in_every_format_but_the_table(server: Server) -> None:
    options = ["--data", str(server.data), "--grain", "month", "--top", "2"]
    answer = json.loads(usage(*options, "--format", "json").stdout)
    assert len(answer["cells"]) == 2
    assert len(usage(*options, "--format", "csv").stdout.splitlines()) == 3
    assert b"more; --top" in usage(*options).stdout


def test_output_goes_to_a_file_in_every_format(server: Server, tmp_path: Path) -> None:
    for form in ("table", *FORMS):
        result = usage("--data", str(server.data), *MONTHLY, "--format", form, "--output", str(tmp_path / form))
        assert (result.returncode, result.stdout) == (0, b""), result.stderr
    assert (tmp_path / "json").read_bytes() == usage("--data", str(server.data), *MONTHLY, "--format", "json").stdout
    months = pd.read_parquet(tmp_path / "parquet")["period"]
    assert len(months) >= 2
    text = (tmp_path / "table").read_text("utf-8")
    assert all(f"{month:%B %Y}" in text for month in months)
    missing = refused("--data", str(server.data), "--output", str(tmp_path / "no" / "x"))
    assert "cannot be written: No such file or directory" in missing


def on_a_terminal(*options: str, **environment: str) -> tuple[int, str]:
    """Exit code and what a person sees."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [BIN / "collector", "usage", *options],
        stdout=secondary,
        stderr=secondary,
        env=os.environ | {"COLUMNS": "100", "TERM": "xterm"} | environment,
    )
    os.close(secondary)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal is gone when the program has ended
        while chunk := os.read(primary, 65536):
            shown += chunk
    os.close(primary)
    return process.wait(), shown.decode()


def test_parquet_is_refused_on_a_terminal_and_json_indented(server: Server) -> None:
    code, shown = on_a_terminal("--data", str(server.data), "--format", "parquet")
    assert code == 2
    assert "--output FILE" in shown
    code, shown = on_a_terminal("--data", str(server.data), "--format", "json")
    assert code == 0
    assert '\r\n  "measure": "boots"' in shown


def test_several_periods_end_with_a_line_for_each_value(server: Server) -> None:
    text = usage("--data", str(server.data), *MONTHLY).stdout.decode()
    assert "; each line from 0 to its own largest value" in text
    one = usage("--data", str(server.data), "--product", "wordpress", "--grain", "month").stdout.decode()
    assert "each line" not in one
    plain = usage("--data", str(server.data), *MONTHLY, PYTHONIOENCODING="ascii").stdout
    assert plain.isascii()
    assert b"\x1b" not in plain


def test_without_a_token_it_says_where_tokens_come_from(server: Server) -> None:
    said = refused("--url", server.reports)
    assert "a token is needed" in said
    assert "`collector token create`" in said
    assert "COLLECTOR_TOKEN" in said
    assert "the token is not valid, or no longer" in refused("--url", server.reports, COLLECTOR_TOKEN=MADE_UP)


def test_token_comes_from_a_file_that_others_cannot_read(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(server.token + "\n")
    file.chmod(0o644)
    said = refused("--url", server.reports, "--token-file", str(file))
    assert "is open to others; chmod it to 600" in said
    file.chmod(0o600)
    assert b"boots by product" in usage("--url", server.reports, "--token-file", str(file)).stdout
    file.write_text("not a\ntoken")
    said = refused("--url", server.reports, "--token-file", str(file))
    assert "does not hold a token" in said
    assert "not a" not in said.replace("does not hold a token", "")


def test_what_the_collector_refuses_is_shown_in_its_words(server: Server) -> None:
    said = refused("--url", server.reports, "--by", "language,source", COLLECTOR_TOKEN=server.token)
    assert "boots are published by product alone and by:" in said


def test_mistyped_product_is_pointed_out_at_an_address_too(server: Server) -> None:
    result = usage("--url", server.reports, "--product", "wordpres", COLLECTOR_TOKEN=server.token)
    assert b"did you mean wordpress?" in result.stderr
    assert b"No value is shown" in result.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--url", "http://telemetry.example.com"), "plain http is for this machine alone"),
        (("--url", "http://127.0.0.1.example.com"), "plain http is for this machine alone"),
        (("--url", "ftp://127.0.0.1"), "is not an address such as"),
        (("--url", "http://"), "is not an address such as"),
        (("--url", "http://[::1"), "is not an address such as"),
        (("--url", "https://127.0.0.1:99999"), "is not an address such as"),
        (("--url", "https://user:word@example.com"), "holds a user or password"),
        (("--url", "https://example.com/?product=x"), "is the collector's address alone"),
        (("--url", "https://does-not-exist.invalid"), "the name has no address"),
        (("--url", "http://127.0.0.1:9"), "cannot be reached: Connection refused"),
        (("--url", "http://127.0.0.1:9", "--data", "x"), "leave out --data"),
        (("--token-file", "x"), "is for a collector that is asked with --url"),
        (("--url", "http://127.0.0.1:9", "--token-file", "does-not-exist"), "cannot be read: No such file"),
        (("--url", "http://127.0.0.1:9", "--from", "yesterday"), "'from' is not a date"),
    ],
)
def test_nonsense_is_one_clear_line(options: tuple[str, ...], said: str) -> None:
    told = refused(*options)
    assert said in told
    assert len(told.splitlines()) == 1


def test_asking_at_an_address_needs_no_settings_of_a_collector(server: Server, tmp_path: Path) -> None:
    """A product manager's machine has none, and its directories may have long names."""
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    command = [BIN / "collector", "usage", "--url", server.reports]
    environment = os.environ | {"COLLECTOR_TOKEN": server.token}
    subprocess.run(command, cwd=deep, env=environment, check=True, capture_output=True)
    assert not list(deep.iterdir())


Answer = tuple[int, dict[str, str], bytes]


@contextlib.contextmanager
def stranger(answer: Callable[[str], Answer], tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[Any]]]:
    """A web server that is no collector: its address, and the paths and tokens it was sent."""
    heard: list[tuple[str, str | None]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append((self.path, self.headers["Authorization"]))
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    class Listening(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            return  # a client that does not trust it hangs up

    server = Listening(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


JSON = {"Content-Type": "application/json"}


def test_token_does_not_follow_a_redirect() -> None:
    def elsewhere(path: str) -> Answer:
        return (200, JSON, b"{}") if path == "/other" else (302, {"Location": "/other"}, b"")

    with stranger(elsewhere) as (url, heard):
        assert "points to another address" in refused("--url", url, COLLECTOR_TOKEN=MADE_UP)
    assert heard == [("/v1/usage", f"Bearer {MADE_UP}")]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {"Content-Type": "text/html"}, b"<p>It works!"), "does not answer like a collector (status 200)"),
        ((404, {}, b""), "does not answer like a collector (status 404)"),
        ((200, JSON, b"{}"), "is not an answer of a collector"),
        ((200, JSON, b"\xff{"), "is not an answer of a collector"),
        ((503, JSON, b'{"error": "the store\\u001b[31m is away"}'), "could not answer (503): the store [31m is away"),
        ((400, JSON, b"[1]"), "does not answer like a collector (status 400)"),
    ],
)
def test_what_is_no_collector_is_said_to_be_none(answer: Answer, said: str) -> None:
    with stranger(lambda _: answer) as (url, _):
        assert said in refused("--url", url)


def test_certificate_is_verified_before_the_token_is_sent(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with stranger(lambda _: (503, JSON, b'{"error": "busy"}'), context) as (url, heard):
        assert "its certificate is not trusted" in refused("--url", url, COLLECTOR_TOKEN=MADE_UP)
        assert heard == []
        trusted = {"SSL_CERT_FILE": str(tmp_path / "ca.pem"), "NO_PROXY": "127.0.0.1"}
        assert "could not answer (503): busy" in refused("--url", url, COLLECTOR_TOKEN=MADE_UP, **trusted)
        assert [token for _, token in heard] == [f"Bearer {MADE_UP}"]


def test_plain_http_does_not_go_through_a_proxy() -> None:
    with stranger(lambda _: (200, JSON, b"{}")) as (proxy, heard):
        proxies = dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy"), proxy)
        refused("--url", "http://127.0.0.1:9", COLLECTOR_TOKEN=MADE_UP, **proxies)
    assert heard == []


def test_token_is_in_no_list_of_processes_and_no_error() -> None:
    with stranger(lambda _: (time.sleep(1), (500, {}, b""))[1]) as (url, _):
        command = [BIN / "collector", "usage", "--url", url]
        environment = os.environ | {"COLLECTOR_TOKEN": MADE_UP}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert MADE_UP.encode() not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
        out, errors = process.communicate(timeout=30)
    assert MADE_UP.encode() not in out + errors


def answer_of(cells: list[dict[str, Any]], **other: Any) -> dict[str, Any]:
    usual = {
        "measure": "boots",
        "means": "boots and container starts",
        "grain": "quarter",
        "fields": ["product"],
        "periods": ["2026-07-01"],
        "incomplete": [],
        "cells": cells,
        "remainder": [],
        "so_far": None,
        "available": {"month": ["2026-05-01", "2026-09-01"]},
        "notes": [],
        "simulated": False,
    }
    return usual | other


def cell(value: int | None, **other: Any) -> dict[str, Any]:
    return {"period": "2026-07-01", "product": "wordpress", "value": value, "error": value and 10} | other


def test_quarter_without_a_value_says_how_much_of_it_is_released() -> None:
    cells = [cell(None, released_months=2, months=3), cell(300, product="nginx", released_months=3, months=3)]
    text = as_text(answer_of(cells), None, 20, "utf-8")
    assert "2026 Q3" in text
    assert "2 of 3 months released" in text
    assert "300         ± 10" in text
    assert "Newer numbers" not in text, "September is in this quarter"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((150, 50, 15), "+50 ± 15"),
        ((50, -50, 15), "-50 ± 15"),
        ((115, 15, 15), "no clear change"),
        ((85, -15, 15), "no clear change"),
        ((100, None, None), "not shown before"),
    ],
)
def test_change_within_its_error_is_no_clear_change(values: tuple[int, int | None, int | None], said: str) -> None:
    value, change, error = values
    previous = None if change is None else value - change
    compared = cell(value, previous=previous, change=change, change_error=error)
    text = as_text(answer_of([compared], grain="month"), None, 20, "utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("  wordpress")]
    assert said in line
    assert "A change is against the month before" in text


def test_summary_keeps_a_gap_where_a_value_is_not_shown() -> None:
    periods = [f"2026-0{month}-01" for month in range(5, 10)]
    values = [100, 400, None, 800, 800]
    cells = [cell(value, period=p) for p, value in zip(periods, values, strict=True) if value]
    rare = [cell(50, period=periods[0], product="redis")]
    answer = answer_of(cells + rare, grain="month", periods=periods)
    text = as_text(answer, None, 20, "utf-8")
    assert "▂▅·██" in text
    assert "May 2026 to September 2026; each line from 0 to its own largest value, · where none is shown" in text
    assert "redis       █····           ·" in text, "what is not shown last has no number"
    assert "25.88" in as_text(answer, None, 20, "ascii")


def test_summary_does_not_fall_to_a_month_that_lacks_days() -> None:
    periods = [f"2026-0{month}-01" for month in range(7, 10)]
    cells = [cell(value, period=p) for p, value in zip(periods, [400, 800, 90], strict=True)]
    text = as_text(answer_of(cells, grain="month", periods=periods, incomplete=periods[2:]), None, 20, "utf-8")
    assert "last complete" in text
    assert "▅█·" in text
    assert "· where none is shown or the period is incomplete" in " ".join(text.split())
    (line,) = [line for line in text.splitlines() if "▅█·" in line]
    assert "800 ± 10" in line


def test_line_is_measured_from_zero() -> None:
    assert sparkline([1000, 1010, 990], blocks=True) == "███", "noise is not stretched to a mountain"
    assert sparkline([1, 500, 1000], blocks=True) == "▁▅█"
    assert sparkline([0, 0], blocks=True) == "▁▁"
    assert sparkline([], blocks=False) == ""
    assert sparkline([None, 5], blocks=False) == ".8"
