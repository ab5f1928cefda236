"""What is handed out: one file that any Python from 3.8 on runs, and a wheel of the client alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import telemetry_client
from tests.client.conftest import PACKAGE_PARENT
from tests.conftest import PROJECT, missing
from tests.machine_choice import skip_where_the_machine_says_off
from tests.test_packaging import old_python

if TYPE_CHECKING:
    from tests.client.conftest import Collector

FACTS = ("--product", "wordpress", "--product-version", "6.4.2-0")
BUILD = PROJECT / "client_sdk/python/build_pyz.py"
UNPRIVILEGED = 65534


@pytest.fixture(scope="module")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, in a directory that nobody may write to."""
    directory = tmp_path_factory.mktemp("pyz")
    subprocess.run([sys.executable, BUILD, directory / "telemetry-client.pyz"], check=True, stdout=subprocess.DEVNULL)
    for each in (directory, *directory.parents[:2]):
        each.chmod(0o755)
    directory.chmod(0o555)
    return directory / "telemetry-client.pyz"


def _run(python: str, pyz: Path | str, state: Path, *arguments: str, **settings: object) -> dict[str, object]:
    command, *rest = arguments
    done = subprocess.run(
        [python, pyz, command, "--root", str(state.parent), "--state-dir", str(state), "--format", "json", *rest],
        env={"PATH": os.defpath, "HOME": str(state.parent), "TELEMETRY": "on"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        **settings,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, object] = json.loads(done.stdout)
    return told


def _unprivileged(python: str) -> dict[str, object]:
    """Root writes anywhere: only another user shows that nothing has to be written. Where one may run this Python."""
    settings: dict[str, object] = {"user": UNPRIVILEGED, "group": UNPRIVILEGED}
    try:
        subprocess.run([python, "-c", ""], check=True, **settings)  # type: ignore[call-overload]
    except (OSError, subprocess.CalledProcessError):
        return {}
    return settings


@pytest.mark.parametrize("which", ["3.8", "this"])
def test_one_file_shows_and_sends_from_a_read_only_directory(
    which: str, pyz: Path, collector: Collector, tmp_path: Path
) -> None:
    skip_where_the_machine_says_off()
    python = old_python() if which == "3.8" else sys.executable
    if python is None:
        missing("python3.8 is missing")
    settings: dict[str, object] = {"cwd": pyz.parent, **_unprivileged(python)}
    state = tmp_path / "state"
    told = _run(python, pyz, state, "show", *FACTS, "--url", collector.url, **settings)
    assert '"product":"wordpress"' in str(told["body"])
    told = _run(python, pyz, state, "send", *FACTS, "--url", collector.url, **settings)
    assert told["outcome"] == "accepted"
    assert collector.received[0].fields["product_version"] == "6.4.2-0"
    assert [file.name for file in pyz.parent.iterdir()] == ["telemetry-client.pyz"]


def test_one_file_named_by_a_relative_path_sends_in_the_background(
    pyz: Path, collector: Collector, tmp_path: Path
) -> None:
    import time

    skip_where_the_machine_says_off()
    send = ("send", "--background", *FACTS, "--url", collector.url)
    told = _run(sys.executable, pyz.name, tmp_path / "state", *send, cwd=pyz.parent)
    assert told["outcome"] == "in the background"
    until = time.monotonic() + 10
    while not collector.received and time.monotonic() < until:
        time.sleep(0.02)
    assert len(collector.received) == 1


def test_one_file_can_be_run_by_its_name(pyz: Path) -> None:
    environ = {"PATH": f"{Path(sys.executable).parent}:{os.defpath}"}
    done = subprocess.run([pyz, "--version"], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout == f"telemetry-client {telemetry_client.__version__}\n"


def test_the_same_sources_give_the_same_bytes(pyz: Path, tmp_path: Path) -> None:
    copy = tmp_path / "python"
    subprocess.run(["cp", "-r", PACKAGE_PARENT, copy], check=True)
    subprocess.run(["find", copy, "-exec", "touch", "-d", "2001-01-01", "{}", "+"], check=True)
    build = [sys.executable, copy / "build_pyz.py", tmp_path / "again.pyz"]
    subprocess.run(build, check=True, stdout=subprocess.DEVNULL, env={"TZ": "Asia/Tokyo"})
    assert (tmp_path / "again.pyz").read_bytes() == pyz.read_bytes()


def test_one_file_holds_the_whole_package_and_nothing_else(pyz: Path) -> None:
    package = PACKAGE_PARENT / "telemetry_client"
    with zipfile.ZipFile(pyz) as archive:
        names = set(archive.namelist())
    sources = {f"telemetry_client/{file.name}" for file in package.iterdir() if file.suffix in (".py", ".json")}
    assert names == {"__main__.py", *sources}
    assert "telemetry_client/permits.json" in names


def test_the_clients_wheel_is_the_client_alone(tmp_path: Path) -> None:
    copy = tmp_path / "python"
    subprocess.run(["cp", "-r", PACKAGE_PARENT, copy], check=True)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, copy]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("product_telemetry_client-*.whl")
    assert wheel.name.startswith(f"product_telemetry_client-{telemetry_client.__version__}-")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(next(name for name in names if name.endswith("METADATA"))).decode()
        scripts = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "telemetry_client",
        "product_telemetry_client",
    }
    assert "telemetry_client/permits.json" in names
    assert "Requires-Python: >=3.8" in metadata
    assert "Requires-Dist" not in metadata
    assert "telemetry-client = telemetry_client.__main__:main" in scripts


@pytest.mark.parametrize(
    "arguments",
    [
        ("send", *FACTS, "--url", "https://telemetry.example.com"),
        ("send", "--background", *FACTS, "--url", "https://telemetry.example.com"),
        ("on",),
        ("log",),
    ],
)
def test_opted_out_nothing_of_the_network_is_loaded(arguments: tuple[str, ...], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom telemetry_client.__main__ import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "print(sorted({'ssl', 'socket', 'http.client', 'email', 'random', 'subprocess'} & set(sys.modules)))\n"
    )
    places = ["--root", str(tmp_path), "--state-dir", str(tmp_path / "state")]
    command, *rest = arguments
    done = subprocess.run(
        [sys.executable, "-c", code, command, *places, *rest],
        env={"PYTHONPATH": str(PACKAGE_PARENT), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.splitlines()[-1]
    # What is written is written through a temporary file, whose name is random.
    assert loaded == ("['random']" if command == "on" else "[]")
