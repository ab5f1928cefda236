"""What lies on a disk, as data: files, links, and what has no business in a file's place."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.client.conformance.clients import Place

_FILES = Path(__file__).parent / "files"


@dataclass(frozen=True)
class Tree:
    """Paths are below the fake `/`, or begin with the name of a directory of the place, such as `{state}/`.

    files: a path and its text; the text `@NAME` stands for the file NAME of `files/`.
    """

    files: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    fifos: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()

    def stand(self, place: Place) -> None:
        """Makes it all."""
        for name, content in self.files.items():
            place.put(_path(place, name), content_of(content))
        for name, target in self.links.items():
            _path(place, name).symlink_to(place.fill(target))
        for name in self.directories:
            _path(place, name).mkdir()
        for name in self.fifos:
            os.mkfifo(_path(place, name))


def content_of(written: str) -> str:
    """The text of a file as it is written in the data."""
    return (_FILES / written[1:]).read_text() if written.startswith("@") else written


def _path(place: Place, name: str) -> Path:
    path = Path(place.fill(name)) if name.startswith("{") else place.in_root(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
