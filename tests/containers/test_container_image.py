"""The Dockerfile: found in order by its linter, really built, and started as it is in production.

The build takes about a minute and a half and fetches packages: `make test-containers`, which sets CONTAINERS=all.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import BIN, PROJECT
from tests.containers.building import DOCKERFILE, Container, Image, built, started, wait_until
from tests.containers.dockerfile import context, stages

if TYPE_CHECKING:
    from collections.abc import Iterator

IGNORE = DOCKERFILE.with_name("Dockerfile.dockerignore")
is_long = pytest.mark.only_with("CONTAINERS")
# A server that never answers: reports are taken all the same.
AWAY = ("serve", "--ingest-host", "0.0.0.0", "--store-url", "clickhouse://owner@127.0.0.1:9")  # noqa: S104 - in a container
PASSWORD = {"COLLECTOR_STORE_PASSWORD": "none"}
REPORT = ("--product", "wordpress", "--product-version", "6.4.2-0", "--url", "http://127.0.0.1:8080")


def test_hadolint_finds_nothing() -> None:
    found = subprocess.run([BIN / "hadolint", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_the_context_holds_the_program_and_nothing_else() -> None:
    files = set(context(PROJECT, IGNORE))
    assert {path.parts[0] for path in files} == {"pyproject.toml", "README.md", "collector", "schemas", "client_sdk"}
    assert Path("collector/publish/menu.toml") in files
    tracked = subprocess.run(["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False).stdout
    assert not tracked or {str(path) for path in files} <= set(tracked.split("\n"))


def test_a_secret_beside_the_code_stays_out(tmp_path: Path) -> None:
    for name in ("secrets/owner", "collector/.env", "data/secrets/pepper-2026Q4", ".venv/bin/python", "collector/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert [str(path) for path in context(tmp_path, IGNORE)] == ["collector/a.py"]


def test_every_stage_has_the_same_pinned_base_and_the_last_one_is_nobodys() -> None:
    first, last = stages(DOCKERFILE)
    assert first.base == last.base
    assert first.base.startswith("debian:bookworm-20")
    assert last.last("USER").value == "10001:10001"
    assert last.last("STOPSIGNAL").value == "SIGTERM"
    # A variable would win over a file of settings.
    assert not [name for name in last.environment if name.startswith("COLLECTOR_")]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    began = time.monotonic()
    with built(tmp_path_factory.mktemp("image")) as made:
        seconds = time.monotonic() - began
        sys.__stderr__.write(f"\nimage: {made.own_bytes / 1e6:.0f} MB on its base, built in {seconds:.0f} s\n")  # type: ignore[union-attr]
        yield made


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a container is given to write to: new, and its user's alone."""
    directory = tmp_path_factory.mktemp("volume")
    os.chown(directory, 10001, 10001)
    return directory


@pytest.fixture(scope="module")
def container(image: Image, volume: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    log = tmp_path_factory.mktemp("log") / "log"
    with started(image, volume, log, *AWAY, **PASSWORD) as running:
        wait_until(lambda: "Ctrl-C" in log.read_text() or running.process.poll() is not None)
        assert running.process.poll() is None, log.read_text()
        yield running


@is_long
@pytest.mark.timeout(600)
def test_no_installer_and_no_source_is_in_the_image(image: Image) -> None:
    found = [path for path in image.tree.path.rglob("*") if path.name in {"pip", "pip3", "ensurepip", "setuptools"}]
    assert found == []
    assert not (image.tree.path / "src").exists()
    # Packages and their indexes are not kept, and nothing of the build machine's is.
    assert [*(image.tree.path / "var/lib/apt/lists").glob("*")] == []
    assert image.own_bytes < 300_000_000


@is_long
def test_a_report_sent_by_the_client_is_accepted(container: Container, tmp_path: Path) -> None:
    client = [BIN / "telemetry-client", "send", *REPORT]
    sent = container.beside(*client, TELEMETRY="on", TELEMETRY_STATE_DIR=str(tmp_path), CI="")
    assert sent.stdout.startswith("accepted"), sent


@is_long
def test_it_is_nobody_with_no_rights_on_a_root_that_nobody_writes_to(container: Container) -> None:
    status = container.inside("cat", "/proc/1/status").stdout
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(lines["Uid"].split()) == set(lines["Gid"].split()) == {"10001"}
    assert int(lines["CapBnd"], 16) == int(lines["CapEff"], 16) == 0
    for path in ("/", "/opt/product-telemetry", "/usr/bin", "/etc", "/var/log"):
        refused = container.inside("touch", f"{path}/x")
        assert refused.returncode != 0, path
    data = container.inside("stat", "--format=%a %u", "data", "data/secrets").stdout
    assert data == "700 10001\n700 10001\n"


@is_long
def test_the_other_verbs_find_the_directory_by_themselves(container: Container) -> None:
    state = json.loads(container.inside("collector", "status", "--format", "json").stdout or "{}")
    assert "waiting" in state or "store" in json.dumps(state)


@is_long
def test_the_health_check_fails_when_it_hangs_and_recovers(container: Container) -> None:
    assert container.health() == 0
    processes = [container.pid, *map(int, _descendants(container.pid))]
    try:
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        assert container.health() == 1
    finally:
        for pid in reversed(processes):
            os.kill(pid, signal.SIGCONT)
    assert container.health() == 0


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


@is_long
def test_without_room_for_reports_it_is_not_healthy(image: Image, tmp_path: Path) -> None:
    os.chown(tmp_path, 10001, 10001)
    log = tmp_path.with_suffix(".log")
    with started(image, tmp_path, log, *AWAY, "--max-spool-bytes", "1048576", **PASSWORD) as running:
        wait_until(lambda: "Ctrl-C" in log.read_text())
        assert running.health() == 0, log.read_text()
        filled = running.beside(sys.executable, "-c", _FILL)
        assert "507" in filled.stdout, filled
        wait_until(lambda: running.health() == 1, 5)


# Batches of reports until there is no room for one.
_FILL = """
import http.client
import json
import sys
line = json.dumps({"source": "vm", "product": "wordpress", "product_version": "6.4.2-0", "os_version": "debian-12"})
connection = http.client.HTTPConnection("127.0.0.1", 8080)
for _ in range(200):
    body = (line + "\\n") * 2000
    connection.request("POST", "/v1/reports/image-boot/1", body, {"Content-Type": "application/x-ndjson"})
    answer = connection.getresponse()
    text = answer.read().decode()
    if answer.status == 507 or '"status":507' in text.replace(" ", ""):
        print(507)
        sys.exit()
print(answer.status, text[:300])
"""


@is_long
def test_the_signal_of_docker_stop_ends_it_with_nothing_lost(container: Container, volume: Path) -> None:
    began = time.monotonic()
    os.kill(container.pid, signal.SIGTERM)
    assert container.process.wait(timeout=20) == 0
    assert time.monotonic() - began < 10
    assert [*volume.glob("data/spool/*/*")], "the report of the test before waits for the store"
