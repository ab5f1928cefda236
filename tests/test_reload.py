"""SIGHUP: policy and catalogue are read again; no connection is dropped, and a mistake changes nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from schemas.catalogue import SHIPPED_CATALOGUE
from schemas.policy import SHIPPED_POLICY
from tests.conftest import Server, children, running

BOOT = "/v1/reports/image-boot/1"
GOOD = {"source": "vm", "product": "wordpress", "product_version": "6.4.2-0", "language": "de"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("reload")
    policy, catalogue = directory / "policy.toml", directory / "products.toml"
    policy.write_text(SHIPPED_POLICY.read_text(encoding="utf-8"), encoding="utf-8")
    catalogue.write_text(SHIPPED_CATALOGUE.read_text(encoding="utf-8"), encoding="utf-8")
    options = ["--policy", str(policy), "--catalogue", str(catalogue), "--workers", "2"]
    with running(directory / "data", *options) as server:
        yield server


def edit(server: Server, name: str, change: Callable[[str], str]) -> None:
    path = server.data.parent / name
    before = path.read_text(encoding="utf-8")
    after = change(before)
    assert after != before
    path.write_text(after, encoding="utf-8")


def reload(server: Server, result: str = "done") -> None:
    line = f'telemetry_reloads_total{{result="{result}"}}'
    before = server.metric(line)
    server.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 30
    while server.metric(line) == before:
        assert time.monotonic() < deadline, server.log.read_text()
        time.sleep(0.05)


def add_product(server: Server, name: str) -> None:
    entry = f'\n[products.{name}]\ntitle = "New"\npolicy = "vendor-privacy-policy"\nreport = "image-boot"\n'
    edit(server, "products.toml", lambda text: f'{text}{entry}sources = ["vm"]\nversion_line_parts = 2\n')
    reload(server)


@contextlib.contextmanager
def connections(server: Server, number: int = 6) -> Iterator[list[http.client.HTTPConnection]]:
    """Open connections, enough to be spread over the workers."""
    made = [http.client.HTTPConnection(urlsplit(server.ingest).netloc, timeout=30) for _ in range(number)]
    try:
        for one in made:
            assert ask(one, "GET", "/livez") == (200, {"alive": True})
        yield made
    finally:
        for one in made:
            one.close()


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: object = None) -> tuple[int, object]:
    headers = {"Content-Type": "application/json"} if body else {}
    connection.request(method, path, json.dumps(body) if body else None, headers)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def withdraw_language(text: str) -> str:
    head, field, rest = text.partition('field = "language"\n')
    return f"{head}{field}withdrawn = true\n{rest}"


def permitted_fields(connection: http.client.HTTPConnection) -> set[str]:
    answer = ask(connection, "GET", "/v1/policy")[1]
    assert isinstance(answer, dict)
    return set(answer["reports"]["image-boot/1"]["fields"])


def test_withdrawn_field_is_blanked_from_that_moment_on_open_connections(server: Server) -> None:
    with connections(server) as open_before:
        sockets = [one.sock for one in open_before]
        assert "language" in permitted_fields(open_before[0])
        edit(server, "policy.toml", withdraw_language)
        reload(server)
        blanked = 'telemetry_fields_blanked_total{report="image-boot/1"}'
        assert server.metric(blanked) == 0
        for one in open_before:
            assert ask(one, "POST", BOOT, GOOD) == (202, {"outcome": "accepted"})
        assert server.metric(blanked) == len(open_before)
        assert "language" not in permitted_fields(open_before[0])
        assert [one.sock for one in open_before] == sockets


def expire_languages(text: str) -> str:
    """The policy with the permits of `language` as nobody reviewed them for a year."""
    head, *parts = text.split('field = "language"\n')
    for old, new in (("last_review = 2026-11-02", "last_review = 2024-11-02"), ("2028-11-30", "2025-11-30")):
        parts = [part.replace(old, new, 1) for part in parts]
    return 'field = "language"\n'.join([head, *parts])


def test_permit_that_has_expired_is_said_at_start_and_reload_and_the_field_is_still_taken(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(expire_languages(SHIPPED_POLICY.read_text(encoding="utf-8")), encoding="utf-8")
    with running(tmp_path / "data", "--policy", str(policy)) as server:
        for times in (1, 2):
            said = [json.loads(line) for line in server.log.read_text().splitlines() if "permit_expired" in line]
            owners = [line["owner"] for line in said]
            assert (
                sorted(owners) == ["InstallBuilder product management"] * times + ["image product management"] * times
            )
            assert {(e["level"], e["field"], e["expires"]) for e in said} == {("error", "language", "2025-11-30")}
            reload(server)
        with connections(server, 1) as (one,):
            assert ask(one, "POST", BOOT, GOOD)[0] == 202
            assert "language" in permitted_fields(one)
        assert server.metric('telemetry_fields_blanked_total{report="image-boot/1"}') == 0


def test_product_that_is_added_may_report_at_once(server: Server) -> None:
    new = GOOD | {"product": "brand-new"}
    with connections(server) as open_before:
        assert ask(open_before[0], "POST", BOOT, new)[0] == 422
        add_product(server, "brand-new")
        for one in open_before:
            assert ask(one, "POST", BOOT, new)[0] == 202


def test_file_with_a_mistake_changes_nothing_and_the_log_says_what_is_wrong(server: Server) -> None:
    mark = (server.data / "run" / "configuration").read_text()
    edit(server, "products.toml", lambda text: text + "\n[products.half]\n")
    reload(server, "refused")
    assert "products.half.title" in server.log.read_text()
    assert (server.data / "run" / "configuration").read_text() == mark
    with connections(server, 1) as (one,):
        assert ask(one, "POST", BOOT, GOOD)[0] == 202
    edit(server, "products.toml", lambda text: text.replace("\n[products.half]\n", ""))
    reload(server)


def test_process_that_is_started_again_works_with_what_was_accepted_not_with_a_broken_file(server: Server) -> None:
    add_product(server, "added-before")
    edit(server, "products.toml", lambda text: text + "\n[products.half]\n")
    reload(server, "refused")
    for pid in children(server.process.pid):
        os.kill(pid, signal.SIGKILL)
    with connections(server) as several:  # they wait for the next workers
        for one in several:
            assert ask(one, "POST", BOOT, GOOD | {"product": "added-before"})[0] == 202
    assert "cannot_start" not in server.log.read_text()
    edit(server, "products.toml", lambda text: text.replace("\n[products.half]\n", ""))
    reload(server)


def test_no_report_fails_while_the_configuration_is_read_again_and_again(server: Server) -> None:
    with connections(server) as several:
        for _ in range(5):
            server.process.send_signal(signal.SIGHUP)
            for one in several:
                assert ask(one, "POST", BOOT, GOOD)[0] == 202
    reload(server)
    assert Path(f"/proc/{server.process.pid}").exists()
