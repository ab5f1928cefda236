"""The machine as everything else in this package sees it: a file tree, an environment, a platform.

Nothing else in the package reads `os.environ` or a file outside the state directory, so a test, or a
person who inspects a mounted image with `--root`, can hand in another machine.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from dataclasses import dataclass, field, replace
from typing import Mapping, Optional, Tuple

from telemetry_client.text import read_text

_PASSWD_COLUMNS, _PASSWD_HOME = 7, 5


@dataclass(frozen=True)
class Machine:
    """Where facts are read from.

    root: the directory that stands for `/`.
    host: the same for the machine that runs this program, where `root` is another tree; else empty.
    home: this account's home directory, for where HOME does not say it.
    system: `sys.platform`'s word: linux, win32, darwin.
    windows_build, windows_is_server, macos_release, system_locale: what only the running system can
    tell; empty or 0 elsewhere.
    """

    root: str = "/"
    environ: Mapping[str, str] = field(default_factory=dict)
    system: str = "linux"
    is_root: bool = False
    host: str = ""
    home: str = ""
    windows_build: int = 0
    windows_is_server: bool = False
    macos_release: str = ""
    system_locale: str = ""

    def all_that_may_forbid(self) -> Tuple[Machine, ...]:
        """This machine, and the one that runs this program where that is another: the report leaves from there."""
        return (self, replace(self, root=self.host, host="")) if self.host else (self,)

    def path(self, absolute: str) -> str:
        """Where `absolute` lies below the root."""
        return os.path.join(self.root, absolute.lstrip("/"))

    def exists(self, absolute: str) -> bool:
        """Whether there is something at this path."""
        return os.path.lexists(self.path(absolute))

    def may_exist(self, absolute: str) -> bool:
        """The same, and True where this user may not look: what forbids must not be overlooked."""
        try:
            os.lstat(self.path(absolute))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return False
        except OSError:
            return True
        return True

    def leads_outside(self, path: str) -> bool:
        """Whether links take `path` out of a root that is another tree: an image must not reach its host."""
        if not self.host:
            return False
        inside = os.path.realpath(self.root)
        return os.path.commonpath([inside, os.path.realpath(path)]) != inside

    def read(self, absolute: str) -> Optional[str]:
        """The text at this path; None where it is missing, cannot be read or is longer than 1 MiB."""
        try:
            return None if self.leads_outside(self.path(absolute)) else read_text(self.path(absolute))
        except (OSError, ValueError):
            return None


def this_machine(root: str = "/", environ: Optional[Mapping[str, str]] = None) -> Machine:
    """The machine this program runs on, with its files below `root`."""
    # A process that sends in the background leaves the caller's directory.
    root = os.path.abspath(root)
    surroundings = dict(os.environ if environ is None else environ)
    host = "" if os.path.realpath(root) == os.path.realpath("/") else "/"
    if sys.platform == "win32":
        version = sys.getwindowsversion()
        workstation = 1  # VER_NT_WORKSTATION
        return Machine(
            root=root,
            environ=surroundings,
            system="win32",
            host=host,
            windows_build=version.build,
            windows_is_server=version.product_type != workstation,
            system_locale=_windows_locale(),
        )
    return Machine(
        root=root,
        environ=surroundings,
        system=sys.platform,
        is_root=os.geteuid() == 0,
        host=host,
        home=_account_home(os.geteuid()),
        macos_release=platform.mac_ver()[0] if sys.platform == "darwin" else "",
    )


def _account_home(user_id: int) -> str:
    """From /etc/passwd alone: the name service might ask the network, before anybody allowed that."""
    for line in (Machine().read("/etc/passwd") or "").split("\n"):
        columns = line.split(":")
        if columns[2:3] == [str(user_id)] and len(columns) == _PASSWD_COLUMNS:
            return columns[_PASSWD_HOME]
    return ""


if sys.platform == "win32":

    def _windows_locale() -> str:
        """The user's locale name, such as `pt-BR`; empty where Windows does not tell."""
        name = ctypes.create_unicode_buffer(85)  # LOCALE_NAME_MAX_LENGTH
        length = ctypes.windll.kernel32.GetUserDefaultLocaleName(name, len(name))
        return name.value if length else ""
