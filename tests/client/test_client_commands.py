"""The command line as a person or a boot script meets it: real processes, real exit codes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import telemetry_client
from telemetry_client.machine import Machine
from telemetry_client.state import State, state_directory

if TYPE_CHECKING:
    from conftest import Cli, Collector, Place

FACTS = ("--product", "wordpress", "--product-version", "6.4.2-0")
KEY = "CANARY-0000-1111-2222"
PACKAGE = Path(telemetry_client.__file__).parent
README = Path(__file__).parents[2] / "client_sdk" / "README.md"


def test_show_prints_the_body_that_send_then_sends(cli: Cli, collector: Collector, place: Place) -> None:
    place("/etc/os-release", "ID=debian\nVERSION_ID=12\n")
    environ = {"LANG": "pt_BR.UTF-8"}
    cli("on")
    shown = json.loads(cli("show", "--format", "json", "--url", collector.url, *FACTS, env=environ).stdout)
    cli("send", "--url", collector.url, *FACTS, env=environ)
    body, sent = shown["body"], collector.received[0].body.decode()
    ids = re.compile(r'"report_id":"[0-9a-f-]{36}"')
    assert ids.sub("", body) == ids.sub("", sent)
    assert len(body) == shown["body_bytes"] == len(sent)
    assert shown["would_be_sent"]
    assert shown["url"] == collector.url + collector.received[0].path
    assert {field["field"]: field["from"] for field in shown["fields"]}["os_version"] == "/etc/os-release"
    assert all(field["purpose"] and field["clause"] for field in shown["fields"])


def test_show_for_people_names_everything(cli: Cli) -> None:
    text = cli("show", *FACTS, "--url", "https://telemetry.example.com").stdout
    for words in (
        "image-boot/1",
        "/v1/reports/image-boot/1",
        "no: nobody has switched it on",
        "6.4.2-0",
        "given by",
    ):
        assert words in text
    assert re.search(r"Policy .* of \d{4}-\d\d-\d\d", text)
    assert "Contact" in text
    assert "@" in text


def test_show_says_what_is_missing_and_what_is_left_out(cli: Cli, place: Place) -> None:
    place("/etc/os-release", "ID='Not Permitted'\n")
    text = cli("show").stdout
    assert "product          missing, and needed" in text
    assert "os_version       what /etc/os-release says does not have the field's format" in text


@pytest.mark.parametrize("form", ["text", "json"])
def test_show_masks_the_key_unless_asked(form: str, cli: Cli) -> None:
    facts = (
        "--format",
        form,
        "--product",
        "installbuilder",
        "--product-version",
        "23.1.0",
        "--license-key-stdin",
    )
    assert KEY not in cli("show", *facts, stdin=KEY + "\n").stdout
    assert KEY in cli("show", *facts, "--reveal-key", stdin=KEY + "\n").stdout


@pytest.mark.parametrize("way", ["stdin", "environment"])
def test_a_key_comes_from_stdin_or_environment_and_is_in_no_file_and_no_output(
    way: str, cli: Cli, collector: Collector, tmp_path: Path
) -> None:
    cli("on")
    collector.answer(503)
    facts = ["--url", collector.url, "--product", "installbuilder", "--product-version", "23.1.0"]
    if way == "stdin":
        done = cli("send", *facts, "--license-key-stdin", stdin=KEY)
    else:
        done = cli("send", *facts, env={"TELEMETRY_LICENSE_KEY": KEY})
    assert collector.received[0].fields["license_key"] == KEY
    assert KEY not in done.stdout + done.stderr
    assert "tried once and never kept" in done.stdout
    assert not any(b"CANARY" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


@pytest.mark.parametrize("arguments", [("--license-key", KEY), (f"--license-key={KEY}",), (KEY,)])
def test_a_key_as_argument_is_refused_and_not_repeated(arguments: tuple[str, ...], cli: Cli) -> None:
    done = cli("send", *FACTS, *arguments)
    assert done.returncode == 2
    assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--url", "http://telemetry.example.com", *FACTS),
        ("--url", "https://user@telemetry.example.com", *FACTS),
        ("--source", "toaster", *FACTS),
        ("--timeout", "soon", *FACTS),
        ("--timeout", "0", *FACTS),
        ("--url", "http://127.0.0.1:9"),
        ("--url", "http://127.0.0.1:9", "--product", "Word Press", "--product-version", "1"),
        FACTS,
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: tuple[str, ...], cli: Cli) -> None:
    State(str(cli.state)).choose(is_on=True, now=1)
    assert cli("send", *arguments).returncode == 2


def test_no_command_is_wrong_usage_and_help_teaches() -> None:
    run = [sys.executable, "-m", "telemetry_client"]
    environ = {"PYTHONPATH": str(PACKAGE.parent)}
    assert subprocess.run(run, env=environ, capture_output=True, check=False).returncode == 2
    text = subprocess.run([*run, "--help"], env=environ, capture_output=True, text=True, check=True).stdout
    for words in (
        "examples:",
        "telemetry-client show",
        "telemetry-client off",
        "--dry-run",
        "--license-key-stdin",
    ):
        assert words in text


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "https://telemetry.invalid"])
def test_network_trouble_is_exit_code_0_and_said(url: str, cli: Cli) -> None:
    cli("on")
    done = cli("send", "--timeout", "2", "--url", url, *FACTS)
    assert done.returncode == 0
    assert "not sent" in done.stdout
    assert "waits in the outbox" in done.stdout


def test_a_dry_run_is_validated_and_nothing_is_kept(cli: Cli, collector: Collector) -> None:
    cli("on")
    send = ("send", "--dry-run", "--format", "json", "--url", collector.url, *FACTS)
    assert json.loads(cli(*send).stdout)["outcome"] == "valid"
    collector.answer(422, body=b'{"outcome":"unknown_product","field":"product"}')
    told = json.loads(cli(*send).stdout)
    assert told["outcome"] == "refused"
    assert "unknown_product, product" in told["message"]
    collector.answer(503)
    cli(*send)
    assert [received.path for received in collector.received] == ["/v1/reports/image-boot/1?dry_run=1"] * 3
    assert not (cli.state / "outbox").exists()


def test_status_tells_decision_collector_and_outbox(cli: Cli, collector: Collector) -> None:
    before = json.loads(cli("status", "--format", "json").stdout)
    assert (before["telemetry"], before["rule"]) == ("off", "nothing")
    cli("on")
    collector.answer(503, {"Retry-After": "100"})
    cli("send", "--url", collector.url, *FACTS)
    told = json.loads(cli("status", "--format", "json", "--url", collector.url).stdout)
    assert (told["telemetry"], told["rule"], told["outbox"]["reports"]) == ("on", "stored", 1)
    assert 90 <= told["seconds_to_wait"] <= 100
    assert told["collector"] == collector.url
    text = cli("status", "--url", "https://telemetry.example.com").stdout
    assert "1 waiting" in text
    assert "certificate always verified" in text


def test_a_reader_that_goes_away_is_no_error(cli: Cli) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "telemetry_client", "show", "--state-dir", str(cli.state)],
            env={"PYTHONPATH": str(PACKAGE.parent)},
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("properties", "environ", "expected"),
    [
        ({"is_root": True}, {"HOME": "/root"}, "ROOT/var/lib/telemetry-client"),
        ({"is_root": True}, {"TELEMETRY_STATE_DIR": "/srv/t"}, "/srv/t"),
        ({}, {"HOME": "/home/ann", "XDG_STATE_HOME": "/x"}, "/x/telemetry-client"),
        ({}, {"HOME": "/home/ann", "XDG_STATE_HOME": "relative"}, "/home/ann/.local/state/telemetry-client"),
        ({}, {"HOME": "/home/ann"}, "/home/ann/.local/state/telemetry-client"),
        ({}, {}, ""),
    ],
)
def test_where_state_lives(properties: dict[str, Any], environ: dict[str, str], expected: str, tmp_path: Path) -> None:
    machine = Machine(root=str(tmp_path), environ=environ, **properties)
    assert state_directory(machine) == expected.replace("ROOT", str(tmp_path))
    assert state_directory(machine, "/given") == "/given"


def test_the_api_reports_a_boot(collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("TELEMETRY") or name in ("CI", "DO_NOT_TRACK", "GITHUB_ACTIONS"):
            monkeypatch.delenv(name)
    settings = {"url": collector.url, "state_dir": str(tmp_path)}
    assert telemetry_client.report_boot("wordpress", "6.4.2-0", **settings).fate.value == "opted out"
    assert collector.connections == 0
    (tmp_path / "consent").write_text("choice = on\nchosen_at = 1\n")
    assert telemetry_client.report_boot("wordpress", "6.4.2-0", **settings).is_accepted
    assert telemetry_client.report_run("23.1.0", license_key=KEY, **settings).is_accepted
    assert collector.received[1].path == "/v1/reports/installbuilder-run/1"
    assert "source" not in collector.received[1].fields


@pytest.mark.parametrize("bad", [{"product": 5}, {"url": 7}, {"state_dir": b"\xff"}, {"config": 3.5}])
def test_the_api_never_raises(bad: dict[str, Any]) -> None:
    result = telemetry_client.report_boot(**bad, seconds=2.0)
    assert result.fate.value in ("failed", "opted out")


def test_readme_names_every_environment_variable_command_and_limit() -> None:
    text = README.read_text(encoding="utf-8")
    source = "".join(file.read_text(encoding="utf-8") for file in PACKAGE.glob("*.py"))
    named = set(re.findall(r"\bTELEMETRY_[A-Z_]+\b", source)) | {
        "TELEMETRY",
        "DO_NOT_TRACK",
        "XDG_STATE_HOME",
    }
    assert {name for name in named if name not in text} == set()
    for command in ("show", "send", "status", "on", "off"):
        assert f"`telemetry-client {command}" in text


def _required(tool: str, found: object) -> None:
    """Skips where a tool is missing, unless everything is required."""
    if found:
        return
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"{tool} is missing, and REQUIRE_ALL=1")
    pytest.skip(f"{tool} is missing")


def _python38() -> str:
    on_path = shutil.which("python3.8")
    roots = [os.environ.get("PYENV_ROOT", ""), str(Path.home() / ".pyenv")]
    installed = [str(p) for root in roots if root for p in Path(root).glob("versions/3.8.*/bin/python")]
    # A pyenv shim answers to the name even where the version behind it is not switched on.
    for python in [*installed, *([on_path] if on_path else [])]:
        told = subprocess.run(
            [python, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, check=False
        )
        if told.stdout.strip() == b"(3, 8)":
            return python
    return ""


def test_the_client_runs_under_a_real_python_3_8(cli: Cli, collector: Collector) -> None:
    python = _python38()
    _required("python3.8", python)
    cli.python = python
    assert cli("on").returncode == 0
    collector.answer(503)
    done = cli("send", "--url", collector.url, *FACTS)
    assert "waits in the outbox" in done.stdout, done.stderr
    done = cli("send", "--url", collector.url, *FACTS)
    assert "also accepted: 1" in done.stdout, done.stderr
    for command in ("show", "status"):
        assert cli(command, *FACTS).returncode == 0
    assert cli("off").returncode == 0
    done = subprocess.run(
        [
            python,
            "-W",
            "error",
            "-c",
            "import telemetry_client as t; print(t.report_boot('x', '1', seconds=3).fate)",
        ],
        env={"PYTHONPATH": str(PACKAGE.parent), "TELEMETRY": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "OPTED_OUT" in done.stdout, done.stderr


def test_no_syntax_or_library_call_is_newer_than_3_8() -> None:
    vermin = Path(sys.executable).with_name("vermin")
    found = str(vermin) if vermin.exists() else shutil.which("vermin")
    _required("vermin", found)
    done = subprocess.run(
        [str(found), "-t=3.8-", "--no-tips", str(PACKAGE)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_only_the_standard_library_is_imported() -> None:
    code = "import telemetry_client.cli, sys; print(*{n.partition('.')[0] for n in sys.modules})"
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); {code}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name for name in done.stdout.split() if not name.startswith("_")}
    assert loaded - set(sys.stdlib_module_names) == {"telemetry_client"}


def test_a_command_starts_quickly(cli: Cli) -> None:
    started = time.monotonic()
    cli("status")
    assert time.monotonic() - started < 2
