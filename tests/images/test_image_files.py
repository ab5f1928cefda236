"""What an image's builder copies: units, scripts and examples are what the tools of their kind accept."""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import hcl2
import pytest
import yaml

from telemetry_client.client import open_client
from telemetry_client.machine import Machine
from telemetry_client.permits import load_permits
from telemetry_client.state import State
from tests.conftest import PROJECT
from tests.images.debian_tree import needed

if TYPE_CHECKING:
    from tests.images.conftest import MakeTree
    from tests.images.network import Network

IMAGES = PROJECT / "deploy" / "images"
UNITS = sorted((IMAGES / "systemd").iterdir())
SCRIPTS = [IMAGES / "install.sh", IMAGES / "user-data", IMAGES / "profile.sh", IMAGES / "container" / "entrypoint.sh"]


def test_the_notice_at_login_is_the_one_of_the_client() -> None:
    notice = open_client(Machine(), load_permits(), State(""), 0).notice
    assert (IMAGES / "notice").read_text(encoding="utf-8") == f"{notice}\n"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    needed("shellcheck")
    found = subprocess.run(["shellcheck", "--shell=sh", script], capture_output=True, text=True, check=False)
    assert found.stdout == ""


def test_units_are_understood_by_systemd_and_hardened(make_tree: MakeTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree = make_tree("python")
    names = " ".join(unit.name for unit in UNITS)
    verified = tree.run(f"systemd-analyze verify --man=no {names} 2>&1")
    assert (verified.returncode, verified.stdout) == (0, "")
    services = [unit.name for unit in UNITS if unit.suffix == ".service"]
    judge = "systemd-analyze security --offline=true --no-pager {} | tail -n 1"
    told = tree.run("\n".join(judge.format(name) for name in services)).stdout
    with capsys.disabled():
        sys.stdout.write(f"\n{told}")
    scores = [float(score) for score in re.findall(r": ([0-9.]+) ", told)]
    assert len(scores) == len(services)
    assert max(scores) < 3.5


def test_the_hourly_unit_does_what_the_other_does() -> None:
    def service(name: str) -> str:
        return (IMAGES / "systemd" / name).read_text(encoding="utf-8").split("[Service]")[1]

    assert service("telemetry-client.service") == service("telemetry-client-retry.service")


def test_no_unit_is_part_of_the_boot_or_waits_for_a_network() -> None:
    for unit in UNITS:
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read(unit, encoding="utf-8")
        assert "network-online" not in unit.read_text(encoding="utf-8")
        installed = dict(parser["Install"]) if parser.has_section("Install") else {}
        assert installed == ({"WantedBy": "timers.target"} if unit.suffix == ".timer" else {})
        assert not {"Before", "RequiredBy"} & set(parser["Unit"])


@pytest.mark.parametrize("snippet", sorted((IMAGES / "cloud-init").iterdir()), ids=lambda snippet: snippet.name)
def test_cloud_init_accepts_the_snippets(snippet: Path) -> None:
    needed("cloud-init")
    told = subprocess.run(
        ["cloud-init", "schema", "--config-file", snippet], capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout + told.stderr
    assert "Valid cloud-config" in told.stdout


def packer_lines() -> list[str]:
    """Every line that the Packer example runs on the machine."""
    text = (IMAGES / "packer" / "image.pkr.hcl").read_text(encoding="utf-8")
    lists = re.findall(r"inline\s*=\s*(\[.*?\n?\s*\])", text, re.DOTALL)
    return [line for found in lists for line in json.loads(found)]


def test_the_packer_example_builds_an_image_that_sends(make_tree: MakeTree, network: Network) -> None:
    tree = make_tree()
    lines = packer_lines()
    assert lines[-1] == "telemetry-client seal"
    first, *others = lines
    copied = ["cp -r /checkout/client_sdk /tmp/telemetry", "cp -r /checkout/images /tmp/telemetry/deploy"]
    script = "\n".join(["set -e", first, *copied, *others])
    subprocess.run(["mkdir", tree.path / "checkout"], check=True)
    subprocess.run(["cp", "-r", PROJECT / "client_sdk", IMAGES, tree.path / "checkout"], check=True)
    built = tree.run(script.replace("telemetry.example.com", "telemetry.test"), network=network.name)
    assert built.returncode == 0, built.stdout + built.stderr
    assert not (tree.path / "var/lib/telemetry-client/outbox").exists()
    with network.collector():
        sent = tree.run("env $(cat /usr/lib/telemetry-client/environment) telemetry-client send", network=network.name)
    assert sent.stdout.startswith("accepted"), sent
    assert len(network.received()) == 1


def test_the_packer_example_is_hcl() -> None:
    # No more than a second opinion: the lines that matter were run by the test above.
    with (IMAGES / "packer" / "image.pkr.hcl").open(encoding="utf-8") as file:
        assert hcl2.load(file)["build"]


def test_the_kubernetes_example_is_a_deployment_that_opts_out(make_tree: MakeTree) -> None:
    deployment = yaml.safe_load((IMAGES / "kubernetes" / "deployment.yaml").read_text(encoding="utf-8"))
    assert deployment["kind"] == "Deployment"
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    environment = {variable["name"]: variable["value"] for variable in container["env"]}
    assert environment["TELEMETRY"] == "off"
    volumes = {volume["name"] for volume in deployment["spec"]["template"]["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    assert container["volumeMounts"][0]["mountPath"] == environment["TELEMETRY_STATE_DIR"]
    status = make_tree("python").run("telemetry-client status", environment=environment).stdout
    assert re.match(r"Telemetry +off", status), status


LOGINS = {
    "nobody chose": ("", "", True),
    "stored": ("/var/lib/telemetry-client/consent", "choice = off\n", False),
    "administrator": ("/etc/telemetry-client/config", "telemetry = on\n", False),
}


@pytest.mark.parametrize("login", LOGINS)
def test_the_login_notice_is_there_until_somebody_chose(login: str, make_tree: MakeTree) -> None:
    tree = make_tree("python")
    path, text, is_shown = LOGINS[login]
    if path:
        tree.write(path, text)
    # `script` gives the login shell a terminal.
    shown = tree.run("script -qec 'sh -lc true' /dev/null")
    assert ((IMAGES / "notice").read_text(encoding="utf-8").strip() in shown.stdout) == is_shown
    assert tree.run("sh -lc true").stdout == ""


def test_without_a_default_of_on_there_is_no_login_notice(make_tree: MakeTree) -> None:
    tree = make_tree()
    tree.install("--client", "python", "--url", "https://telemetry.example.com")
    assert not (tree.path / "etc/profile.d/telemetry-client.sh").exists()
    assert tree.read("/etc/telemetry-client/image").endswith("\nurl = https://telemetry.example.com\n")


@pytest.mark.parametrize(
    "link",
    ["usr/lib/telemetry-client", "usr/bin/telemetry-client", "etc/telemetry-client/image", "usr/lib/systemd/system"],
)
def test_a_link_in_an_image_does_not_lead_the_installer_out_of_it(link: str, tmp_path: Path) -> None:
    image, elsewhere = tmp_path / "image", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (image / link).parent.mkdir(parents=True)
    (image / link).symlink_to(elsewhere / "of the host" if "image" in link or "bin" in link else elsewhere)
    for options in (("--client", "shell", "--default", "on", "--url", "https://t.example.com"), ("--remove",)):
        ran = subprocess.run(
            ["sh", IMAGES / "install.sh", "--root", image, *options], capture_output=True, text=True, check=False
        )
        assert (ran.returncode, "leads out of it" in ran.stderr) == (2, True), ran
    assert list(elsewhere.iterdir()) == []


def install(image: Path, *options: str) -> subprocess.CompletedProcess[str]:
    image.mkdir(exist_ok=True)
    command = ["sh", str(IMAGES / "install.sh"), f"--root={image}", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_image_file_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path) -> None:
    file = tmp_path / "image/etc/telemetry-client/image"
    first = ("--client=shell", "--default", "on", "--url=https://one.example.com")
    assert (install(tmp_path / "image", *first).stdout, file.stat().st_mode & 0o777) == ("", 0o644)
    assert file.parent.stat().st_mode & 0o777 == 0o755
    again = ("--client=shell", "--default=on", "--url=https://two.example.com")
    assert "is there and stays as it is; --replace-image-file " in install(tmp_path / "image", *again).stdout
    assert "one.example.com" in file.read_text()
    assert install(tmp_path / "image", *again, "--replace-image-file").stdout == ""
    assert "two.example.com" in file.read_text()


@pytest.mark.parametrize("whose", ["its own", "changed", "there before"])
def test_only_the_image_file_that_it_wrote_goes_when_it_goes(whose: str, tmp_path: Path) -> None:
    file = tmp_path / "image/etc/telemetry-client/image"
    if whose == "there before":
        file.parent.mkdir(parents=True)
        file.write_text("default = off\n")
    install(tmp_path / "image", "--client", "shell", "--default=on", "--url=https://one.example.com")
    if whose == "changed":
        file.write_text(file.read_text() + "# ours\n")
    told = install(tmp_path / "image", "--remove").stdout
    assert file.exists() == ("stays" in told) == (whose != "its own")
    assert file.parent.exists() == file.exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--product=nginx",), "TELEMETRY_PRODUCT=nginx\n"),
        (("--product-version", "1.2"), "TELEMETRY_PRODUCT_VERSION=1.2\n"),
        (("--product=nginx", "--product-version=1.2"), "TELEMETRY_PRODUCT=nginx\nTELEMETRY_PRODUCT_VERSION=1.2\n"),
    ],
)
def test_what_is_not_said_of_the_product_is_left_to_detection(
    options: tuple[str, ...], expected: str, tmp_path: Path
) -> None:
    assert install(tmp_path / "image", "--client=shell", *options).returncode == 0
    assert (tmp_path / "image/usr/lib/telemetry-client/environment").read_text() == expected


def test_the_shell_client_takes_the_place_of_the_python_client(tmp_path: Path) -> None:
    library = tmp_path / "image/usr/lib/telemetry-client"
    install(tmp_path / "image", "--client=python")
    assert (library / "python").exists()
    install(tmp_path / "image", "--client=shell")
    assert not (library / "python").exists()
    client = (tmp_path / "image/usr/bin/telemetry-client").read_text(encoding="utf-8")
    assert client == (PROJECT / "client_sdk/shell/telemetry-client").read_text(encoding="utf-8")


ADDRESSES = {
    "https://t.example.com:8443/x": True,
    "http://127.0.0.1:8080": True,
    "http://localhost": True,
    "http://[::1]:80/": True,
    "http://t.example.com": False,
    "http://127.0.0.1.example.com": False,
    "http://127.example.com/127.0.0.1": False,
    "http://localhost.example.com": False,
    "http://[::1].example.com": False,
    "https://": False,
    "https://t.example.com\ntelemetry = on": False,
}


@pytest.mark.parametrize("url", ADDRESSES)
def test_an_address_that_no_client_would_use_is_refused(url: str, tmp_path: Path) -> None:
    ran = install(tmp_path / "image", "--client=shell", f"--url={url}")
    assert (ran.returncode, ran.stderr == "") == ((0, True) if ADDRESSES[url] else (2, False))
    assert url not in ran.stderr.replace("begin with https://", "")
    assert (tmp_path / "image/etc/telemetry-client/image").exists() == ADDRESSES[url]


def test_help_of_the_installer_names_every_option() -> None:
    text = (IMAGES / "install.sh").read_text(encoding="utf-8")
    told = subprocess.run(["sh", IMAGES / "install.sh", "--help"], capture_output=True, text=True, check=True)
    assert told.stderr == ""
    taken = set(re.findall(r"^ +(--[a-z-]+)[ )]", text, re.MULTILINE)) - {"--help"}
    assert {option for option in taken if option not in told.stdout} == set()
    assert "set -eu" not in told.stdout


def test_an_entrypoint_without_a_product_says_so(tmp_path: Path) -> None:
    ran = subprocess.run(
        ["sh", IMAGES / "container/entrypoint.sh"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.defpath, "HOME": str(tmp_path)},
    )
    assert (ran.returncode, ran.stdout, "repeat it" in ran.stderr) == (127, "", True)


@pytest.mark.parametrize("root", ["", "/", "nowhere"])
def test_an_empty_root_is_not_this_system(root: str) -> None:
    ran = subprocess.run(
        ["sh", IMAGES / "install.sh", "--remove", "--root", root], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, "no directory of an image" in ran.stderr) == (2, True), ran
