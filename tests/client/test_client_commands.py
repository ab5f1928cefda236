"""The command line as a person or a boot script meets it: real processes, real exit codes."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import telemetry_client
from telemetry_client.client import open_client
from telemetry_client.machine import Machine
from telemetry_client.permits import load_permits
from telemetry_client.result import Fate
from telemetry_client.state import State, state_directory

if TYPE_CHECKING:
    from tests.client.conftest import BuildMachine, Cli, Collector, Place

FACTS = ("--product", "wordpress", "--product-version", "6.4.2-0")
KEY = "CANARY-0000-1111-2222"
PACKAGE = Path(telemetry_client.__file__).parent
PROJECT = Path(__file__).parents[2]
README = PROJECT / "client_sdk" / "README.md"
# Read before a test gets a home of its own.
PYENV = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


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
    allowed = cli("show", "--url", "http://127.0.0.1:9", env={"TELEMETRY": "on"}).stdout
    assert "Would be sent  no: unknown or not in its format: product, product_version\n" in allowed
    assert "bytes (incomplete, would not be sent; report_id" in text
    assert "exactly" not in text
    assert "bytes (exactly; report_id" in cli("show", *FACTS).stdout
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
    collector.answer(503, {"Retry-After": "0"})
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
        "telemetry-client log",
        "telemetry-client seal",
        "--background",
        "--dry-run",
        "--license-key-stdin",
    ):
        assert words in text


@pytest.mark.parametrize("seconds", ["x", "0", "-1", "nan", ""])
def test_a_timeout_that_is_none_is_named_in_words(seconds: str, cli: Cli) -> None:
    done = cli("send", f"--timeout={seconds}", *FACTS)
    assert done.returncode == 2
    assert done.stderr.endswith("argument --timeout: not a number of seconds above 0\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("on", "--product", "wordpress"), "`on` takes no --product: the choice is for every product and collector"),
        (("off", "--url=http://127.0.0.1:9"), "`off` takes no --url: the choice is"),
        (("status", *FACTS, "--language", KEY), "`status` takes no --product-version and no --language\n"),
        (("on", "--dry-run"), "`on` takes no --dry-run"),
        (("log", "--url", "http://127.0.0.1:9"), "`log` takes no --url\n"),
        (("seal", "--format", "json", *FACTS), "`seal` takes no --format and no --product and no --product-version\n"),
    ],
)
def test_an_option_of_another_command_is_named_without_a_word_on_keys(
    arguments: tuple[str, ...], message: str, cli: Cli
) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "licence" not in done.stderr
    assert KEY not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("on", KEY),
        ("on", "--dry-run", KEY),
        ("on", "--product", "x", KEY),
        ("send", f"--key={KEY}"),
        ("send", f"-{KEY}"),
    ],
)
def test_the_word_on_keys_comes_with_what_nothing_understands(arguments: tuple[str, ...], cli: Cli) -> None:
    done = cli(*arguments)
    assert done.returncode == 2
    assert "a licence key is never an argument" in done.stderr
    assert KEY not in done.stderr


@pytest.mark.parametrize("arguments", [(f"--source={KEY}",), (f"--dry-run={KEY}",), ("--format", f"it's {KEY}")])
def test_a_value_that_is_refused_is_not_repeated(arguments: tuple[str, ...], cli: Cli) -> None:
    done = cli("send", *FACTS, *arguments)
    assert done.returncode == 2
    assert KEY not in done.stderr


def _told(*arguments: str) -> str:
    command = [sys.executable, "-m", "telemetry_client", *arguments]
    environ = {"PYTHONPATH": str(PACKAGE.parent), "COLUMNS": "200"}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout


def test_the_version_is_that_of_the_package() -> None:
    stated = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert telemetry_client.__version__ == stated
    assert _told("--version") == f"telemetry-client {stated}\n"


@pytest.mark.parametrize("command", ["show", "send", "status", "log", "on", "off", "seal"])
def test_each_command_says_what_it_does_and_offers_only_what_it_heeds(command: str) -> None:
    text = _told(command, "--help")
    assert re.search(r"\n\n[A-Z][^\n]+\.\n\noptions|\n\n[A-Z][^\n]+\.\n\noptional arguments", text)
    takes_facts = command in ("show", "send")
    for option in ("--product-version", "--source", "--os-version", "--instance-type", "--language", "--license-key"):
        assert (option in text) == takes_facts


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
    done = cli(*send)
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (0, "valid")
    collector.answer(422, body=b'{"outcome":"unknown_product","field":"product"}')
    done = cli(*send)
    told = json.loads(done.stdout)
    assert (done.returncode, told["outcome"]) == (1, "refused")
    assert "unknown_product, product" in told["message"]
    collector.answer(503, {"Retry-After": "0"})
    assert cli(*send).returncode == 0
    assert [received.path for received in collector.received] == ["/v1/reports/image-boot/1?dry_run=1"] * 3
    assert not (cli.state / "outbox").exists()


def test_a_refused_report_of_a_boot_is_exit_code_0(cli: Cli, collector: Collector) -> None:
    cli("on")
    collector.answer(422)
    done = cli("send", "--url", collector.url, *FACTS)
    assert (done.returncode, done.stdout[:7]) == (0, "refused")


def test_a_dry_run_that_is_opted_out_or_finds_no_collector_fails_no_build(cli: Cli) -> None:
    dry_run = ("send", "--dry-run", "--timeout", "2", "--url", "http://127.0.0.1:9", *FACTS)
    assert cli(*dry_run).returncode == 0
    cli("on")
    done = cli(*dry_run)
    assert (done.returncode, done.stdout[:13]) == (0, "not tried out")


def test_status_says_what_becomes_of_waiting_reports_when_it_is_off(cli: Cli, collector: Collector) -> None:
    cli("on")
    for _ in range(2):
        collector.answer(503, {"Retry-After": "0"})
        cli("send", "--url", collector.url, *FACTS)
    assert "deleted" not in cli("status").stdout
    off = {"DO_NOT_TRACK": "1"}
    assert re.search(r"Outbox +2 waiting, .* s; will be deleted, not sent", cli("status", env=off).stdout)
    assert json.loads(cli("status", "--format", "json", env=off).stdout)["outbox"]["will_be_deleted"]
    assert "\n2 waiting reports deleted\n" in cli("off").stdout
    assert "deleted" not in cli("status").stdout


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


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"product": 5}, "product must be a string, not int"),
        ({"product_version": None}, "product_version must be a string, not NoneType"),
        ({"source": ["vm"]}, "source must be a string, not list"),
        ({"language": b"de"}, "language must be a string, not bytes"),
        ({"url": 7}, "url must be a string, not int"),
        ({"state_dir": b"\xff"}, "state_dir must be a path, not bytes"),
        ({"config": 3.5}, "config must be a path, not float"),
        ({"state_dir": "\0"}, "state_dir has a character in it that no path can have"),
        ({"config": "\ud800"}, "config has a character in it that no path can have"),
        ({"seconds": "8"}, "seconds must be a number above 0"),
        ({"seconds": None}, "seconds must be a number above 0"),
        ({"seconds": 0}, "seconds must be a number above 0"),
        ({"seconds": float("nan")}, "seconds must be a number above 0"),
        ({"seconds": float("inf")}, "seconds must be a number above 0"),
        ({"seconds": True}, "seconds must be a number above 0"),
    ],
)
def test_the_api_tells_a_wrong_argument_and_never_raises(bad: dict[str, Any], words: str, collector: Collector) -> None:
    result = telemetry_client.report_boot(**{"url": collector.url, "seconds": 2.0, **bad})
    assert result == (Fate.UNUSABLE, f"nothing was sent: {words}", 0)
    assert collector.connections == 0


@pytest.mark.parametrize("bad", [{"answer": "yes"}, {"answer": 1}, {"license_key": 5}, {"product_version": 23.1}])
def test_a_run_with_a_wrong_argument_is_told_too(bad: dict[str, Any]) -> None:
    result = telemetry_client.report_run(**{"product_version": "23.1.0", **bad})
    assert result.fate is Fate.UNUSABLE
    assert next(iter(bad)) in result.message


@pytest.mark.parametrize("bad", [{"product": "\ud800"}, {"product": "\0"}, {"url": "\ud800"}, {"url": "\0"}])
def test_the_api_never_raises_on_strings_that_nothing_takes(bad: dict[str, Any]) -> None:
    assert telemetry_client.report_boot(**bad).fate in (Fate.OPTED_OUT, Fate.UNUSABLE)


def test_the_api_takes_the_facts_that_the_command_takes(
    collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    State(str(tmp_path / "s")).choose(is_on=True, now=1)
    settings: dict[str, Any] = {"url": collector.url, "state_dir": tmp_path / "s"}
    facts = {"os_version": "debian-12", "language": "pt-BR"}
    boot = {"source": "cloud", "instance_type": "t3.micro", **facts}
    assert telemetry_client.report_boot("wordpress", "6.4.2-0", **boot, **settings).is_accepted
    assert telemetry_client.report_run("23.1.0", **facts, **settings).is_accepted
    first, second = (received.fields for received in collector.received)
    assert {name: first[name] for name in boot} == boot
    assert {name: second[name] for name in facts} == facts


def test_the_notice_names_everything_that_an_image_says(machine: BuildMachine, tmp_path: Path) -> None:
    words = {
        "report_id": "a random number made for each report",
        "product": "product",
        "product_version": "version",
        "source": "source (vm, cloud or container)",
        "os_version": "OS version",
        "instance_type": "instance type",
        "language": "language",
    }
    permits = load_permits()
    assert set(permits.reports["image-boot/1"].fields) == set(words)
    notice = open_client(machine(), permits, State(str(tmp_path)), 0).notice
    assert all(word in notice for word in words.values())
    assert "\n" not in notice


def test_readme_names_every_fate_and_every_argument_of_the_api() -> None:
    text = README.read_text(encoding="utf-8")
    assert [fate.name for fate in Fate if f"`{fate.name}`" not in text] == []
    assert [fate.value for fate in Fate if f"`{fate.value}`" not in text] == []
    for function in (telemetry_client.report_boot, telemetry_client.report_run):
        assert [name for name in inspect.signature(function).parameters if f"`{name}`" not in text] == []


def test_readme_names_every_environment_variable_command_and_limit() -> None:
    text = README.read_text(encoding="utf-8")
    source = "".join(file.read_text(encoding="utf-8") for file in PACKAGE.glob("*.py"))
    named = set(re.findall(r"\bTELEMETRY_[A-Z_]+\b", source)) | {
        "TELEMETRY",
        "DO_NOT_TRACK",
        "XDG_STATE_HOME",
    }
    assert {name for name in named if name not in text} == set()
    for command in ("show", "send", "status", "log", "on", "off", "seal"):
        assert f"`telemetry-client {command}" in text
    for file in ("consent", "notice", "stopped", "sealed", "last-boot", "today", "not-before", "sent"):
        assert f"| `{file}` |" in text


def _required(tool: str, found: object) -> None:
    """Skips where a tool is missing, unless everything is required."""
    if found:
        return
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"{tool} is missing, and REQUIRE_ALL=1")
    pytest.skip(f"{tool} is missing")


def _python38() -> str:
    on_path = shutil.which("python3.8")
    installed = [str(python) for python in PYENV.glob("versions/3.8.*/bin/python")]
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
    collector.answer(503, {"Retry-After": "0"})
    done = cli("send", "--url", collector.url, *FACTS)
    assert "waits in the outbox" in done.stdout, done.stderr
    done = cli("send", "--url", collector.url, *FACTS)
    assert "also accepted: 1" in done.stdout, done.stderr
    assert cli("show", *FACTS).returncode == 0
    assert cli("status").returncode == 0
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
