"""What administrator and image have set: two files of KEY=value lines.

    /etc/telemetry-client/config    the administrator's; no package ever writes it
    /etc/telemetry-client/image     the image's, or the file a product names (--config, TELEMETRY_CONFIG)

    telemetry = on|off    a choice for the whole machine
    default = on|off      what holds while nobody has chosen; an image may say on
    url = https://...     the collector
    proxy = http://...    the way there, or none, see proxy.py

Both files are heard: the administrator's url and proxy win, and any "off" wins over any "on". A file that cannot be
read, or a line that is not understood, counts as off: it may have been meant to be one. Where another tree is
looked at with `--root`, the administrator of the machine that does the looking may forbid, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, List, Optional, Tuple

from telemetry_client.assignments import read_assignments
from telemetry_client.fact import Fact
from telemetry_client.ownership import is_alone
from telemetry_client.text import lowered, stripped

if TYPE_CHECKING:
    from telemetry_client.machine import Machine

ADMINISTRATOR_FILE = "/etc/telemetry-client/config"
IMAGE_FILE = "/etc/telemetry-client/image"

ON_WORDS = ("on", "1", "true", "yes", "enabled")
OFF_WORDS = ("off", "0", "false", "no", "disabled")


@dataclass(frozen=True)
class Configuration:
    """Every setting with the place it came from.

    telemetry, default: what each file says, `on` or `off`; problems: lines and files not understood; foreign:
    files that say on, and that somebody else may have written.
    """

    url: Optional[Fact] = None
    proxy: Optional[Fact] = None
    telemetry: Tuple[Fact, ...] = ()
    default: Tuple[Fact, ...] = ()
    problems: Tuple[str, ...] = ()
    foreign: Tuple[str, ...] = ()


def switch(word: str) -> str:
    """`on` or `off` for a word that says so; empty for any other."""
    plain = lowered(stripped(word))
    if plain in ON_WORDS:
        return "on"
    return "off" if plain in OFF_WORDS else ""


def read_configuration(machine: Machine, url: str = "", image_file: str = "") -> Configuration:
    """The settings of this machine; a `url` given by the caller comes before all others."""
    reader = _Reader()
    if url:
        reader.urls.append(Fact(url, "given by the caller"))
    for name, found in (("TELEMETRY_URL", reader.urls), ("TELEMETRY_PROXY", reader.proxies)):
        stated = stripped(machine.environ.get(name, ""))
        if stated:
            found.append(Fact(stated, f"environment {name}"))
    reader.read(machine, ADMINISTRATOR_FILE)
    reader.read(machine, image_file or machine.environ.get("TELEMETRY_CONFIG", "") or IMAGE_FILE)
    for host in machine.all_that_may_forbid()[1:]:
        reader.read_what_forbids(host)
    return Configuration(
        url=reader.urls[0] if reader.urls else None,
        proxy=reader.proxies[0] if reader.proxies else None,
        telemetry=tuple(reader.telemetry),
        default=tuple(reader.default),
        problems=tuple(reader.problems),
        foreign=tuple(reader.foreign),
    )


class _Reader:
    """Gathers settings from one file after another."""

    def __init__(self) -> None:
        self.urls: List[Fact] = []
        self.proxies: List[Fact] = []
        self.telemetry: List[Fact] = []
        self.default: List[Fact] = []
        self.problems: List[str] = []
        self.foreign: List[str] = []

    def read(self, machine: Machine, path: str) -> None:
        text = machine.read(path)
        # Told as it lies on the disk, so that an image's file and this machine's own are not mixed up.
        shown = machine.path(path)
        if text is None:
            if machine.may_exist(path):
                self.problems.append(f"{shown} cannot be read")
            return
        heard = self._ons()
        for number, key, value in read_assignments(text):
            if not self._take(lowered(key), Fact(value, f"{shown} line {number}")):
                self.problems.append(f"{shown} line {number} is not understood")
        if self._ons() > heard and not is_alone(shown):
            self.foreign.append(shown)

    def read_what_forbids(self, host: Machine) -> None:
        other = _Reader()
        other.read(host, ADMINISTRATOR_FILE)
        self.telemetry += [setting for setting in other.telemetry if setting.value == "off"]
        self.default += [setting for setting in other.default if setting.value == "off"]
        self.problems += other.problems

    def _ons(self) -> int:
        return sum(setting.value == "on" for setting in (*self.telemetry, *self.default))

    def _take(self, key: str, setting: Fact) -> bool:
        if key == "url" and setting.value:
            self.urls.append(setting)
            return True
        if key == "proxy":
            # An empty one says no more than a line that is not there.
            self.proxies += [setting] if setting.value else []
            return True
        target = {"telemetry": self.telemetry, "default": self.default}.get(key)
        word = switch(setting.value)
        if target is None or not word:
            return False
        target.append(Fact(word, setting.origin))
        return True
