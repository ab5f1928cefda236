"""A container's start: the line in the entrypoint delays nothing, says what it must, and leaves at most one zombie."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.conftest import PROJECT
from tests.images.debian_tree import needed

if TYPE_CHECKING:
    from tests.images.conftest import MakeTree
    from tests.images.debian_tree import Tree
    from tests.images.network import Network

ALL = os.environ.get("IMAGES") == "all"
IMAGES = PROJECT / "deploy" / "images"
ENTRYPOINT = "/usr/bin/telemetry-entrypoint"
PRODUCT = {"TELEMETRY_PRODUCT": "wordpress", "TELEMETRY_PRODUCT_VERSION": "6.4.2-0"}

# The product: a process 1 that never collects its dead. It prints when it started, waits, and lists what is there.
PROGRAM = """
import json, os, time
started = time.time()
def processes():
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            name, rest = open(f"/proc/{pid}/stat").read().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        found.append([int(pid), name, rest.split()[0]])
    return found
deadline = started + 12
while any(pid != 1 and state != "Z" for pid, name, state in processes()) and time.time() < deadline:
    time.sleep(0.05)
time.sleep(WAIT)
print(json.dumps({"pid": os.getpid(), "started": started, "processes": processes()}))
"""


@pytest.fixture(params=["python", "shell"])
def image(request: pytest.FixtureRequest, make_tree: MakeTree) -> Tree:
    tree = make_tree(request.param, "--no-units")
    tree.write(ENTRYPOINT, (IMAGES / "container" / "entrypoint.sh").read_text(encoding="utf-8"), 0o755)
    tree.write("/product.py", PROGRAM.replace("WAIT", "0.3"))
    return tree


class Started:
    """What a container told: when its product ran, and what was left when nothing ran any more."""

    def __init__(self, tree: Tree, network: str, *options: str, command: str = "", **environment: str) -> None:
        began = time.time()
        # Without --as-pid2 the entrypoint is process 1, as in a container without an init.
        arguments = [
            *("systemd-nspawn", "--quiet", "--pipe", "--register=no", "--keep-unit"),
            f"--network-namespace-path=/run/netns/{network}",
            *(f"--setenv={name}={value}" for name, value in (PRODUCT | environment).items()),
            *("-D", str(tree.path), *options),
            *(shlex.split(command) or [ENTRYPOINT]),
            *("python3", "/product.py"),
        ]
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["pid"] == 1
        self.errors = done.stderr
        self.seconds_to_start = told["started"] - began
        others = [(name, state) for pid, name, state in told["processes"] if pid != 1]
        self.zombies = [name for name, state in others if state == "Z"]
        self.running = [name for name, state in others if state != "Z"]


def test_it_reports_once_without_delay_and_leaves_at_most_one_zombie(image: Tree, network: Network) -> None:
    with network.collector():
        started = Started(image, network.name)
    assert len(network.received()) == 1
    assert started.running == []
    assert len(started.zombies) <= 1
    assert "this image reports its product" in started.errors


@pytest.mark.parametrize("behaviour", ["hang", "mute"] if ALL else ["hang"])
def test_a_server_that_hangs_delays_nothing_and_is_left_in_time(behaviour: str, image: Tree, network: Network) -> None:
    if not ALL:
        image.write(ENTRYPOINT, image.read(ENTRYPOINT).replace("--background", "--background --timeout 2"), 0o755)
    with network.collector(behaviour):
        without = Started(image, network.name, command="/usr/bin/env")
        started = Started(image, network.name)
    assert started.seconds_to_start - without.seconds_to_start < 1
    assert started.running == []
    assert len(started.zombies) <= 1


@pytest.mark.parametrize("variable", [{"TELEMETRY": "off"}, {"DO_NOT_TRACK": "1"}])
def test_opted_out_it_leaves_no_trace(variable: dict[str, str], image: Tree, network: Network) -> None:
    with network.collector():
        started = Started(image, network.name, **variable)
    assert network.received() == []
    assert started.running == started.zombies == []
    assert "this image reports" not in started.errors
    assert not (image.path / "var/lib/telemetry-client/notice").exists()


def test_a_read_only_image_run_by_nobody_in_particular_reports_without_memory(image: Tree, network: Network) -> None:
    command = f"setpriv --reuid=1001 --regid=1001 --clear-groups --bounding-set=-all {ENTRYPOINT}"
    with network.collector():
        started = Started(image, network.name, "--read-only", command=command, HOME="/")
    assert len(network.received()) == 1
    assert started.running == []


def test_without_a_client_the_product_starts_all_the_same(image: Tree, network: Network) -> None:
    image.remove("telemetry-client")
    assert Started(image, network.name).zombies == []


def dockerfile() -> list[tuple[str, str]]:
    """The instructions of the fragment, each with its argument."""
    text = (IMAGES / "container" / "Dockerfile.fragment").read_text(encoding="utf-8")
    found = re.findall(r"^([A-Z]+) (.*)$", text, re.MULTILINE)
    assert {instruction for instruction, _ in found} == {"COPY", "ENV", "RUN", "ENTRYPOINT"}
    return found


def test_the_dockerfile_fragment_builds_an_image_that_reports(make_tree: MakeTree, network: Network) -> None:
    needed("systemd-nspawn")
    tree = make_tree()
    environment: dict[str, str] = {}
    entrypoint: list[str] = []
    for instruction, argument in dockerfile():
        if instruction == "COPY":
            source, target = argument.split()
            text = (PROJECT / source).read_text(encoding="utf-8").replace("telemetry.example.com", "telemetry.test")
            tree.write(target, text, (PROJECT / source).stat().st_mode & 0o777)
        elif instruction == "ENV":
            environment |= dict(pair.split("=") for pair in argument.split())
        elif instruction == "RUN":
            built = tree.run(argument, network=network.name, environment=environment)
            assert built.returncode == 0, built.stderr
        else:
            entrypoint = json.loads(argument)
    tree.write("/product.py", PROGRAM.replace("WAIT", "0"))
    with network.collector():
        started = Started(tree, network.name, command=shlex.join(entrypoint), **environment)
    assert len(network.received()) == 1
    assert started.running == []
