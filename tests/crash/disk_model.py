"""What a power cut can leave on a disk: the worst that POSIX allows, not what one file system happens to do.

An operation has effects. An effect is durable once an fsync (or fdatasync) of its own file or directory
returned; until then a power cut may keep it or lose it, independently of every other effect:

    data        kept, lost, only its first half kept, only its second half kept (disks write in any order), or
                only its length kept: zero bytes. What is lost before something that is kept is zero bytes too.
    truncation  kept or lost; what is written afterwards lies over what was there then.
    name        made, renamed or removed: kept or lost; durable only by a sync of the directory that holds it.
                A sync of a file does not save its name. A rename is kept or lost as a whole until one of its two
                directories is synced. From then on that side is durable, and the other one may lag behind: the
                file may have both names, or none if only the old directory was synced.

Every combination is tried, at every moment. After a failed sync, what was written before it stays in doubt for
ever: the kernel may have dropped it and reports success the next time. Only a durable truncation below it ends
the doubt.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.crash.recording import Append, Create, MakeDirectory, Operation, Rename, Sync, Truncate, Unlink

KEPT, LOST, FIRST_HALF, SECOND_HALF, LENGTH = "kept", "lost", "first half", "second half", "length"
_FATES_OF_DATA = (KEPT, LOST, FIRST_HALF, SECOND_HALF, LENGTH)
# All combinations of lost effects are tried at every moment. No sampling: a scenario that has more is refused.
MOST_COMBINATIONS = 20_000


@dataclass
class Node:
    """A file or a directory, whatever its names are."""

    number: int
    is_directory: bool


@dataclass(eq=False)
class Effect:
    """One change of one node, and whether a power cut can still undo it."""

    node: Node
    durable: bool = False
    in_doubt: bool = False  # a sync failed: a later one saves nothing


@dataclass(eq=False)
class Name(Effect):
    """A name in the directory `node`; `target` None removes it."""

    name: str = ""
    target: Node | None = None
    other_side: Name | None = None  # of the same rename


@dataclass(eq=False)
class Data(Effect):
    offset: int = 0
    data: bytes = b""


@dataclass(eq=False)
class Length(Effect):
    length: int = 0


@dataclass(frozen=True)
class Tree:
    """The files that a power cut left: path -> (number of the file, content)."""

    files: frozenset[tuple[str, int, bytes]]
    directories: frozenset[str]


@dataclass
class Disk:
    """A directory `root`, whose own name is durable, and everything that was done in it."""

    root: str
    effects: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._top = Node(0, is_directory=True)
        self._nodes = {os.path.normpath(self.root): self._top}
        self._lengths: dict[int, int] = {}
        self._numbers = itertools.count(1)

    def live(self) -> set[str]:
        """The paths as they are while the power is on."""
        return set(self._nodes)

    def content(self, path: str) -> bytes:
        """What a file holds while the power is on."""
        content = bytearray()
        for effect in self.effects:
            if effect.node is self._nodes[path]:
                _apply(content, effect, KEPT)
        return bytes(content)

    def do(self, operation: Operation) -> None:
        """Takes one operation in."""
        match operation:
            case MakeDirectory(path):
                self._name(path, self._new(path, is_directory=True))
            case Create(path):
                self._name(path, self._new(path, is_directory=False))
            case Append(path, data):
                node = self._nodes[path]
                self.effects.append(Data(node, offset=self._lengths[node.number], data=data))
                self._lengths[node.number] += len(data)
            case Truncate(path, length):
                node = self._nodes[path]
                self.effects.append(Length(node, length=length))
                self._lengths[node.number] = length
            case Rename(old, new):
                added, removed = self._name(new, self._nodes[old]), self._name(old, None)
                added.other_side, removed.other_side = removed, added
                self._nodes[new] = self._nodes.pop(old)
            case Unlink(path):
                self._name(path, None)
                del self._nodes[path]
            case Sync(path, succeeded):
                self._sync(self._nodes[path], succeeded=succeeded)

    def pending(self) -> list[tuple[Effect, ...]]:
        """Effects that a power cut can undo now; those in one tuple only together."""
        groups: list[tuple[Effect, ...]] = []
        for effect in self.effects:
            if effect.durable or any(effect in group for group in groups):
                continue
            other = effect.other_side if isinstance(effect, Name) else None
            groups.append((effect, other) if other and not other.durable else (effect,))
        return groups

    def after_a_power_cut(self) -> Iterator[Tree]:
        """Every tree that a power cut at this moment can leave, some of them more than once."""
        groups = self.pending()
        options = [_FATES_OF_DATA if isinstance(group[0], Data) else (KEPT, LOST) for group in groups]
        assert math.prod(map(len, options)) <= MOST_COMBINATIONS, "shorten the scenario: too much is unsynced at once"
        for fates in itertools.product(*options):
            fate = {id(e): f for group, f in zip(groups, fates, strict=True) for e in group}
            yield self._tree(fate)

    def _new(self, path: str, *, is_directory: bool) -> Node:
        node = Node(next(self._numbers), is_directory)
        self._nodes[path] = node
        if not is_directory:
            self._lengths[node.number] = 0
        return node

    def _name(self, path: str, target: Node | None) -> Name:
        directory, name = os.path.split(path)
        effect = Name(self._nodes[directory], name=name, target=target)
        self.effects.append(effect)
        return effect

    def _sync(self, node: Node, *, succeeded: bool) -> None:
        for effect in self.effects:
            if effect.node is node and not effect.durable:
                if not succeeded:
                    effect.in_doubt = isinstance(effect, Data)
                elif not effect.in_doubt:
                    effect.durable = True
        self._end_doubts(node)

    def _end_doubts(self, node: Node) -> None:
        """What a durable truncation cut off matters no more."""
        reach = math.inf
        for effect in reversed(self.effects):
            if effect.node is not node:
                continue
            if isinstance(effect, Length) and effect.durable:
                reach = min(reach, effect.length)
            elif isinstance(effect, Data) and effect.offset >= reach:
                effect.durable = True

    def _tree(self, fate: dict[int, str]) -> Tree:
        entries: dict[int, dict[str, Node]] = {}
        contents: dict[int, bytearray] = {}
        for effect in self.effects:
            kept = fate.get(id(effect), KEPT)
            if kept == LOST:
                continue
            if isinstance(effect, Name):
                names = entries.setdefault(effect.node.number, {})
                if effect.target is None:
                    names.pop(effect.name, None)
                else:
                    names[effect.name] = effect.target
            else:
                _apply(contents.setdefault(effect.node.number, bytearray()), effect, kept)
        files, directories = [], []
        to_visit = [("", self._top)]
        while to_visit:
            path, node = to_visit.pop()
            for name, target in entries.get(node.number, {}).items():
                below = f"{path}{name}"
                if target.is_directory:
                    directories.append(below)
                    to_visit.append((below + "/", target))
                else:
                    files.append((below, target.number, bytes(contents.get(target.number, b""))))
        return Tree(frozenset(files), frozenset(directories))


def _apply(content: bytearray, effect: Effect, kept: str) -> None:
    """What `effect` makes of a file's content."""
    if isinstance(effect, Length):
        del content[effect.length :]
        content.extend(bytes(effect.length - len(content)))
    elif isinstance(effect, Data):
        middle, end = len(effect.data) // 2, len(effect.data)
        start, stop = {KEPT: (0, end), FIRST_HALF: (0, middle), SECOND_HALF: (middle, end), LENGTH: (end, end)}[kept]
        content.extend(bytes(max(0, effect.offset + start - len(content))))
        content[effect.offset + start : effect.offset + stop] = effect.data[start:stop]
