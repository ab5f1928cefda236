"""The programs of the component, run for real: by real shells and curl, against the project's own server over TLS,
against servers that misbehave, and against sockets that must see nothing.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shlex
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, urlsplit

import pytest
import trustme

import telemetry_client.machine
from schemas.examples import EXAMPLES, examples
from schemas.reports import REPORTS
from telemetry_client.choices import Choices
from telemetry_client.configuration import read_configuration
from telemetry_client.consent import Situation, decide
from telemetry_client.state import State, state_directory
from tests.client.installbuilder.conftest import ROOM, Machine, Peer
from tests.conftest import PROJECT, Server, missing

REPORT = "installbuilder-run/1"
# Of this process: others that run beside it have keys in their processes too.
KEY = f"CANARY-7f3a-91c4-OWNER-{os.getpid()}-0"
GOOD = {"PRODUCT": "installbuilder", "PRODUCT_VERSION": "25.7.0", "OS_VERSION": "debian-12", "LANGUAGE": "de-DE"}
# What starting a shell and its small programs may take on a busy machine; the network takes 3 to 8 s where it hangs.
AT_ONCE_SECONDS = 2.0
CI_VARIABLES = (
    *("CI", "CONTINUOUS_INTEGRATION", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "CIRCLECI", "TRAVIS", "APPVEYOR"),
    *("DRONE", "SEMAPHORE", "TF_BUILD", "JENKINS_URL", "TEAMCITY_VERSION", "CODEBUILD_BUILD_ID"),
    "BITBUCKET_BUILD_NUMBER",
)
PASSING = [example for example in examples() if example.report == REPORT and ".pass." in example.path.name]


def yes(url: str, **values: str) -> dict[str, str]:
    return GOOD | {"ANSWER": "yes", "URL": url} | values


def wait_for_accepted(server: Server, number: int) -> None:
    deadline = time.monotonic() + 10
    while server.status()["accepted"] < number:
        assert time.monotonic() < deadline, f"{server.status()['accepted']} of {number} were accepted"
        time.sleep(0.05)


# --- reports ----------------------------------------------------------------------------------------------------------


def test_every_example_is_sent_as_it_is_and_accepted_by_the_collector(
    machine: Machine, peer: Peer, tls_collector: Server
) -> None:
    before = tls_collector.status()["accepted"]
    for example in PASSING:
        content = json.loads(example.body)
        content.pop("report_id", None)  # a report that is tried once needs none; the collector makes one
        for url in (peer.url, tls_collector.ingest):
            installer = machine.installer(url, product_version=content["product_version"])
            installer.show_page()
            installer.answer(is_yes=True, license_key=content.get("license_key", ""))
            # As the project's own, or the person's machine, would have it.
            action = "postInstallationActionList/setInstallerVariable[@name='telemetry_language']"
            for language in installer.root.findall(action):
                installer.root.find("postInstallationActionList").remove(language)
            installer.variables["telemetry_os_version"] = content.get("os_version", "")
            installer.variables["telemetry_language"] = content.get("language", "")
            installer.finish()
            assert [(ended.code, ended.output) for ended in machine.run(installer)] == [(0, b"")]
        peer.wait_for(1)
        assert peer.forms.pop() == content, example.path.name
        path, headers = peer.requests.pop()
        assert path == REPORTS[REPORT].path
        assert headers == {
            "Host": urlsplit(peer.url).netloc,
            "User-Agent": "product-telemetry/1",
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(peer.bodies.pop())),
        }
    assert len(PASSING) == len(list((EXAMPLES / "installbuilder-run-1").glob("*.pass.json"))) >= 8
    wait_for_accepted(tls_collector, before + len(PASSING))


@pytest.mark.parametrize("shell", ["dash", "bash --posix", "busybox sh"])
@pytest.mark.parametrize("by_shell", [False, True])
def test_whatever_takes_the_line_apart_and_whatever_shell_runs_it(
    shell: str, by_shell: bool, machine: Machine, peer: Peer
) -> None:
    name, *rest = shell.split()
    path = shutil.which(name)
    if path is None:
        missing(f"{name} is missing")
    if by_shell:
        shell = ""
    installer = machine.installer(peer.url)
    installer.answer(is_yes=True, license_key=KEY)
    installer.finish()
    [ended] = machine.run(installer, shell=" ".join([path, *rest]) if shell else "", by_shell=by_shell)
    assert (ended.code, ended.output) == (0, b"")
    peer.wait_for(1)
    assert peer.forms[0]["license_key"] == KEY


def test_a_dry_run_tells_what_the_collector_thinks_and_stores_nothing(machine: Machine, tls_collector: Server) -> None:
    before = tls_collector.status()["accepted"]
    url = tls_collector.ingest
    ended = machine.send(yes(url), None, "--dry-run", CI="1")
    assert (json.loads(ended.output)["outcome"], ended.code) == ("valid", 0)
    ended = machine.send(yes(url, PRODUCT="acme-installer"), None, "--dry-run")
    assert (json.loads(ended.output)["outcome"], ended.code) == ("unknown_product", 1)
    ended = machine.send(yes(url), None, "--dry-run", DO_NOT_TRACK="1")
    assert ended.output == b"nothing is sent: this machine says off\n"
    assert tls_collector.status()["accepted"] == before


@pytest.mark.parametrize("shell", ["dash", "bash --posix", "busybox sh"])
def test_a_dry_run_may_ask_a_collector_on_this_machine(shell: str, machine: Machine) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(422)
            self.end_headers()
            self.wfile.write(b"\x1b[31mno\xff\x07\r\nno")

        def log_message(self, *_arguments: object) -> None:
            pass

    name, *rest = shell.split()
    if shutil.which(name) is None:
        missing(f"{name} is missing")
    send = [str(shutil.which(name)), *rest, str(machine.installed / "telemetry/send.sh"), *machine.arguments]
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        stated = {f"TELEMETRY_INSTALLER_{key}": value for key, value in yes(url).items()}
        proxies = {"http_proxy": "http://127.0.0.1:9", "TELEMETRY_PROXY": "127.0.0.1:9"}
        ended = machine.start([*send, "--dry-run"], machine.environment | stated | proxies)
        # A report itself goes by https alone.
        sent = machine.start(send, machine.environment | stated)
        server.shutdown()
    # What comes from the network does not speak to the terminal.
    assert (ended.code, ended.output) == (1, b"[31mno\nno\n")
    assert (sent.code, sent.output) == (0, b"")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1.example.com",
        "http://example.com",
        "http://localhost@example.com",
        "http://127.0..1",
        "http://",
    ],
)
def test_a_dry_run_asks_no_other_machine_without_tls(url: str, machine: Machine) -> None:
    ended = machine.send(yes(url), None, "--dry-run")
    assert (ended.code, ended.output.startswith(b"nothing is sent: the address is not ")) == (0, True)


@pytest.mark.parametrize("shell", ["dash", "bash --posix"])
def test_a_dry_run_does_not_wait_for_a_key_for_ever(shell: str, machine: Machine, tmp_path: Path) -> None:
    name, *rest = shell.split()
    if shutil.which(name) is None:
        missing(f"{name} is missing")
    # The ten seconds are one here; busybox has a sleep of its own, and is tried by hand.
    quick = tmp_path / "quick"
    quick.mkdir()
    (quick / "sleep").write_text(f"#!/bin/sh\nexec {shutil.which('sleep')} 1\n")
    (quick / "sleep").chmod(0o755)
    environment = {f"TELEMETRY_INSTALLER_{key}": value for key, value in yes("https://127.0.0.1:9").items()}
    environment |= machine.environment | {"PATH": f"{quick}:{os.environ['PATH']}"}
    send = [str(shutil.which(name)), *rest, str(machine.installed / "telemetry/send.sh"), *machine.arguments]
    reading, writing = os.pipe()
    try:
        done = subprocess.run(
            [*send, "--dry-run", "--license-key-stdin"],
            stdin=reading,
            capture_output=True,
            env=environment,
            timeout=8,
            check=False,
        )
    finally:
        os.close(reading)
        os.close(writing)
    assert (done.returncode, done.stdout) == (0, b"nothing is sent: the licence key did not come\n")


def test_a_no_follows_no_link(machine: Machine, tmp_path: Path) -> None:
    place, elsewhere = machine.consent.parent, tmp_path / "elsewhere"
    place.mkdir(parents=True), elsewhere.mkdir()
    (elsewhere / "kept.json").write_text("kept")
    (place / "outbox").symlink_to(elsewhere)
    machine.consent.symlink_to(elsewhere)
    machine.send({"ANSWER": "no"})
    assert "choice = off" in machine.consent.read_text()
    assert (machine.consent.is_symlink(), machine.consent.stat().st_mode & 0o777) == (False, 0o644)
    assert [each.name for each in elsewhere.iterdir()] == ["kept.json"]
    assert {each.name for each in place.iterdir()} == {"consent"}


def test_the_readmes_command_for_a_try_works_as_it_is_written(machine: Machine, tls_collector: Server) -> None:
    readme = (ROOM / "README.md").read_text(encoding="utf-8")
    [command] = [block.partition("```")[0] for block in readme.split("```sh\n")[1:]]
    command = command.replace("https://telemetry.example.com", tls_collector.ingest)
    line = command.replace("telemetry/send.sh", f"{shlex.quote(str(machine.installed))}/telemetry/send.sh")
    line += shlex.join(machine.arguments)
    assert line.count(str(machine.installed)) == line.count(tls_collector.ingest) == 1
    ended = machine.start(["/bin/sh", "-c", line.replace("--dry-run\n", "--dry-run ")], machine.environment)
    assert json.loads(ended.output)["outcome"] == "valid"


def test_a_vendors_own_product_and_an_image_are_refused_by_the_shipped_catalogue(
    machine: Machine, tls_collector: Server
) -> None:
    for product, outcome in (("acme-installer", "unknown_product"), ("wordpress", "product_not_permitted")):
        ended = machine.send(yes(tls_collector.ingest, PRODUCT=product), KEY, "--dry-run")
        assert json.loads(ended.output)["outcome"] == outcome


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A socket that accepts in the kernel and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def _address(listening: socket.socket) -> str:
    return f"https://127.0.0.1:{listening.getsockname()[1]}"


def test_no_failure_reaches_the_installer_and_nothing_is_left_running(
    machines: Callable[..., Machine], peers: Callable[..., Peer], silent: socket.socket
) -> None:
    elsewhere = peers()
    redirecting, refusing, broken, slow = peers(), peers(), peers(), peers()
    redirecting.status, redirecting.location = 307, f"{elsewhere.url}/v1/reports/{REPORT}"
    refusing.status, broken.status, slow.drips_for = 422, 503, 20.0
    stranger = peers(trustme.CA())
    with socket.create_server(("127.0.0.1", 0)) as gone:
        dead = _address(gone)
    # Documentation's own network: packets to it go nowhere, or are refused at once.
    urls = {
        "dead": dead,
        "no route": "https://192.0.2.1",
        "no such name": "https://collector.invalid",
        "hanging": _address(silent),
        "slow": slow.url,
        "refusing": refusing.url,
        "broken": broken.url,
        "redirecting": redirecting.url,
        "wrong certificate": stranger.url,
        "no curl": elsewhere.url,
    }
    made: dict[str, Machine] = {}
    for name, url in urls.items():
        machine = made[name] = machines(has_curl=name != "no curl")
        installer = machine.installer(url)
        installer.answer(is_yes=True, license_key=KEY)
        installer.finish()
        [ended] = machine.run(installer)
        assert (ended.code, ended.output) == (0, b""), name
        assert ended.seconds < AT_ONCE_SECONDS, name
    # Standard input that never ends: the installer waits for none of it either.
    made["endless key"] = machines()
    reading, writing = os.pipe()
    started = time.monotonic()
    command = [*("/bin/sh", str(made["endless key"].installed / "telemetry/send.sh")), "--license-key-stdin"]
    environment = {f"TELEMETRY_INSTALLER_{name}": value for name, value in yes(elsewhere.url).items()}
    subprocess.run(command, stdin=reading, env=made["endless key"].environment | environment, check=True)
    assert time.monotonic() - started < AT_ONCE_SECONDS
    for name, machine in made.items():
        machine.wait_until_quiet(20)
        assert not machine.consent.exists(), name
    os.close(reading)
    os.close(writing)
    assert len(slow.forms) == len(refusing.forms) == len(broken.forms) == len(redirecting.forms) == 1
    assert stranger.connections == 1
    assert (stranger.forms, elsewhere.forms, elsewhere.connections) == ([], [], 0)


def test_410_stops_this_version_for_good(machine: Machine, peer: Peer) -> None:
    peer.status = 410
    machine.send(yes(peer.url))
    peer.wait_for(1)
    machine.wait_until_quiet()
    assert (machine.consent.parent / "stopped").read_text() == "version = 1\n"
    machine.send(yes(peer.url))
    machine.wait_until_quiet()
    assert peer.connections == 1


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:PORT", "https://user:secret@127.0.0.1:PORT", "https://127.0.0.1:PORT?a=b"),
        *("https://127.0.0.1:PORT#a", "file:///etc/passwd", "127.0.0.1:PORT", "", "-o/tmp/x", "https:///a"),
        *("https://127.0.0.1:PORT --output x", "https://127.0.0.1:PORT\nhttps://127.0.0.1:PORT", "https://{a,b}"),
    ],
)
def test_an_address_that_is_not_plain_https_is_not_used(url: str, machine: Machine, silent: socket.socket) -> None:
    machine.send(yes(url.replace("PORT", str(silent.getsockname()[1]))))
    machine.wait_until_quiet()
    _assert_untouched(silent)


def test_curl_reads_no_file_of_the_person(machine: Machine, peer: Peer) -> None:
    (machine.home / ".curlrc").write_text('header = "X-Canary: here"\noutput = "canary"\n')
    machine.send(yes(peer.url))
    peer.wait_for(1)
    assert "X-Canary" not in peer.requests[0][1]


# --- opting out -------------------------------------------------------------------------------------------------------


def _assert_untouched(listening: socket.socket) -> None:
    listening.settimeout(0.05)
    with pytest.raises(TimeoutError):
        listening.accept()


STATE = "home/.local/state/telemetry-client"
Files = Mapping[str, str]
OFF: list[tuple[dict[str, str], Files]] = [
    ({"TELEMETRY": "off"}, {}),
    ({"TELEMETRY": "maybe"}, {}),
    ({"DO_NOT_TRACK": "1"}, {}),
    ({"DO_NOT_TRACK": " yes"}, {}),
    *(({name: "true"}, {}) for name in CI_VARIABLES),
    ({}, {"root/etc/telemetry-client/config": "telemetry = off\n"}),
    ({}, {"root/etc/telemetry-client/config": "telemetry = 'off'"}),
    ({}, {"root/etc/telemetry-client/config": "telemetry = on\ntelemetry = off\ntelemetry = on\n"}),
    ({}, {"root/etc/telemetry-client/config": "telemetry = on\nwhat is this\n"}),
    ({}, {"root/etc/telemetry-client/config": "telemetry = on later\n"}),
    ({}, {"root/etc/telemetry-client/config": "nothing = on\n"}),
    ({}, {"root/etc/telemetry-client/config": "default = sometimes\n"}),
    ({}, {"root/etc/telemetry-client/config/": ""}),
    ({}, {"root/etc/telemetry-client/image": "export TELEMETRY=no\n"}),
    ({"TELEMETRY_CONFIG": "/opt/config"}, {"root/opt/config": "telemetry = disabled\n"}),
    ({}, {f"{STATE}/consent": "choice = off\nchosen_at = 1\n"}),
    ({}, {f"{STATE}/consent": "choice = on\nchoice = off\n"}),
    ({}, {f"{STATE}/consent": ""}),
    ({}, {f"{STATE}/consent": "choice = o"}),
    ({}, {f"{STATE}/consent": "choice = on\n???\n"}),
    ({}, {f"{STATE}/consent/": ""}),
    ({}, {f"{STATE}/consent|": ""}),
    ({}, {f"{STATE}/stopped": "version = 1\n"}),
    ({}, {f"{STATE}/sealed": f"boot = {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}/42\n"}),
    ({}, {"root/var/lib/telemetry-client/consent": "choice = off\n"}),
    ({"XDG_STATE_HOME": "HERE/xdg"}, {"xdg/telemetry-client/consent": "choice = off\n"}),
    ({"XDG_STATE_HOME": "HERE/xdg"}, {f"{STATE}/consent": "choice = off\n"}),
    ({"TELEMETRY_STATE_DIR": "HERE/state"}, {"state/consent": "choice = off\n"}),
    ({"TELEMETRY_PROXY": "socks5://127.0.0.1:1"}, {}),
]
ON: list[tuple[dict[str, str], Files]] = [
    ({}, {}),
    ({"TELEMETRY": " On ", "DO_NOT_TRACK": "0", "CI": "false"}, {}),
    ({"TELEMETRY": "", "DO_NOT_TRACK": "", "CI": ""}, {}),
    ({}, {"root/etc/telemetry-client/config": '# a comment\n\n \texport telemetry = "on"\r\nurl = https://x\n'}),
    # What holds while nobody answers; here somebody did.
    ({}, {"root/etc/telemetry-client/image": "default = off\n"}),
    ({}, {f"{STATE}/consent": "choice = on\nchosen_at = 1\n"}),
    ({}, {f"{STATE}/stopped": "version = 0\n", f"{STATE}/sealed": "boot = another/1\n"}),
    ({}, {f"{STATE}/stopped|": "", f"{STATE}/sealed|": ""}),
    # Where `off` is not looked for.
    ({}, {"xdg/telemetry-client/consent": "choice = off\n"}),
]


def _place(machine: Machine, files: Files, environment: Mapping[str, str]) -> dict[str, str]:
    """Puts the files there; a slash after a name makes a directory, a bar a FIFO."""
    here = machine.home.parent
    for name, text in files.items():
        path = here / name.rstrip("/|")
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir()
        elif name.endswith("|"):
            os.mkfifo(path)
        else:
            path.write_text(text)
    return {name: value.replace("HERE", str(here)) for name, value in environment.items()}


def test_opted_out_a_listening_socket_sees_nothing(machines: Callable[..., Machine], silent: socket.socket) -> None:
    for environment, files in OFF:
        machine = machines()
        stated = _place(machine, files, environment)
        ended = machine.send(yes(_address(silent)), KEY, **stated)
        assert (ended.code, ended.output) == (0, b"")
        assert machine.processes() == [], (environment, files)
    for answer in ("no", "", "maybe", "YES"):
        machines().send(yes(_address(silent), ANSWER=answer), KEY)
    _assert_untouched(silent)


def test_what_is_no_off_forbids_nothing(machines: Callable[..., Machine], peer: Peer) -> None:
    for number, (environment, files) in enumerate(ON, start=1):
        machine = machines()
        machine.send(yes(peer.url), **_place(machine, files, environment))
        peer.wait_for(number)


@pytest.mark.parametrize(("cases", "is_on"), [(OFF, False), (ON, True)])
def test_the_python_client_decides_the_same(
    cases: list[tuple[dict[str, str], Files]], is_on: bool, machines: Callable[..., Machine]
) -> None:
    # What is no decision but comes after it: a version that was stopped, a sealed image, a proxy.
    decided = [case for case in cases if not any(word in str(case) for word in ("stopped", "sealed", "PROXY"))]
    assert len(decided) > 5
    for environment, files in decided:
        machine = machines()
        stated = _place(machine, files, environment) | {"HOME": str(machine.home)}
        seen = telemetry_client.machine.Machine(root=str(machine.root), environ=stated)
        choices = Choices(seen, State(state_directory(seen))).stored()
        situation = Situation(read_configuration(seen), stated, choices, answer=True, default_counts=False)
        assert decide(situation).is_on is is_on, (environment, files)


def test_a_place_that_may_not_be_looked_into_counts_as_off(machine: Machine, silent: socket.socket) -> None:
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        missing("setpriv is missing")
    (machine.home / ".local").mkdir(mode=0o000)
    # Root may look everywhere; without its powers it may not.
    drop = [*("setpriv", "--inh-caps=-all", "--bounding-set=-all")] if os.geteuid() == 0 else []
    program = ["/bin/sh", str(machine.installed / "telemetry/send.sh"), *machine.arguments]
    stated = {f"TELEMETRY_INSTALLER_{name}": value for name, value in yes(_address(silent)).items()}
    path = shutil.which("setpriv") or "setpriv"
    machine.start([path, *drop[1:], *program] if drop else program, machine.environment | stated)
    machine.wait_until_quiet()
    (machine.home / ".local").chmod(0o755)
    _assert_untouched(silent)


# --- the choice that is remembered ------------------------------------------------------------------------------------


def _client(machine: Machine, command: str) -> dict[str, object]:
    """The Python client's command, on the same machine."""
    options = ["--root", str(machine.root), "--state-dir", str(machine.consent.parent), "--format", "json"]
    environment = {"PATH": os.defpath, "HOME": str(machine.home), "PYTHONPATH": str(PROJECT / "client_sdk/python")}
    arguments = options if command == "status" else options[:-2]
    result = subprocess.run(
        [sys.executable, "-m", "telemetry_client", command, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout) if command == "status" else {}


@pytest.mark.parametrize("is_root", [False, True])
@pytest.mark.parametrize("options", ["", "--enable_telemetry 0"])
def test_a_no_is_every_clients_no_and_no_upgrade_changes_it(
    is_root: bool, options: str, machines: Callable[..., Machine], peer: Peer
) -> None:
    machine = machines(is_root=is_root)
    outbox = machine.consent.parent / "outbox"
    outbox.mkdir(parents=True)
    (outbox / "1700000000-0b7e5c1a-58c2-4f0e-9d6c-3f2a9e1b7c44.json").write_text("{}")
    assert _client(machine, "status")["rule"] == "nothing"

    def install(version: str, *, shows: bool, is_yes: bool, options: str = "") -> None:
        variables = {"product_version": version, "installer_command_line_arguments": options}
        installer = machine.installer(peer.url, **variables)
        if shows:
            installer.show_page()
        installer.answer(is_yes=is_yes)
        installer.finish()
        for ended in machine.run(installer):
            assert (ended.code, ended.output) == (0, b"")
        machine.wait_until_quiet()

    install("25.7.0", shows=not options, is_yes=False, options=options)
    stored = machine.consent.read_text()
    assert stored.startswith("choice = off\nchosen_at = ")
    assert machine.consent.stat().st_mode & 0o777 == 0o644
    assert machine.consent.parent.stat().st_mode & 0o777 == 0o755
    assert list(outbox.iterdir()) == []
    assert [path.name for path in machine.consent.parent.glob(".*")] == []
    state = _client(machine, "status")
    assert (state["telemetry"], state["rule"]) == ("off", "stored")

    install("25.8.0", shows=False, is_yes=False)
    install("25.9.0", shows=False, is_yes=True, options="--enable_telemetry 1")
    install("25.10.0", shows=True, is_yes=True)
    assert machine.consent.read_text() == stored
    assert peer.connections == 0

    _client(machine, "on")
    install("25.11.0", shows=True, is_yes=True)
    peer.wait_for(1)
    assert peer.forms[0]["product_version"] == "25.11.0"
    _client(machine, "off")
    install("25.12.0", shows=True, is_yes=True)
    assert peer.connections == 1


def test_a_yes_is_for_one_report_and_switches_nothing_on(machine: Machine, peer: Peer) -> None:
    machine.send(yes(peer.url))
    peer.wait_for(1)
    machine.wait_until_quiet()
    assert list(machine.home.rglob("*")) == []
    assert _client(machine, "status")["rule"] == "nothing"


def test_a_no_reaches_all_places_of_this_user(machine: Machine, tmp_path: Path) -> None:
    places = {"XDG_STATE_HOME": str(tmp_path / "xdg"), "TELEMETRY_STATE_DIR": str(tmp_path / "own")}
    machine.send({"ANSWER": "no"}, **places)
    files = (machine.consent, tmp_path / "xdg/telemetry-client/consent", tmp_path / "own/consent")
    assert all(file.read_text().startswith("choice = off\n") for file in files)


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_a_no_that_cannot_be_stored_disturbs_nobody(kind: str, machine: Machine, tmp_path: Path) -> None:
    place = machine.consent.parent
    place.parent.mkdir(parents=True)
    target = tmp_path / "precious"
    target.write_text("precious")
    if kind == "file":
        place.write_text("")
    elif kind == "directory":
        machine.consent.mkdir(parents=True)
        (machine.consent / "a").touch()
    else:
        place.mkdir()
        machine.consent.symlink_to(target)
    ended = machine.send({"ANSWER": "no"})
    assert (ended.code, ended.output) == (0, b"")
    assert target.read_text() == "precious"


# --- the key ----------------------------------------------------------------------------------------------------------


def _commands_and_environments() -> bytes:
    found = b""
    for place in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            try:
                found += (place / name).read_bytes() + b"\n"
            except OSError:
                continue
    return found


class Watch:
    """Looks at all processes' arguments and environments again and again, as anybody on the machine could."""

    def __init__(self) -> None:
        self.seen = b""
        self.looks = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.is_set():
            found = _commands_and_environments()
            self.looks += 1
            self.seen += b"".join(
                line for line in found.split(b"\n") if any(word in line for word in (b"CANARY", b"curl", b"%43"))
            )


def _files(*places: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for place in places for path in place.rglob("*") if path.is_file()}


@pytest.mark.parametrize("trap", [{}, {"SHELLOPTS": "allexport:xtrace"}, {"key": "x", "body": "x", "line": "x"}])
def test_the_owners_key_is_in_no_argument_environment_file_or_log(
    trap: dict[str, str], machine: Machine, peer: Peer, tls_collector: Server, silent: socket.socket
) -> None:
    bash = shutil.which("bash") or missing("bash is missing")
    log = []
    with Watch() as watch:
        # The last one hangs, so that there is something to look at for as long as curl waits.
        for url in (peer.url, tls_collector.ingest, _address(silent)):
            installer = machine.installer(url)
            installer.environment.update(trap)
            installer.show_page()
            installer.answer(is_yes=True, license_key=KEY)
            installer.finish()
            # What InstallBuilder is known to log: programs and their arguments, and here also all that it set.
            log += [f"{program.path} {program.arguments} {environ}" for program, environ in installer.programs]
            log += [str(installer.variables)]
            for ended in machine.run(installer, shell=bash if trap else ""):
                log.append(ended.output.decode())
        looks = watch.looks
        while watch.looks < looks + 3:
            time.sleep(0.01)
        # Where it would be seen: the search can find.
        planted = subprocess.Popen(["/bin/sleep", "30"], env={"PLANTED": "PLANTED-CANARY"})
        looks = watch.looks
        while watch.looks < looks + 3:
            time.sleep(0.01)
        planted.kill()
        planted.wait()
    machine.stop()
    assert peer.forms[0]["license_key"] == KEY
    assert b"PLANTED-CANARY" in watch.seen
    assert b"--data-binary\0@-" in watch.seen
    # As it is and as the form has it.
    needles = (KEY.encode(), "".join(f"%{byte:02x}" for byte in KEY.encode()).encode())
    assert needles[1] in peer.bodies[0]
    assert not any(needle in watch.seen or needle in "\n".join(log).encode() for needle in needles)
    files = _files(machine.home.parent, tls_collector.data) | {tls_collector.log: tls_collector.log.read_bytes()}
    assert len(files) > 5
    assert [path for path, content in files.items() for needle in needles if needle in content] == []


# --- hostile values ---------------------------------------------------------------------------------------------------

HOSTILE = [
    *("$(touch CANARY)", "`touch CANARY`", "${HOME}", "$HOME", "$$", "$(", "`", "${", "$((1/0))"),
    *('"', "'", '"; touch CANARY; "', "'; touch CANARY; '", "\\", "\\\\", "a\\nb", "a\\", "\\x41", "%s%n%d", "%"),
    *("%41", "%zz", "a&b=c", "a=b", "a;b", "a|touch CANARY", "a > CANARY", "a\nb", "a\r\nb", "\n", "a\tb", "\x01\x7f"),
    *("{a,b}", "[a-z]", "*", "~", "!!", "-o CANARY", "--output=CANARY", "@/etc/passwd", "@-", "#", "a+b", "a b", " a "),
    *("\u00e9\u00e0\u00fc", "\u65e5\u672c\u8a9e", "\U0001f600", "\u202etxt.exe", "${telemetry_url}", "<a>&amp;</a>"),
    *("x" * 3000, "&license_key=STOLEN-0000", "1.0&product=wordpress", "a\0b".replace("\0", "")),
]


@pytest.fixture
def opened() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def test_hostile_values_arrive_unchanged_or_are_rejected_and_never_run(
    machine: Machine, peer: Peer, tls_collector: Server, opened: contextlib.ExitStack
) -> None:
    assert len(HOSTILE) >= 40
    work = machine.home.parent / "tmp"
    context = ssl.create_default_context(cafile=machine.environment["CURL_CA_BUNDLE"])
    netloc = urlsplit(tls_collector.ingest).netloc
    collector = opened.enter_context(
        contextlib.closing(http.client.HTTPSConnection(netloc, context=context, timeout=20))
    )
    accepted = []
    for number, hostile in enumerate(HOSTILE, start=1):
        # Through the component: the version is the one value that it takes as it is.
        installer = machine.installer(peer.url, product_version=hostile)
        installer.answer(is_yes=True, license_key=hostile)
        installer.finish()
        for _, environment in installer.programs:
            environment |= {"TELEMETRY_INSTALLER_OS_VERSION": hostile, "TELEMETRY_INSTALLER_LANGUAGE": hostile}
            environment["PWD"] = str(work)
        for ended in machine.run(installer):
            assert (ended.code, ended.output) == (0, b"")
        peer.wait_for(number)
        form = peer.forms[number - 1]
        expected = {"product": "installbuilder", "product_version": hostile, "os_version": hostile, "language": hostile}
        # A line end after a key frames it.
        key = hostile.rstrip("\n")
        assert form == expected | ({"license_key": key} if key else {}), repr(hostile)
        # The same bytes to the collector: taken as they are, or rejected.
        body = peer.bodies[number - 1]
        path = f"{REPORTS[REPORT].path}?dry_run=1"
        collector.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"})
        response = collector.getresponse()
        answer = json.loads(response.read())
        assert response.status in {200, 413, 422}, repr(hostile)
        if response.status == 200:
            accepted.append(dict(parse_qsl(body.decode())))
        assert "STOLEN" not in json.dumps(answer)
    assert all(set(values.values()) <= {"installbuilder", *HOSTILE} for values in accepted)
    machine.wait_until_quiet()
    assert list(machine.home.parent.rglob("CANARY*")) == []
    assert not Path("CANARY").exists()


def test_a_product_in_a_place_with_a_hostile_name_is_run_where_no_shell_reads_the_line(
    machine: Machine, peer: Peer
) -> None:
    moved = machine.home.parent / "it's $(touch CANARY) & `x` {a} 100%"
    machine.installed.rename(moved)
    machine.installed = moved
    installer = machine.installer(peer.url)
    installer.answer(is_yes=True)
    installer.finish()
    for ended in machine.run(installer):
        assert ended.code == 0
    peer.wait_for(1)
    assert list(machine.home.parent.rglob("CANARY*")) == []
