"""The real commands beside a real `serve`."""

from __future__ import annotations

import datetime as dt
import json
import re
import stat
import subprocess
import threading
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.conftest import BIN, Server, collector

TODAY = dt.datetime.now(dt.UTC).date()


def run(server: Server, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return collector(*arguments, "--data", str(server.data), check=check)


def status(server: Server, token: str, path: str = "/v1/releases") -> int:
    request = urllib.request.Request(f"{server.reports}{path}", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def closed(answer: dict) -> list:
    """The releases of closed periods: the open day so far is out soon after 06, 12 and 18 UTC."""
    return [one for one in answer["releases"] if not one["grain"].startswith("so_far")]


def test_running_serve_demands_sign_in(server: Server) -> None:
    for path in ("/v1/releases", "/v1/usage", "/v1/privacy"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{server.reports}{path}").close()
        with refused.value as answer:
            assert answer.code == 401
            assert answer.headers["Server"] == "product-telemetry"
            assert "collector token create" in json.load(answer)["error"]
    with urllib.request.urlopen(f"{server.reports}/") as page:
        assert urllib.parse.urlsplit(page.url).path == "/sign-in"
    with server.ask("/v1/releases") as answer:
        assert closed(json.load(answer)) == []
    local = collector("releases", "--data", str(server.data), "--format", "json")
    assert closed(json.loads(local.stdout)) == [], "commands of the directory's owner need none"


def test_token_is_made_listed_and_revoked_beside_a_running_serve(server: Server) -> None:
    made = run(server, "token", "create", "alice", "--days", "30")
    token = made.stdout.removesuffix("\n")
    assert re.fullmatch("ptel_[0-9a-f]{64}", token), "nothing else on standard output"
    assert token not in made.stderr
    assert f"alice (viewer, until {TODAY + dt.timedelta(days=30)})" in made.stderr
    assert status(server, token) == 200
    again = run(server, "token", "create", "ALICE", check=False)
    assert (again.returncode, again.stdout) == (2, "")
    assert "revoke it first" in again.stderr
    as_json = json.loads(run(server, "token", "create", "bob", "--role", "admin", "--format", "json").stdout)
    assert (as_json["name"], as_json["role"], as_json["live"]) == ("bob", "admin", True)
    assert status(server, as_json["token"]) == 200
    for form in ("text", "json"):
        listed = run(server, "token", "list", "--format", form)
        assert "alice" in listed.stdout
        assert "ptel_" not in listed.stdout + listed.stderr
    revoked = run(server, "token", "revoke", "alice")
    assert "opens nothing any more" in revoked.stdout
    assert status(server, token) == 401
    assert run(server, "token", "revoke", "alice", check=False).returncode == 2
    run(server, "token", "revoke", str(as_json["id"]))
    assert status(server, as_json["token"]) == 401
    tokens = {one["name"]: one for one in json.loads(run(server, "token", "list", "--format", "json").stdout)["tokens"]}
    assert (tokens["alice"]["revoked_on"], tokens["alice"]["live"]) == (str(TODAY), False)
    assert tokens["alice"]["last_used_on"] in {str(TODAY), None}


def test_many_commands_at_once_beside_a_serve_that_is_asked(server: Server) -> None:
    token = server.token
    stop = threading.Event()
    answers: list[int] = []

    def ask() -> None:
        while not stop.is_set():
            answers.append(status(server, token))

    asking = threading.Thread(target=ask)
    asking.start()
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda n: run(server, "token", "create", f"many{n}"), range(4)))
    stop.set()
    asking.join()
    assert set(answers) == {200}
    assert len({one.stdout for one in made}) == 4


def test_values_are_hidden_by_command(server: Server) -> None:
    value = ["--product", "wordpress", "--field", "product_version", "--value", "6.4-jane"]
    first = run(server, "hide", "add", *value, "--reason", "a name")
    assert (first.stdout, first.stderr) == ("hidden\n", "")
    assert run(server, "hide", "add", *value).stdout == "was hidden before\n"
    (one,) = json.loads(run(server, "hide", "list", "--format", "json").stdout)["hidden"]
    assert (one["value"], one["reason"], one["hidden_on"]) == ("6.4-jane", "a name", str(TODAY))
    assert "6.4-jane" in run(server, "hide", "list").stdout
    assert run(server, "hide", "remove", *value).stdout == "shown again\n"
    assert run(server, "hide", "remove", *value, check=False).returncode == 2
    assert "nothing is hidden" in run(server, "hide", "list").stdout
    misspelt = run(server, "hide", "add", "--product", "wordpres", *value[2:])
    assert (misspelt.stdout, "did you mean wordpress?" in misspelt.stderr) == ("hidden\n", True)
    bad = run(server, "hide", "add", *value[:-1], "a\x1b[31m", check=False)
    assert (bad.returncode, "\x1b" in bad.stderr) == (2, False)


def test_audit_tells_who_asked_what_and_the_files_hold_no_secret(server: Server) -> None:
    secret = run(server, "token", "create", "carol").stdout.strip()
    status(server, secret, "/v1/usage?product=nginx&by=language")
    status(server, "ptel_" + "0" * 64)
    form = urllib.parse.urlencode({"token": secret}).encode()
    request = urllib.request.Request(f"{server.reports}/sign-in", form, {"Origin": server.reports})
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    jar = next(handler for handler in opener.handlers if isinstance(handler, urllib.request.HTTPCookieProcessor))
    try:
        opener.open(request).close()
    except urllib.error.HTTPError as error:
        error.close()
    (cookie,) = jar.cookiejar
    server.stop()  # what waits is written
    lines = json.loads(run(server, "audit", "--format", "json").stdout)["lines"]
    asked = [line for line in lines if line["who"] == "carol" and line["event"] == "viewed"]
    assert (asked[0]["path"], asked[0]["query"]) == ("/v1/usage", "product=nginx&by=language")
    assert (asked[0]["role"], asked[0]["how"]) == ("viewer", "token")
    assert {"signed_in", "sign_in_failed", "token_created"} <= {line["event"] for line in lines}
    text = run(server, "audit", "--since", str(TODAY - dt.timedelta(days=1)))
    assert "carol" in text.stdout
    assert "no lines since" in run(server, "audit", "--since", str(TODAY + dt.timedelta(days=2))).stdout
    for path in [server.log, *(found for found in server.data.rglob("*") if found.is_file())]:
        content = path.read_bytes()
        for given in (secret, secret[5:], str(cookie.value), server.token):
            assert given.encode() not in content, path.name
    for given in (secret, cookie.value, "127.0.0.1"):
        assert str(given) not in json.dumps(lines)
    assert stat.S_IMODE((server.data / "access.sqlite").stat().st_mode) == 0o600


def test_command_without_data_says_what_to_do(tmp_path: Path) -> None:
    for arguments in (["token", "create", "alice"], ["audit"]):
        result = collector(*arguments, "--data", str(tmp_path / "nothing"), check=False)
        assert (result.returncode, result.stdout) == (2, "")
        assert "`collector serve` or `collector simulate` makes some" in result.stderr
    assert not (tmp_path / "nothing").exists()


def test_file_that_is_open_to_others_stops_command_and_serve(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "spool").mkdir(parents=True)
    (data / "access.sqlite").touch(mode=0o644)
    listed = collector("token", "list", "--data", str(data), check=False)
    assert (listed.returncode, "chmod 600" in listed.stderr) == (2, True)
    ports = ["--ingest-port", "0", "--reports-port", "0", "--metrics-port", "0"]
    serve = subprocess.run(
        [BIN / "collector", "serve", "--data", data, *ports], capture_output=True, text=True, check=False, timeout=60
    )
    assert serve.returncode != 0
    assert "chmod 600" in serve.stderr
    assert "Traceback" not in serve.stderr
