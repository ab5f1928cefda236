"""A clean Debian with the collector installed by deploy/systemd/install.sh, and booted by systemd as process 1."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import PROJECT, missing
from tests.images.debian_tree import Tree, base_tree, cached, needed, overlay

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a small server has; the collector needs Python of it.
PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "ca-certificates",
    "curl",
    "openssl",
    "python3",
    "python3-venv",
    "sqlite3",
)
_KEEP_OUT = shutil.ignore_patterns(".venv", ".git", "data", "demo-data", "dist", ".*_cache", "__pycache__", "tests")
_BOOTS_SECONDS = 60


def wheels() -> Path:
    """The wheels of everything that the collector needs, as its package asks for them now."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needs = [*project["optional-dependencies"]["collector"], *project["optional-dependencies"]["embedded"]]

    def download(directory: Path) -> None:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--dest", directory]
        got = subprocess.run([*command, *needs], capture_output=True, text=True, check=False)
        if got.returncode:
            missing(f"the wheels cannot be had: {got.stderr[-500:]}")

    return cached(f"wheels {' '.join(needs)} {sys.version_info[:2]}", download)


def build_wheel(directory: Path, version: str | None = None, **changed: str) -> Path:
    """The project's wheel, of another version and with other files if that is wanted.

    Args:
        directory: where to.
        version: instead of the project's own.
        changed: path in the project -> content, with `/` as `__`.
    """
    source = directory / f"source-{version}"
    shutil.copytree(PROJECT, source, ignore=_KEEP_OUT)
    if version:
        settings = source / "pyproject.toml"
        text = settings.read_text(encoding="utf-8")
        own = tomllib.loads(text)["project"]["version"]
        settings.write_text(text.replace(f'version = "{own}"', f'version = "{version}"', 1), encoding="utf-8")
    for name, content in changed.items():
        (source / name).write_text(content, encoding="utf-8")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", directory, source]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(source)
    (built,) = directory.glob(f"product_telemetry-{version or '*'}-*.whl")
    return built


@contextlib.contextmanager
def clean_tree(directory: Path) -> Iterator[Tree]:
    """A clean Debian to install in, with `/srv/product-telemetry` as somebody unpacked it there: wheel and deploy."""
    needed("systemd-nspawn", "nsenter")
    with overlay(directory, base_tree(PACKAGES)) as tree:
        (tree.path / "etc/systemd/system/console-getty.service").symlink_to("/dev/null")
        unpacked = tree.path / "srv/product-telemetry"
        shutil.copytree(PROJECT / "deploy", unpacked / "deploy")
        build_wheel(unpacked)
        yield tree


@dataclass(frozen=True)
class Machine:
    """A booted tree.

    Attributes:
        tree: its files.
        leader: its process 1, as the host counts.
    """

    tree: Tree
    leader: int

    def run(self, script: str, *, check: bool = True, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Runs a script in there as root; its two outputs in one."""
        # The working directory that is entered with is none of the machine's.
        enter = ["nsenter", f"--target={self.leader}", "--all", "sh", "-c"]
        command = [*enter, 'cd / && exec bash -c "$1"', "sh", script]
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "TERM": "dumb",
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=seconds,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        if check:
            assert done.returncode == 0, f"{script}\nended with {done.returncode}:\n{done.stdout}"
        return done

    def wait_for(self, script: str, seconds: float = 30) -> str:
        """Runs a script until it succeeds."""
        deadline = time.monotonic() + seconds
        while (done := self.run(script, check=False)).returncode:
            assert time.monotonic() < deadline, f"{script}\nnever succeeded:\n{done.stdout}"
            time.sleep(0.2)
        return done.stdout


@contextlib.contextmanager
def booted(tree: Tree, *options: str) -> Iterator[Machine]:
    """Boots the tree; it is switched off at the end. It has a network of its own with nothing but loopback."""
    command = [
        *("systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--link-journal=no", "--console=pipe"),
        *("--private-network", *options, "-D", str(tree.path), "--boot"),
    ]
    log = tree.upper.with_name("console.log")
    with log.open("w") as console:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT)
    try:
        yield Machine(tree, _leader(process, log))
    finally:
        process.terminate()  # it switches the machine off
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _leader(process: subprocess.Popen[bytes], log: Path) -> int:
    """Waits until the machine is up, as far as it comes."""
    deadline = time.monotonic() + _BOOTS_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        if children:
            leader = int(children[0])
            up = subprocess.run(
                ["nsenter", f"--target={leader}", "--all", "systemctl", "is-system-running"],
                capture_output=True,
                text=True,
                check=False,
                timeout=20,
            )
            if up.stdout.strip() in {"running", "degraded"}:
                return leader
        time.sleep(0.2)
    return missing(f"systemd does not boot in a container here: {log.read_text()[-500:]}")
