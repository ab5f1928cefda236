"""Who decides whether anything is sent: every situation with its decision, rule and reason."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

import telemetry_client
from telemetry_client.client import Client, open_client
from telemetry_client.configuration import ADMINISTRATOR_FILE, IMAGE_FILE, Configuration
from telemetry_client.consent import Situation, decide
from telemetry_client.deadline import Deadline
from telemetry_client.fact import Fact
from telemetry_client.facts import Given
from telemetry_client.permits import IMAGE_BOOT, INSTALLBUILDER_RUN, load_permits
from telemetry_client.state import SYSTEM_DIRECTORY, Choice, State
from tests.client.conftest import PACKAGE_PARENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.client.conftest import BuildMachine, Cli, Collector, Place

NOW = 1_790_000_000.0
ON, OFF = True, False
OWN_ON = {"own": "on"}
DEFAULT_ON = {"image": "default = on"}

# situation, expected decision, the rule that makes it, words of its reason
SITUATIONS: list[tuple[str, dict[str, Any], bool, str, str]] = [
    ("nobody chose", {}, OFF, "nothing", "nobody has switched it on"),
    ("stored on", OWN_ON, ON, "stored", "says on"),
    ("stored off", {"own": "off"}, OFF, "stored", "says off"),
    ("stored choice is garbage", {"own": "perhaps"}, OFF, "stored", "says off"),
    ("image default on", DEFAULT_ON, ON, "default", "sets the default to on"),
    ("image default off", {"image": "default = off"}, OFF, "nothing", "nobody has switched it on"),
    ("stored off beats image default", {**DEFAULT_ON, "own": "off"}, OFF, "stored", "says off"),
    ("stored on with image default off", {"image": "default=off", **OWN_ON}, ON, "stored", "says on"),
    (
        "administrator off beats stored on",
        {"admin": "telemetry = off", **OWN_ON},
        OFF,
        "administrator",
        "config line 1",
    ),
    ("administrator off in capitals", {"admin": "TELEMETRY=OFF", **OWN_ON}, OFF, "administrator", "says off"),
    ("administrator on", {"admin": "telemetry = on"}, ON, "administrator", "says on"),
    ("administrator on, person off", {"admin": "telemetry = on", "own": "off"}, OFF, "stored", "says off"),
    (
        "administrator off, later line on",
        {"admin": "telemetry=off\ntelemetry=on"},
        OFF,
        "administrator",
        "line 1",
    ),
    (
        "administrator default off beats image's on",
        {"admin": "default=off", **DEFAULT_ON},
        OFF,
        "nothing",
        "nobody",
    ),
    (
        "administrator's word not understood",
        {"admin": "telemetry = maybe", **OWN_ON},
        OFF,
        "administrator",
        "not understood",
    ),
    (
        "administrator's line not understood",
        {"admin": "telemetry off", **OWN_ON},
        OFF,
        "administrator",
        "not understood",
    ),
    (
        "administrator's key misspelt",
        {"admin": "telemtry = off", **OWN_ON},
        OFF,
        "administrator",
        "not understood",
    ),
    (
        "administrator's file unreadable",
        {"admin_is_directory": True, **OWN_ON},
        OFF,
        "administrator",
        "cannot be read",
    ),
    (
        "image says telemetry off",
        {"image": "telemetry = off", **OWN_ON},
        OFF,
        "administrator",
        "image line 1",
    ),
    ("TELEMETRY=off", {"env": {"TELEMETRY": "off"}, **OWN_ON}, OFF, "variable", "TELEMETRY"),
    (
        "the reason of TELEMETRY=off",
        {"env": {"TELEMETRY": "off"}},
        OFF,
        "variable",
        "the environment variable TELEMETRY says off",
    ),
    ("TELEMETRY=0", {"env": {"TELEMETRY": "0"}, **OWN_ON}, OFF, "variable", "TELEMETRY"),
    ("TELEMETRY=False", {"env": {"TELEMETRY": "False"}, **OWN_ON}, OFF, "variable", "TELEMETRY"),
    ("TELEMETRY=nope", {"env": {"TELEMETRY": "nope"}, **OWN_ON}, OFF, "variable", "does not clearly say on"),
    ("TELEMETRY empty is not set", {"env": {"TELEMETRY": ""}, **OWN_ON}, ON, "stored", "says on"),
    ("TELEMETRY=on", {"env": {"TELEMETRY": "on"}}, ON, "variable", "says on"),
    ("TELEMETRY=on, person off", {"env": {"TELEMETRY": "on"}, "own": "off"}, OFF, "stored", "says off"),
    ("TELEMETRY=on on a build machine", {"env": {"TELEMETRY": "on", "CI": "1"}}, OFF, "ci", "CI is set"),
    ("DO_NOT_TRACK=1", {"env": {"DO_NOT_TRACK": "1"}, **OWN_ON}, OFF, "do-not-track", "DO_NOT_TRACK"),
    (
        "DO_NOT_TRACK=please",
        {"env": {"DO_NOT_TRACK": "please"}, **OWN_ON},
        OFF,
        "do-not-track",
        "DO_NOT_TRACK",
    ),
    ("DO_NOT_TRACK=0", {"env": {"DO_NOT_TRACK": "0"}, **OWN_ON}, ON, "stored", "says on"),
    ("DO_NOT_TRACK=FALSE", {"env": {"DO_NOT_TRACK": "FALSE"}, **OWN_ON}, ON, "stored", "says on"),
    ("DO_NOT_TRACK empty", {"env": {"DO_NOT_TRACK": ""}, **OWN_ON}, ON, "stored", "says on"),
    (
        "DO_NOT_TRACK beats TELEMETRY=on",
        {"env": {"DO_NOT_TRACK": "1", "TELEMETRY": "on"}},
        OFF,
        "do-not-track",
        "DO_NOT",
    ),
    ("CI", {"env": {"CI": "true"}, **OWN_ON}, OFF, "ci", "CI is set"),
    ("CI=false", {"env": {"CI": "false"}, **OWN_ON}, ON, "stored", "says on"),
    ("GitHub", {"env": {"GITHUB_ACTIONS": "true"}, **OWN_ON}, OFF, "ci", "GITHUB_ACTIONS"),
    ("Azure pipelines", {"env": {"TF_BUILD": "True"}, **DEFAULT_ON}, OFF, "ci", "TF_BUILD"),
    ("Jenkins build", {"env": {"JENKINS_URL": "https://ci.example.com"}, **OWN_ON}, OFF, "ci", "JENKINS_URL"),
    ("dry run on a build machine", {"env": {"CI": "1"}, "dry_run": True, **OWN_ON}, ON, "stored", "says on"),
    (
        "dry run with DO_NOT_TRACK",
        {"env": {"DO_NOT_TRACK": "1"}, "dry_run": True, **OWN_ON},
        OFF,
        "do-not-track",
        "DO",
    ),
    ("machine-wide off beats own on", {"machine_wide": "off", **OWN_ON}, OFF, "stored", "says off"),
    ("own default place off beats on in use", {"home": "off", **OWN_ON}, OFF, "stored", "home/.local/state"),
    ("XDG place off beats on in use", {"xdg": "off", **OWN_ON}, OFF, "stored", "xdg/telemetry-client"),
    ("on elsewhere is not on here", {"home": "on", "xdg": "on"}, OFF, "nothing", "nobody"),
    ("default place off beats a yes", {"home": "off", "answer": True}, OFF, "stored", "says off"),
    (
        "own default place cannot be looked into",
        {"home_is_a_loop": True, **OWN_ON},
        OFF,
        "stored",
        "cannot be read, which counts as off",
    ),
    ("host's administrator off", {"host": "telemetry = off", **OWN_ON}, OFF, "administrator", "host/etc"),
    ("host's administrator not understood", {"host": "telemetry off", **OWN_ON}, OFF, "administrator", "host/etc"),
    ("host's administrator on is not the image's", {"host": "telemetry = on"}, OFF, "nothing", "nobody"),
    ("host's default off beats image's on", {"host": "default=off", **DEFAULT_ON}, OFF, "nothing", "nobody"),
    ("host's stored off", {"host_wide": "off", **OWN_ON}, OFF, "stored", "host/var/lib"),
    ("host's stored on is not the image's", {"host_wide": "on"}, OFF, "nothing", "nobody"),
    (
        "image's administrator off, host on",
        {"admin": "telemetry=off", "host": "telemetry=on"},
        OFF,
        "administrator",
        "l",
    ),
    ("machine-wide on is not the user's", {"machine_wide": "on"}, OFF, "nothing", "nobody"),
    ("the product asked: no", {"answer": False, **OWN_ON}, OFF, "answer", "was no"),
    ("the product asked: yes", {"answer": True}, ON, "answer", "was yes"),
    (
        "asked: yes, but DO_NOT_TRACK",
        {"answer": True, "env": {"DO_NOT_TRACK": "1"}},
        OFF,
        "do-not-track",
        "DO_NOT",
    ),
    ("asked: yes, but stored off", {"answer": True, "own": "off"}, OFF, "stored", "says off"),
    (
        "InstallBuilder never by default",
        {**DEFAULT_ON, "report": INSTALLBUILDER_RUN},
        OFF,
        "nothing",
        "nobody",
    ),
    ("InstallBuilder, stored on", {"report": INSTALLBUILDER_RUN, **OWN_ON}, ON, "stored", "says on"),
]


@pytest.fixture
def client_in(root: Path, tmp_path: Path, place: Place, machine: BuildMachine) -> Callable[..., Client]:
    """The client of a machine on which this is the situation."""

    def build(situation: dict[str, Any]) -> Client:
        if situation.get("admin_is_directory"):
            (root / ADMINISTRATOR_FILE.lstrip("/")).mkdir(parents=True)
        for path, key in ((ADMINISTRATOR_FILE, "admin"), (IMAGE_FILE, "image")):
            if key in situation:
                place(path, situation[key])
        if "machine_wide" in situation:
            place(f"{SYSTEM_DIRECTORY}/consent", f"choice = {situation['machine_wide']}\n")
        home, xdg, host = tmp_path / "home", tmp_path / "xdg", tmp_path / "host"
        state = tmp_path / "state"
        for key, directory in (
            ("own", state),
            ("home", home / ".local" / "state" / "telemetry-client"),
            ("xdg", xdg / "telemetry-client"),
            ("host_wide", host / SYSTEM_DIRECTORY.lstrip("/")),
        ):
            if key in situation:
                directory.mkdir(parents=True)
                (directory / "consent").write_text(f"choice = {situation[key]}\nchosen_at = 5\n")
        if situation.get("home_is_a_loop"):
            home.mkdir()
            (home / ".local").symlink_to(home / ".local")
        if "host" in situation:
            (host / ADMINISTRATOR_FILE.lstrip("/")).parent.mkdir(parents=True)
            (host / ADMINISTRATOR_FILE.lstrip("/")).write_text(situation["host"])
        environ = {"HOME": str(home), "XDG_STATE_HOME": str(xdg), **situation.get("env", {})}
        here = machine(environ, host=str(host))
        return open_client(here, load_permits(), State(str(state)), NOW, answer=situation.get("answer"))

    return build


@pytest.mark.parametrize(
    ("situation", "is_on", "rule", "words"),
    [pytest.param(*row[1:], id=row[0]) for row in SITUATIONS],
)
def test_every_situation_has_its_decision_and_reason(
    situation: dict[str, Any], is_on: bool, rule: str, words: str, client_in: Callable[..., Client]
) -> None:
    client = client_in(situation)
    decision = client.decision(situation.get("report", IMAGE_BOOT), dry_run=situation.get("dry_run", False))

    assert (decision.is_on, decision.rule) == (is_on, rule)
    assert words in decision.reason
    assert decision.needs_notice == (is_on and rule in ("default", "variable"))


_CHOICES = st.sampled_from(["on", "off"])


@for_all(
    telemetry=st.lists(_CHOICES, max_size=3),
    default=st.lists(_CHOICES, max_size=2),
    variable=st.sampled_from(["", "on", "off", "1", "0"]),
    own=st.sampled_from([None, True, False]),
    answer=st.sampled_from([None, True, False]),
)
def test_one_off_is_enough_whatever_else_says_on(
    telemetry: list[str], default: list[str], variable: str, own: bool | None, answer: bool | None
) -> None:
    decision = decide(
        Situation(
            configuration=Configuration(
                telemetry=tuple(Fact(word, "file") for word in telemetry),
                default=tuple(Fact(word, "file") for word in default),
            ),
            environ={"TELEMETRY": variable},
            choices=() if own is None else (Choice(own, 0, "state", is_own=True),),
            answer=answer,
        )
    )
    somebody_said_off = "off" in telemetry or variable in ("off", "0") or own is False or answer is False
    somebody_said_on = "on" in telemetry or variable in ("on", "1") or own or answer
    if somebody_said_off:
        assert not decision.is_on
    elif somebody_said_on:
        assert decision.is_on
    else:
        assert decision.is_on == (bool(default) and "off" not in default)


@pytest.mark.parametrize(
    ("env", "choice"),
    [
        ({"TELEMETRY": "off"}, "on"),
        ({"DO_NOT_TRACK": "1"}, "on"),
        ({"CI": "1"}, "on"),
        ({}, "off"),
        ({}, None),
    ],
)
@pytest.mark.parametrize("command", ["send", "show"])
def test_opted_out_means_that_a_listening_collector_sees_no_connection(
    env: dict[str, str], choice: str | None, command: str, cli: Cli
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        if choice:
            State(str(cli.state)).choose(is_on=choice == "on", now=NOW)
        done = cli(command, "--url", url, "--product", "wordpress", "--product-version", "6.4.2-0", env=env)
        assert done.returncode == 0, done.stderr
        with pytest.raises(BlockingIOError):
            listening.accept()


def test_opted_out_resolves_no_name(machine: BuildMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def resolve(*arguments: object, **_named: object) -> None:
        asked.append(arguments)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    client = open_client(machine(), load_permits(), State(str(tmp_path / "s")), NOW, url="https://telemetry.invalid")
    facts = Given(product="wordpress", product_version="6.4.2-0")
    assert client.send(facts, Deadline(2)).fate.value == "opted out"
    assert asked == []
    client.choose(is_on=True)
    client.send(facts, Deadline(2))
    assert len(asked) == 1  # the same probe does see a look-up when there is one


def test_opted_out_the_network_is_not_even_imported() -> None:
    code = (
        "import sys, telemetry_client as t; r = t.report_boot('wordpress', '6.4.2-0', url='http://127.0.0.1:9');"
        "print(r.fate.value, {'socket', 'ssl', 'http.client'} & set(sys.modules))"
    )
    environ = {"PYTHONPATH": str(Path(telemetry_client.__file__).parent.parent), "DO_NOT_TRACK": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "opted out set()"


def test_on_then_send_then_off_then_send(cli: Cli, collector: Collector) -> None:
    send = ("send", "--url", collector.url, "--product", "wordpress", "--product-version", "6.4.2-0")
    assert "nobody has switched it on" in cli(*send).stdout
    assert cli("on").returncode == 0
    assert "accepted" in cli(*send).stdout
    assert cli("off").returncode == 0
    assert "says off" in cli(*send).stdout
    assert len(collector.received) == 1


def test_off_deletes_what_waits_and_on_again_does_not_bring_it_back(cli: Cli, collector: Collector) -> None:
    send = ("send", "--url", collector.url, "--product", "wordpress", "--product-version", "6.4.2-0")
    cli("on")
    collector.answer(503, {"Retry-After": "0"})
    assert "waits in the outbox" in cli(*send).stdout
    waiting = list((cli.state / "outbox").iterdir())
    assert len(waiting) == 1
    kept = waiting[0].read_bytes()
    assert cli("off").stdout.endswith("\n1 waiting report deleted\n")
    assert list((cli.state / "outbox").iterdir()) == []
    # Even a report that came back from a backup is from before this consent.
    cli("on")
    old = waiting[0].with_name(f"{int(waiting[0].name[:10]) - 100:010d}{waiting[0].name[10:]}")
    old.write_bytes(kept)
    cli(*send)
    assert [received.fields["report_id"] in kept.decode() for received in collector.received] == [True, False]


def test_an_opt_out_by_variable_also_empties_the_outbox(cli: Cli, collector: Collector) -> None:
    send = ("send", "--url", collector.url, "--product", "wordpress", "--product-version", "6.4.2-0")
    cli("on")
    collector.answer(503, {"Retry-After": "0"})
    cli(*send)
    cli(*send, env={"DO_NOT_TRACK": "1"})
    assert list((cli.state / "outbox").iterdir()) == []


def test_the_notice_comes_once_before_the_first_send_and_never_after(
    cli: Cli, collector: Collector, place: Place
) -> None:
    place(IMAGE_FILE, f"default = on\nurl = {collector.url}\n")
    send = ("send", "--product", "wordpress", "--product-version", "6.4.2-0")
    first, second = cli(*send), cli(*send)
    assert first.stderr.count("\n") == 1
    assert "telemetry-client off" in first.stderr
    assert "accepted" in first.stdout
    assert second.stderr == ""
    assert len(collector.received) == 2


def test_nothing_is_sent_where_the_notice_cannot_be_shown(
    machine: BuildMachine, tmp_path: Path, collector: Collector, place: Place
) -> None:
    place(IMAGE_FILE, "default = on\n")
    client = open_client(
        machine(),
        load_permits(),
        State(str(tmp_path / "s")),
        NOW,
        url=collector.url,
        announce=lambda _notice: False,
    )
    result = client.send(Given(product="wordpress", product_version="6.4.2-0"), Deadline(2))
    assert result.fate.value == "opted out"
    assert collector.connections == 0


def test_a_dry_run_leaves_the_notice_for_the_people_who_get_the_image(
    cli: Cli, collector: Collector, place: Place
) -> None:
    place(IMAGE_FILE, f"default = on\nurl = {collector.url}\n")
    facts = ("--product", "wordpress", "--product-version", "6.4.2-0")
    assert "valid" in cli("send", "--dry-run", *facts, env={"CI": "1"}).stdout
    assert [file.name for file in cli.state.iterdir()] == ["sent"]
    assert "telemetry-client off" in cli("send", *facts).stderr


def test_an_upgrade_that_brings_a_new_image_file_never_turns_it_back_on(
    cli: Cli, collector: Collector, place: Place
) -> None:
    cli("off")
    place(IMAGE_FILE, f"default = on\ntelemetry = on\nurl = {collector.url}\n")
    done = cli("send", "--product", "wordpress", "--product-version", "6.5.0-0")
    assert "says off" in done.stdout
    assert collector.connections == 0


def test_on_says_so_when_something_else_still_forbids_it(cli: Cli, place: Place) -> None:
    place(ADMINISTRATOR_FILE, "telemetry = off\n")
    done = cli("on")
    assert done.returncode == 0
    assert "still nothing is sent" in done.stdout


def test_off_that_cannot_be_stored_is_an_error_with_another_way_out(cli: Cli, tmp_path: Path) -> None:
    cli.state.write_text("a file where the directory should be")
    # Where root's default place would be, and everybody else's.
    (cli.root / "var").write_text("")
    (tmp_path / ".local").write_text("")
    done = cli("off")
    assert (done.returncode, done.stdout) == (1, "")
    assert "TELEMETRY=off" in done.stderr
    assert "mkdir -p /etc/telemetry-client && echo 'telemetry = off' >> /etc/telemetry-client/config" in done.stderr


def test_off_that_is_stored_in_one_place_only_says_whom_it_reaches(cli: Cli, tmp_path: Path) -> None:
    cli.state.write_text("a file where the directory should be")
    done = cli("off")
    assert done.returncode == 1
    assert "off, stored in" in done.stdout
    assert "It holds all the same" in done.stderr
    cli.state.unlink()
    for blocked in (cli.root / "var", tmp_path / ".local"):
        if blocked.exists():
            blocked.rename(blocked.with_name("gone"))
        blocked.write_text("")
    done = cli("off")
    assert (done.returncode, done.stdout) == (1, f"off, stored in {cli.state}/consent\n")
    assert "another state directory does not know of it" in done.stderr
    assert "mkdir -p /etc/telemetry-client" in done.stderr


def test_a_closed_standard_error_shows_no_notice_and_sends_nothing(
    cli: Cli, collector: Collector, place: Place
) -> None:
    place(IMAGE_FILE, f"default = on\nurl = {collector.url}\n")
    facts = ("--product", "wordpress", "--product-version", "6.4.2-0")
    command = [sys.executable, "-m", "telemetry_client", "send", "--root", str(cli.root), "--state-dir", str(cli.state)]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *command, *facts],
        env={"PYTHONPATH": str(PACKAGE_PARENT), "HOME": str(cli.state.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "nothing was sent: the notice that comes first could not be shown\n"
    assert collector.connections == 0
    assert not (cli.state / "notice").exists()
