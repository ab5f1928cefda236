"""Builds the image of a Dockerfile without a container engine, and starts it as one would.

Each stage is a Debian of its own, made by debootstrap in its smallest form, which is the nearest to `debian:*-slim`
that can be had without a registry. RUN is run in it by systemd-nspawn. What is started has a root that nobody can
write to, the image's user without a single capability, and a network of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.conftest import PROJECT, children, missing
from tests.containers.dockerfile import Stage, Step, context, stages
from tests.images.debian_tree import SUITE, Tree, needed, overlay

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCKERFILE = PROJECT / "deploy" / "Dockerfile"
# Where a build finds the authorities that this machine believes: its registries may be behind a proxy of its own.
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_NSPAWN = ("systemd-nspawn", "--quiet", "--pipe", "--register=no", "--keep-unit", "--link-journal=no")


def slim_tree() -> Path:
    """A Debian with nothing but what every Debian has; made once, half a minute, kept in the user's cache."""
    needed("debootstrap", "systemd-nspawn", "nsenter", "mount")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "product-telemetry"
    cache.mkdir(parents=True, exist_ok=True)
    tree = cache / f"{SUITE}-slim"
    with (cache / f"{tree.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.exists():
            part = tree.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            command = ["debootstrap", "--variant=minbase", SUITE, part]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode:
                missing(f"debootstrap made no tree: {made.stdout[-500:]}{made.stderr[-500:]}")
            # What the slim images leave out as well.
            for left_out in (
                "var/cache/apt",
                "var/lib/apt/lists",
                "usr/share/doc",
                "usr/share/man",
                "usr/share/locale",
            ):
                shutil.rmtree(part / left_out, ignore_errors=True)
            part.rename(tree)
    return tree


@dataclass(frozen=True)
class Image:
    """What was built: a tree, and what the last stage says of how it is started."""

    tree: Tree
    stage: Stage

    @property
    def own_bytes(self) -> int:
        """What it adds to its base."""
        return sum(file.lstat().st_size for file in self.tree.upper.rglob("*") if not file.is_dir())


@contextlib.contextmanager
def built(directory: Path, dockerfile: Path = DOCKERFILE) -> Iterator[Image]:
    """The image of a Dockerfile; gone at the end."""
    base = slim_tree()
    with contextlib.ExitStack() as stack:
        trees: dict[str, Tree] = {}
        for number, stage in enumerate(stages(dockerfile)):
            tree = stack.enter_context(overlay(directory / str(number), base))
            trees[stage.name] = tree
            _build(tree, stage, trees, dockerfile)
        yield Image(tree, stage)


def _build(tree: Tree, stage: Stage, trees: dict[str, Tree], dockerfile: Path) -> None:
    directory = "/"
    for step in stage.steps:
        if step.verb == "WORKDIR":
            directory = step.value
            (tree.path / directory.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif step.verb == "COPY":
            _copy(tree, step, directory, trees, dockerfile)
        elif step.verb == "RUN":
            _run(tree, step, directory)
        else:
            # The others say how the image is started, or were put into the steps that use them.
            assert step.verb in {
                "ARG",
                "ENV",
                "LABEL",
                "USER",
                "EXPOSE",
                "STOPSIGNAL",
                "HEALTHCHECK",
                "ENTRYPOINT",
                "CMD",
            }


def _copy(tree: Tree, step: Step, directory: str, trees: dict[str, Tree], dockerfile: Path) -> None:
    *sources, target = step.value.split()
    to = tree.path / os.path.join(directory, target).lstrip("/")  # noqa: PTH118 - an absolute target replaces it
    if sources[0].startswith("--from="):
        (source,) = sources[1:]
        shutil.copytree(trees[sources[0].removeprefix("--from=")].path / source.lstrip("/"), to, symlinks=True)
        return
    files = list(context(PROJECT, dockerfile.with_name(f"{dockerfile.name}.dockerignore")))
    for source in sources:
        chosen = [file for file in files if file == Path(source) or Path(source) in file.parents]
        assert chosen, f"COPY {source}: is not in the context"
        is_directory = (PROJECT / source).is_dir()
        for file in chosen:
            made = to / file.relative_to(source) if is_directory else to / file.name
            made.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / file, made)


def _run(tree: Tree, step: Step, directory: str) -> None:
    command = [
        *(*_NSPAWN, "--as-pid2", "--resolv-conf=copy-host", "--chdir", directory),
        *(f"--setenv={name}={value}" for name, value in step.environment.items()),
        *("--setenv=PIP_CERT=/run/authorities.crt", f"--bind-ro={_AUTHORITIES}:/run/authorities.crt"),
        *("-D", str(tree.path), "sh", "-c", step.value),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"RUN {step.value}: {done.stdout[-2000:]}{done.stderr[-2000:]}"


@dataclass(frozen=True)
class Container:
    """A started image."""

    process: subprocess.Popen[str]
    image: Image
    log: Path

    @property
    def pid(self) -> int:
        """Its process 1, as seen from here."""
        (first,) = children(self.process.pid)
        return first

    def inside(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command as `docker exec` does: with the image's user, variables and directory."""
        user, group = self.image.stage.last("USER").value.split(":")
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--pid", "--net", "--root", "--wd"]
        enter += ["--setuid", user, "--setgid", group]
        return subprocess.run(
            [*enter, *command],
            capture_output=True,
            text=True,
            check=False,
            env=self.image.stage.environment,
            timeout=60,
        )

    def beside(self, *command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of this machine in the container's network."""
        enter = ["nsenter", "--target", str(self.pid), "--net"]
        return subprocess.run(
            [*enter, *command], capture_output=True, text=True, check=False, env=os.environ | environment, timeout=60
        )

    def health(self) -> int:
        """The exit code of the image's own check."""
        value = self.image.stage.last("HEALTHCHECK").value
        return self.inside(*Step("CMD", value.split("CMD", 1)[1], {}).words).returncode


@contextlib.contextmanager
def started(image: Image, data: Path, log: Path, *command: str, **environment: str) -> Iterator[Container]:
    """The image, started with this command in place of its own; killed at the end if it still runs."""
    stage = image.stage
    line = [
        *(*_NSPAWN, "--read-only", "--private-network", "--no-new-privileges=yes", "--drop-capability=all"),
        *(f"--setenv={name}={value}" for name, value in (stage.environment | environment).items()),
        *("--user", "collector", "--chdir", stage.last("WORKDIR").value),
        *(f"--bind={data}:{stage.last('WORKDIR').value}", "-D", str(image.tree.path)),
        *(*stage.last("ENTRYPOINT").words, *(command or stage.last("CMD").words)),
    ]
    with log.open("w") as output:
        process = subprocess.Popen(line, stdout=output, stderr=output, stdin=subprocess.DEVNULL, text=True)
    try:
        yield Container(process, image, log)
    finally:
        if process.poll() is None:
            for child in children(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, 9)
            process.wait(timeout=20)


def wait_until(happens: object, seconds: float = 30) -> None:
    """Waits until a function says yes."""
    deadline = time.monotonic() + seconds
    while not happens():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.2)
