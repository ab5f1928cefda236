"""What a Dockerfile says, as far as the one of this project uses the language; anything else is an error.

The lines are taken apart by dockerfile-parse; what they mean stands here: stages, ARG, ENV, and which files of a
context a `.dockerignore` leaves.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from io import BytesIO
from typing import TYPE_CHECKING

from dockerfile_parse import DockerfileParser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True)
class Step:
    """One instruction with its variables put in, but for RUN, whose shell does that."""

    verb: str
    value: str
    environment: dict[str, str]

    @property
    def words(self) -> list[str]:
        """The value of an instruction in exec form, a JSON list."""
        found = json.loads(self.value)
        assert isinstance(found, list), f"{self.verb} {self.value} is not in exec form"
        return found


@dataclass
class Stage:
    """What one FROM begins."""

    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def last(self, verb: str) -> Step:
        """The instruction of this kind that holds."""
        return [step for step in self.steps if step.verb == verb][-1]

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the image's processes start with."""
        found: dict[str, str] = {}
        for step in self.steps:
            if step.verb == "ENV":
                found |= assignments(step.value)
        return found


def stages(dockerfile: Path) -> list[Stage]:
    """The stages of a Dockerfile, its arguments having their defaults."""
    parser = DockerfileParser(fileobj=BytesIO(dockerfile.read_bytes()))
    arguments: dict[str, str] = {}
    environment: dict[str, str] = {}
    found: list[Stage] = []
    for line in parser.structure:
        verb, value = line["instruction"], line["value"]
        if verb == "COMMENT":
            continue
        # In FROM the arguments that stand at the top of the file are known; in a stage its own.
        known = arguments if verb == "FROM" else environment
        put_in = value if verb == "RUN" else _put_in(value, known)
        if verb == "FROM":
            words = put_in.split()
            found.append(Stage(words[0], words[2] if words[1:2] == ["AS"] else ""))
            environment = {}
            continue
        if verb == "ARG":
            target = environment if found else arguments
            target |= assignments(put_in)
        elif verb == "ENV":
            environment = environment | assignments(put_in)
        if found:
            found[-1].steps.append(Step(verb, put_in, dict(environment)))
    return found


def assignments(text: str) -> dict[str, str]:
    """`A=1 B="2 3"` as a dictionary."""
    return dict(word.split("=", 1) for word in shlex.split(text))


def _put_in(text: str, variables: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda match: variables[match[1] or match[2]], text)


def context(top: Path, ignore: Path) -> Iterator[Path]:
    """The files of a build's context, relative to `top`: those that the last pattern that fits them keeps."""
    patterns = [line for line in ignore.read_text(encoding="utf-8").split("\n") if line and not line.startswith("#")]
    kept = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    for file in sorted(top.rglob("*")):
        path = file.relative_to(top)
        if path.parts[0] in {".git", ".venv"} and not any(name.startswith(path.parts[0]) for name in kept):
            continue  # many files, and none of them is kept
        if file.is_file() and not _is_ignored(path, patterns):
            yield path


def _is_ignored(path: Path, patterns: list[str]) -> bool:
    is_ignored = False
    for pattern in patterns:
        if _fits(path, pattern.removeprefix("!")):
            is_ignored = not pattern.startswith("!")
    return is_ignored


def _fits(path: Path, pattern: str) -> bool:
    """Whether the pattern names the file or a directory that it is in."""
    named = [path, *path.parents][:-1]
    if pattern.startswith("**/"):
        return any(fnmatchcase(one.name, pattern[3:]) for one in named)
    depth = pattern.count("/") + 1
    return any(len(one.parts) == depth and fnmatchcase(str(one), pattern) for one in named)
