"""Who else can read the data, and what the collector's own user cannot."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from collector.doctor.finding import Finding
from collector.ingest.pseudonyms import PEPPER_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from collector.doctor.case import Case

_OTHERS = 0o077
_GROUP_READS = 0o040


def check(case: Case) -> Iterator[Finding]:
    """Modes, owners and the peppers' lengths."""
    paths = case.paths
    if not any(path.exists() for path in (paths.spool, paths.secrets, paths.engine)):
        return  # not a collector's directory: its rights are none of our business
    found = [*_modes(case), *_owners(paths.data), *_peppers(paths.secrets)]
    yield from found or [Finding.ok("data, secrets and peppers are for their owner alone")]


def _modes(case: Case) -> Iterator[Finding]:
    paths = case.paths
    private = [paths.data, paths.secrets, *_files(paths.secrets), paths.control, paths.access]
    for path in private:
        if path.exists() and (mode := _mode(path)) & _OTHERS:
            rights = "700" if path.is_dir() else "600"
            todo = f"chmod {rights} {path}"
            if path.parent == paths.secrets:
                todo += "; if others use this machine, the pepper may be known: licence keys could be guessed with it"
            yield Finding.problem(f"{path} is open to others (mode {mode:04o})", todo)
    password = case.settings.store_password_file
    if password and password.exists() and (mode := _mode(password)) & _OTHERS & ~_GROUP_READS:
        yield Finding.problem(f"{password} is open to others (mode {mode:04o})", f"chmod 600 {password}")


def _owners(data: Path) -> Iterator[Finding]:
    """A command that root ran may leave what the collector's user cannot read."""
    owner = data.stat().st_uid
    looked_at = [*data.iterdir(), *data.glob("secrets/*"), *data.glob("spool/*"), *data.glob("quarantine/*")]
    foreign = sorted(path for path in looked_at if path.lstat().st_uid != owner and path.name != "lost+found")
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        yield Finding.problem(
            f"{foreign[0]}{more} belongs to another user than {data}: the collector may not be able to read it",
            f"stop the collector, then: chown -R --reference={data} {data}",
        )


def _peppers(secrets: Path) -> Iterator[Finding]:
    for path in _files(secrets):
        if not path.name.startswith(".") and path.stat().st_size != PEPPER_BYTES:
            yield Finding.problem(
                f"{path} is not {PEPPER_BYTES} bytes long: no licence key of its quarter can be taken",
                "restore it from a backup; if there is none, remove it: its quarter's licences are counted anew",
            )


def _files(secrets: Path) -> list[Path]:
    return sorted(path for path in secrets.glob("*pepper-*") if path.is_file())


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
