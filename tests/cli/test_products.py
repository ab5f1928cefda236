from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner, Result

from collector.added_products import added_products, editing
from collector.cli.products import command
from collector.cli.take_up import TakenUp, take_up
from collector.configuration import fingerprint, read_configuration
from collector.layout import Layout
from collector.settings import Settings
from schemas.catalogue import SHIPPED_CATALOGUE
from schemas.problems import ConfigurationError
from tests.conftest import Server, collector, running

if TYPE_CHECKING:
    from collections.abc import Iterator

NEW = ("acme-cms", "--title", "Acme CMS", "--source", "vm", "--source", "cloud")
BOOT = "/v1/reports/image-boot/1"


@pytest.fixture
def data(tmp_path: Path) -> str:
    """The directory of a collector that does not run."""
    (tmp_path / "data" / "spool").mkdir(parents=True)
    return str(tmp_path / "data")


def run(*arguments: str, check: bool = True) -> Result:
    """The command, run in this process."""
    result = CliRunner().invoke(command, arguments)
    assert not check or result.exit_code == 0, result.stderr
    return result


def products(data: str, *options: str) -> dict[str, bool]:
    listed = json.loads(run("list", "--data", data, "--format", "json", *options).stdout)["products"]
    return {one["name"]: one["added"] for one in listed}


def test_nothing_is_written_through_a_link_that_somebody_left(data: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    for name in (f".products.toml-{os.getpid()}", "products.toml"):
        (Path(data) / name).symlink_to(victim)
    run("add", "--data", data, *NEW, check=False)
    assert victim.read_text() == "untouched"


def test_versions_about_to_come_out_are_written_down(data: str) -> None:
    run("add", "--data", data, *NEW, "--version", "1.0.0-0", "--version", "1.0.1-0")
    catalogue = read_configuration(Settings(data=Path(data))).catalogue
    assert catalogue.products["acme-cms"].versions == ("1.0.0-0", "1.0.1-0")
    refused = run(
        "add", "--data", data, "acme-db", "--title", "A", "--source", "vm", "--version", "canary!", check=False
    )
    assert refused.exit_code == 2
    assert "versions.0" in refused.stderr
    assert "canary" not in refused.stderr


def test_added_product_may_report_at_the_next_start_and_removed_not(data: str) -> None:
    assert "acme-cms" not in products(data)
    said = run("add", "--data", data, *NEW, "--version-line-parts", "3").stdout
    assert "takes effect when `collector serve` starts" in said
    catalogue = read_configuration(Settings(data=Path(data))).catalogue
    assert catalogue.products["acme-cms"].version_line("6.4.2.1") == "6.4.2"
    listed = products(data)
    assert listed["acme-cms"]
    assert not listed["wordpress"]
    assert "stored already stay" in run("remove", "--data", data, "acme-cms").stdout
    assert "acme-cms" not in products(data)
    # What the commands did is in the audit trail.
    assert {path.name for path in Path(data).iterdir()} == {"spool", "access.sqlite"}


def test_what_a_person_wrote_into_the_file_stays(data: str) -> None:
    run("add", "--data", data, *NEW)
    file = Path(data) / "products.toml"
    file.write_text(file.read_text().replace("[products.acme-cms]", "# asked for by Ann\n[products.acme-cms]"))
    run("add", "--data", data, "acme-db", *NEW[1:])
    run("remove", "--data", data, "acme-db")
    assert "# asked for by Ann\n[products.acme-cms]" in file.read_text()
    assert list(tomllib.loads(file.read_text())["products"]) == ["acme-cms"]
    assert file.stat().st_mode & 0o777 == 0o600


def test_added_twice_is_said_and_changes_nothing(data: str) -> None:
    run("add", "--data", data, *NEW)
    before = (Path(data) / "products.toml").read_text()
    assert "was added before" in run("add", "--data", data, *NEW).stdout
    other = run("add", "--data", data, *NEW, "--source", "container", check=False)
    assert other.exit_code == 2
    assert "differently; remove it first" in other.stderr
    assert (Path(data) / "products.toml").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["Acme CMS", *NEW[1:]], "a name is lower-case letters, digits and single hyphens"),
        (["acme", "--title", "", "--source", "vm"], "title"),
        (["acme", "--title", "A", "--source", "installbuilder"], "image-boot comes from vm, cloud or container only"),
        (
            ["acme", "--title", "A", "--source", "installbuilder", "--report", "installbuilder-run"],
            "is for product installbuilder alone",
        ),
        ([*NEW, "--version-line-parts", "9"], "version_line_parts"),
        (["wordpress", *NEW[1:]], "is in the configured catalogue already"),
    ],
)
def test_product_that_may_not_stand_in_a_catalogue_is_refused_in_one_line(
    data: str, arguments: list[str], problem: str
) -> None:
    result = run("add", "--data", data, *arguments, check=False)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in Path(data).iterdir()] == ["spool"]


def test_directory_of_something_else_gets_no_products(tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("root")
    result = run("add", "--data", str(tmp_path), *NEW, check=False)
    assert result.exit_code == 2
    assert "holds no collector data" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["passwd"]


def test_name_in_both_catalogues_is_named_and_can_be_removed(data: str, tmp_path: Path) -> None:
    """A new release may bring a product that an operator added before."""
    run("add", "--data", data, *NEW)
    own = tmp_path / "own.toml"
    own.write_text(SHIPPED_CATALOGUE.read_text() + (Path(data) / "products.toml").read_text())
    settings = Settings(data=Path(data), catalogue=own)
    with pytest.raises(ConfigurationError, match=r"product acme-cms: stands in .*own.toml too"):
        read_configuration(settings)
    checked = collector("check", "--data", data, "--catalogue", str(own), check=False)
    assert "product acme-cms: stands in" in checked.stdout
    run("remove", "--data", data, "--catalogue", str(own), "acme-cms")
    assert "acme-cms" in read_configuration(settings).catalogue.products


def test_added_product_is_not_judged_by_the_shipped_examples(data: str) -> None:
    run("add", "--data", data, "not-in-the-catalogue", *NEW[1:])
    assert collector("check", "--data", data).stdout.startswith("no problems")


def test_product_of_the_catalogue_is_not_removed(data: str) -> None:
    result = run("remove", "--data", data, "wordpress", check=False)
    assert result.exit_code == 2
    assert "is not among the added products" in result.stderr


def test_one_waits_while_another_changes_the_products(data: str) -> None:
    paths = Layout(Path(data))
    second = threading.Thread(target=run, args=("add", "--data", data, "acme-db", *NEW[1:]))
    with editing(paths):
        second.start()
        second.join(1)
        assert second.is_alive()
    second.join()
    assert list(added_products(paths)) == ["acme-db"]


def test_fingerprint_changes_with_content_and_with_nothing_else(data: str, tmp_path: Path) -> None:
    settings = Settings(data=Path(data))
    before = fingerprint(read_configuration(settings))
    copy = tmp_path / "copy.toml"
    shutil.copy(SHIPPED_CATALOGUE, copy)
    assert fingerprint(read_configuration(Settings(data=Path(data), catalogue=copy))) == before
    run("add", "--data", data, *NEW)
    assert fingerprint(read_configuration(settings)) != before
    # Another process has other hashes of strings, and the same fingerprint.
    program = (
        "from pathlib import Path; from collector.settings import Settings; from collector.configuration import *\n"
        f"print(fingerprint(read_configuration(Settings(data=Path({data!r})))))"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == fingerprint(read_configuration(settings))


HOLD = """
import fcntl, os, sys, time
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
os.pwrite(lock, (sys.argv[2] or str(os.getpid())).encode(), 0)
print("held", flush=True)
time.sleep(60)
"""


@contextlib.contextmanager
def held(paths: Layout, owner: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """The directory in use by a process without a handler for SIGHUP, and `owner` in the lock file."""
    with subprocess.Popen([sys.executable, "-c", HOLD, paths.lock, owner], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            yield holder
        finally:
            holder.kill()


def test_command_that_holds_the_directory_is_not_ended_by_a_signal(data: str) -> None:
    paths = Layout(Path(data))
    with held(paths) as holder:
        assert take_up(paths, "0" * 64) is TakenUp.NOT_REACHED
        with pytest.raises(subprocess.TimeoutExpired):
            holder.wait(0.3)


def test_process_that_does_not_hold_the_directory_gets_no_signal(data: str) -> None:
    """The number in the lock file may have been given to another process since."""
    paths = Layout(Path(data))
    hung_up: list[int] = []
    previous = signal.signal(signal.SIGHUP, lambda number, _: hung_up.append(number))
    try:
        with held(paths, owner=str(os.getpid())):
            assert take_up(paths, "0" * 64) is TakenUp.NOT_REACHED
    finally:
        signal.signal(signal.SIGHUP, previous)
    assert hung_up == []


def post(connection: http.client.HTTPConnection, product: str) -> int:
    body = json.dumps({"source": "vm", "product": product, "product_version": "1.0"})
    connection.request("POST", BOOT, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    response.read()
    return response.status


def connect(server: Server) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(urlsplit(server.ingest).netloc, timeout=20)
    connection.auto_open = False  # a dropped connection is an error, not opened again
    connection.connect()
    return connection


def test_running_server_takes_products_up_without_dropping_a_connection(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--workers", "2") as server:
        data = str(server.data)
        connections = [connect(server) for _ in range(6)]
        assert [post(one, "acme-cms") for one in connections] == [422] * 6
        said = collector("products", "add", "--data", data, *NEW).stdout
        assert "the running collector has taken it up" in said
        assert [post(one, "acme-cms") for one in connections] == [202] * 6
        removed = collector("products", "remove", "--data", data, "acme-cms").stdout
        assert "the running collector has taken it up" in removed
        assert [post(one, "acme-cms") for one in connections] == [422] * 6
        for one in connections:
            one.close()
        assert server.wait_until_loaded()["loaded"] == 6


def test_files_of_the_running_server_are_what_an_added_product_is_judged_by(tmp_path: Path) -> None:
    """Whatever catalogue this command would read without its settings."""
    own = tmp_path / "own.toml"
    own.write_text(SHIPPED_CATALOGUE.read_text().replace("[products.redis]", "[products.own-product]"))
    with running(tmp_path / "data", "--catalogue", str(own)) as server:
        data = str(server.data)
        refused = collector("products", "add", "--data", data, "own-product", *NEW[1:], check=False)
        assert f"is in the configured catalogue already, {own}" in refused.stderr
        assert "has taken it up" in collector("products", "add", "--data", data, "redis", *NEW[1:]).stdout
        # What the server would refuse is said, and what it works with stays.
        own.write_text("not TOML")
        broken = collector("products", "remove", "--data", data, "redis", check=False)
        assert broken.returncode == 2
        assert "own.toml: not valid TOML" in broken.stderr
        assert "what is written is taken up once this is mended" in broken.stderr
        connection = connect(server)
        assert post(connection, "own-product") == 202
        connection.close()
