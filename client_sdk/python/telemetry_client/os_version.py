"""The operating system and its version: `debian-12`, `ubuntu-22.04`, `arch`, `windows-11`, `macos-14`.

Linux is read from os-release, which is parsed and never sourced. Rolling distributions have no VERSION_ID:
the name alone is the answer. Windows calls itself 10 for ever; from build 22000 on it is 11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from telemetry_client.assignments import last_values
from telemetry_client.fact import Fact
from telemetry_client.text import lowered, stripped

if TYPE_CHECKING:
    from telemetry_client.machine import Machine

_OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_WINDOWS_SERVERS = ((26100, "2025"), (20348, "2022"), (17763, "2019"), (14393, "2016"), (9600, "2012-r2"))
_WINDOWS_CLIENTS = ((22000, "11"), (10240, "10"), (9600, "8.1"), (7600, "7"))
_LAST_MACOS_10 = 10


def detect_os_version(machine: Machine) -> Optional[Fact]:
    """The fact, or None where the system does not say."""
    if machine.system == "win32":
        return _windows(machine.windows_build, is_server=machine.windows_is_server)
    if machine.system == "darwin":
        return _macos(machine.macos_release)
    return _os_release(machine) or _image_flavour(machine)


def _os_release(machine: Machine) -> Optional[Fact]:
    for path in _OS_RELEASE:
        text = machine.read(path)
        if text is None:
            continue
        values = last_values(text)
        name = lowered(values.get("ID", ""))
        version = lowered(values.get("VERSION_ID", ""))
        if name:
            return Fact(f"{name}-{version}" if version else name, path)
    return None


def _image_flavour(machine: Machine) -> Optional[Fact]:
    flavour = lowered(stripped(machine.environ.get("OS_FLAVOUR", "")))
    return Fact(flavour, "environment OS_FLAVOUR") if flavour else None


def _windows(build: int, *, is_server: bool) -> Optional[Fact]:
    if is_server:
        year = next((year for first, year in _WINDOWS_SERVERS if build >= first), "")
        return Fact(f"windows-server-{year}" if year else "windows-server", "Windows build number")
    release = next((release for first, release in _WINDOWS_CLIENTS if build >= first), "")
    return Fact(f"windows-{release}" if release else "windows", "Windows build number")


def _macos(release: str) -> Optional[Fact]:
    parts = release.split(".")
    if not parts[0].isdigit():
        return None
    # Until 10.15 the second number was the release; since 11 it is the first.
    shown = ".".join(parts[:2]) if int(parts[0]) <= _LAST_MACOS_10 else parts[0]
    return Fact(f"macos-{shown}", "macOS version")
