"""The installation on one machine: the file is what Compose understands, nothing in it is open, and its parts fit."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.supervisor import STOP_SECONDS
from tests.clickhouse_server import ClickHouseServer
from tests.conftest import BIN, PROJECT, collector, missing, started
from tests.containers.dockerfile import stages

FILE = PROJECT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# What whoever installs it says; secrets lie somewhere of their own.
CHOSEN = {"TELEMETRY_HOST": "t.example.com", "USAGE_HOST": "usage.example.com", "GRAFANA_HOST": "grafana.example.com"}
SECRETS = "${SECRETS:-/etc/product-telemetry}"
COMPOSE_GO = "v2.9.1"
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?")


def put_in(text: str) -> str:
    """A value with the variables of its like put in, and `$$` as Compose reads it."""
    text = re.sub(r"\$\{(\w+)(?::[-?]([^}]*))?\}", lambda m: CHOSEN.get(m[1], m[2]), text)
    return text.replace("$$", "$")


def test_it_is_what_the_specification_says() -> None:
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", FILE]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_can_do_no_more_than_its_work(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & set(service)
    assert int(service["user"].split(":")[0]) > 0
    assert service["mem_limit"]
    assert 0 < service["cpus"] <= 2
    assert service["pids_limit"] > 0
    assert service["logging"]["options"]["max-size"]
    assert PINNED.fullmatch(put_in(service["image"])), service["image"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_whether_it_is_well_or_ends_by_itself(name: str) -> None:
    service = SERVICES[name]
    if service["restart"] == "no":
        waited = [s["depends_on"][name] for s in SERVICES.values() if name in s.get("depends_on", {})]
        assert waited == [{"condition": "service_completed_successfully"}]
    elif "build" in service:
        assert "healthcheck" not in service, "the image has its own"
        assert [
            step for step in stages(PROJECT / service["build"]["dockerfile"])[-1].steps if step.verb == "HEALTHCHECK"
        ]
    else:
        assert service["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


def mounts() -> list[tuple[str, str]]:
    """What services mount of this checkout: service and path."""
    found = [(name, volume.split(":")[0]) for name, s in SERVICES.items() for volume in s.get("volumes", [])]
    return [(name, path) for name, path in found if path.startswith(".")]


@pytest.mark.parametrize(("name", "path"), mounts())
def test_what_is_mounted_is_there_and_cannot_be_changed(name: str, path: str) -> None:
    (volume,) = [volume for volume in SERVICES[name]["volumes"] if volume.startswith(f"{path}:")]
    assert volume.endswith(":ro")
    if not (PROJECT / path).exists():
        assert path == "./deploy/prometheus"
        missing(f"{path} is not there")


def test_prometheus_looks_where_the_metrics_are() -> None:
    file = PROJECT / "deploy/prometheus/prometheus.yml"
    if not file.exists():
        missing("deploy/prometheus/prometheus.yml is not there")
    jobs = yaml.safe_load(file.read_text(encoding="utf-8"))["scrape_configs"]
    files = [file.parent / name for job in jobs for found in job.get("file_sd_configs", []) for name in found["files"]]
    named = [found for job in jobs for found in job.get("static_configs", [])]
    named += [found for path in files for found in yaml.safe_load(path.read_text(encoding="utf-8"))]
    targets = {target for found in named for target in found["targets"]}
    assert targets & {"127.0.0.1:8082", "localhost:8082"}


def test_everything_that_is_named_is_declared_and_used() -> None:
    volumes = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", []) if not v.startswith(".")}
    assert volumes == set(COMPOSE["volumes"])
    assert {secret for s in SERVICES.values() for secret in s.get("secrets", [])} == set(COMPOSE["secrets"])
    assert {c["source"] for s in SERVICES.values() for c in s.get("configs", [])} == set(COMPOSE["configs"])
    assert {n for s in SERVICES.values() for n in s.get("networks", {})} == set(COMPOSE["networks"])


def test_only_the_front_is_reachable_and_only_two_reach_out() -> None:
    assert {name: s["ports"] for name, s in SERVICES.items() if "ports" in s} == {"front": ["443:8443"]}
    outward = {name for name, network in COMPOSE["networks"].items() if network.get("internal") is not True}
    reach_out = {name for name, s in SERVICES.items() if outward & set(s.get("networks", {}))}
    assert (outward, reach_out) == ({"outside"}, {"front", "grafana-plugin"})
    assert {name for name, s in SERVICES.items() if "networks" not in s} == {"prometheus"}
    assert SERVICES["prometheus"]["network_mode"] == "service:collector"


def test_a_secret_is_a_file_and_no_variable() -> None:
    for secret in COMPOSE["secrets"].values():
        assert secret["file"].startswith(f"{SECRETS}/")
    assert SERVICES["clickhouse"]["env_file"] == [f"{SECRETS}/clickhouse.env"]
    for service in SERVICES.values():
        for name in service.get("environment", {}):
            assert "PASSWORD" not in name or name.endswith("FILE")


def test_the_fronts_address_is_the_one_that_is_believed() -> None:
    front, told = SERVICES["front"], SERVICES["collector"]["environment"]
    (network,) = COMPOSE["networks"]["inside"]["ipam"]["config"]
    assert told["COLLECTOR_TRUSTED_PROXIES"] == f"{front['networks']['inside']['ipv4_address']}/32"
    for host in front["extra_hosts"]:
        name, address = host.split(":")
        assert SERVICES[name]["networks"]["inside"]["ipv4_address"] == address
        assert ipaddress.ip_address(address) in ipaddress.ip_network(network["subnet"])
    template = (PROJECT / "deploy/front/nginx.conf.template").read_text(encoding="utf-8")
    names = set(re.findall(r"\$\{(\w+)\}", template))
    assert names == {name for name in front["environment"] if name.endswith("_HOST")}
    wanted = re.compile(put_in(front["environment"]["NGINX_ENVSUBST_FILTER"]))
    assert all(wanted.match(name) for name in names)
    assert set(re.findall(r"/run/secrets/([\w-]+)", template)) == set(front["secrets"])


@pytest.mark.parametrize("name", ["collector", "migrate"])
def test_the_collector_accepts_its_settings_and_has_its_verb(name: str) -> None:
    given = {key: put_in(value) for key, value in SERVICES[name]["environment"].items()}
    checked = collector("check", check=False, **given)
    assert (checked.returncode, checked.stdout.startswith("no problems")) == (0, True), checked.stdout
    secret = given["COLLECTOR_STORE_PASSWORD_FILE"].removeprefix("/run/secrets/")
    assert secret in SERVICES[name]["secrets"]
    assert collector(*SERVICES[name]["command"], "--help").returncode == 0
    assert SERVICES[name]["user"] == stages(PROJECT / "deploy/Dockerfile")[-1].last("USER").value


def test_a_setting_that_is_none_would_be_found() -> None:
    assert collector("check", check=False, COLLECTOR_TRUSTED_PROXY="10.0.0.1").returncode == 1


def test_a_container_that_is_made_anew_is_the_same_machine_to_the_database() -> None:
    assert SERVICES["collector"]["hostname"] == "collector"
    seconds = int(SERVICES["collector"]["stop_grace_period"].removesuffix("s"))
    assert seconds > 2 * STOP_SECONDS


NO_DEFAULT = '<default remove="1"/>'


def test_the_user_without_a_password_is_taken_away() -> None:
    assert NO_DEFAULT in COMPOSE["configs"]["clickhouse-users"]["content"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """A real server with just the files that the container gets, but for where its users come from."""
    directory = tmp_path_factory.mktemp("clickhouse")
    server = ClickHouseServer(directory)
    place = "/etc/clickhouse-server/"
    for volume in SERVICES["clickhouse"]["volumes"]:
        source, target, *_ = volume.split(":")
        if target.startswith(place):
            (directory / target.removeprefix(place)).parent.mkdir(exist_ok=True)
            shutil.copy(PROJECT / source, directory / target.removeprefix(place))
    for config in SERVICES["clickhouse"]["configs"]:
        text = COMPOSE["configs"][config["source"]]["content"].replace("172.31.252.0/28", "127.0.0.1")
        # What makes a server of the tests' library is a statement of this user.
        text = text.replace(NO_DEFAULT, "")
        (directory / config["target"].removeprefix(place)).write_text(text)
    for user in ("OWNER", "PM"):
        server.environment[f"TELEMETRY_{user}_SHA256"] = hashlib.sha256(f"of-{user}".encode()).hexdigest()
    with started(server) as running:
        yield running


def test_the_server_starts_with_its_files_and_the_collector_makes_its_tables(
    server: ClickHouseServer, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("of-OWNER\n")
    password.chmod(0o400)
    given = {"COLLECTOR_STORE_URL": f"clickhouse://owner@127.0.0.1:{server.port}"}
    given["COLLECTOR_STORE_PASSWORD_FILE"] = str(password)
    made = collector(*SERVICES["migrate"]["command"], "--data", str(tmp_path / "data"), **given)
    assert made.returncode == 0
    again = collector(*SERVICES["migrate"]["command"], "--data", str(tmp_path / "data"), **given)
    assert again.returncode == 0
    assert server.answer("SELECT count() FROM public.cells", "pm", "of-PM") == (True, "0\n")
    for sql in ("SELECT count() FROM private.reports", "SELECT count() FROM system.parts"):
        assert not server.answer(sql, "pm", "of-PM")[0]


@pytest.mark.parametrize("user", ["ingest", "publisher", "reports", "example_person"])
def test_nobody_else_can_log_in(server: ClickHouseServer, user: str) -> None:
    for password in ("", "of-OWNER", "of-PM"):
        done, text = server.answer("SELECT 1", user, password)
        assert not done
        assert "Authentication failed" in text or "no user" in text.lower(), text


PROGRAM = """package main

import (
	"context"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

func main() {
	options, err := cli.NewProjectOptions(os.Args[1:], cli.WithOsEnv)
	if err == nil {
		_, err = options.LoadProject(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
"""


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that `docker compose` reads its files with, as a program."""
    if shutil.which("go") is None:
        missing("go is missing")
    directory = tmp_path_factory.mktemp("loader")
    (directory / "main.go").write_text(PROGRAM)
    needs = f"module loader\n\ngo 1.23\n\nrequire github.com/compose-spec/compose-go/v2 {COMPOSE_GO}\n"
    (directory / "go.mod").write_text(needs)
    for command in (["go", "mod", "tidy"], ["go", "build", "-o", "loader", "."]):
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return directory / "loader"


@pytest.mark.only_with("CONTAINERS")
@pytest.mark.timeout(300)
def test_compose_itself_reads_it(loader: Path, tmp_path: Path) -> None:
    (tmp_path / "clickhouse.env").write_text("A=b\n")
    given = {"PATH": os.environ["PATH"], "SECRETS": str(tmp_path)} | CHOSEN
    for left_out in (None, *CHOSEN):
        environment = {name: value for name, value in given.items() if name != left_out}
        read = subprocess.run([loader, FILE], capture_output=True, text=True, check=False, env=environment)
        assert (read.returncode == 0) == (left_out is None), read.stderr
        assert left_out is None or f"required variable {left_out} is missing" in read.stderr


def prepared(directory: Path) -> str:
    """The commands that make the secrets, as they stand in the page, for another directory."""
    page = (PROJECT / "deploy/CONTAINERS.md").read_text(encoding="utf-8")
    block = textwrap.dedent(page.split("   ```sh\n")[1].split("   ```\n")[0])
    return block.replace("/etc/product-telemetry", str(directory))


def test_the_commands_of_the_page_make_the_secrets_for_their_readers(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("not root: files cannot be given away")
    for name in ("chain", "key"):
        (tmp_path / name).write_text(name)
    given = {"PATH": os.environ["PATH"], "CHAIN": f"{tmp_path}/chain", "KEY": f"{tmp_path}/key"}
    subprocess.run(["sh", "-eu", "-c", prepared(tmp_path / "secrets")], check=True, env=given)
    for name, secret in COMPOSE["secrets"].items():
        file = tmp_path / "secrets" / secret["file"].removeprefix(f"{SECRETS}/")
        readers = {service["user"].split(":")[0] for service in SERVICES.values() if name in service.get("secrets", [])}
        assert readers == {str(file.stat().st_uid)}
        assert (file.stat().st_mode & 0o777, file.read_text().strip() != "") == (0o400, True)
    digests = dict(line.split("=") for line in (tmp_path / "secrets/clickhouse.env").read_text().splitlines())
    for user in ("OWNER", "PM"):
        password = (tmp_path / f"secrets/{user.lower()}-password").read_text().strip()
        assert digests.pop(f"TELEMETRY_{user}_SHA256") == hashlib.sha256(password.encode()).hexdigest()
    assert digests == {}
