"""Every place where an engine could keep a value: tables, parts that it uses no more, parts put aside, plain files.

A column's file is packed, so a live value does not show in a search of the raw bytes. Here the parts on disk are
unpacked block by block, whatever the engine thinks of them: in use, replaced, detached or of a table that is gone.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import lz4.block
import zstandard

from collector.store.engine import Engine
from tests.leaks import places
from tests.leaks.evidence import Evidence
from tests.leaks.needles import Needle

_CHECKSUM, _HEAD = 16, 9
_NONE, _LZ4, _ZSTD, _SEVERAL = 0x02, 0x82, 0x90, 0x91
# Delta and T64: of columns that hold numbers or dates alone, which are left as they are.
_OF_NUMBERS = {0x92, 0x93}


def found(engine: Engine, directory: Path, needle: Needle) -> dict[str, set[str]]:
    """Where the needle is: `tables`, `packed` (unpacked), `files` (as they are)."""
    seen = {"tables": Evidence([needle]), "packed": Evidence([needle]), "files": Evidence([needle])}
    for number, node in enumerate(engine.nodes):
        seen["tables"].look_at_all(f"node {number}", places.tables(node))
        seen["tables"].look(f"node {number}: definitions", places.definitions(node))
    seen["packed"].look_at_all("disk", unpacked(directory))
    seen["files"].look_at_all("disk", places.files(directory))
    return {kind: set(evidence.found[needle.name]) for kind, evidence in seen.items()}


def unpacked(directory: Path) -> Iterator[tuple[str, bytes]]:
    """The content of every packed file of a part; marks and other small packed files too."""
    for path in sorted(directory.rglob("*")):
        if path.suffix in {".bin", ".cmrk2", ".cmrk3", ".cmrk4", ".cidx"} and path.is_file():
            try:
                yield path.relative_to(directory).as_posix(), b"".join(blocks(path.read_bytes()))
            except FileNotFoundError:
                continue


def blocks(content: bytes) -> Iterator[bytes]:
    """Each block, unpacked: 16 bytes of checksum, then what `_unpack` takes."""
    at = 0
    while at + _CHECKSUM + _HEAD <= len(content):
        (packed,) = struct.unpack_from("<I", content, at + _CHECKSUM + 1)
        yield _unpack(content[at + _CHECKSUM : at + _CHECKSUM + packed])
        at += _CHECKSUM + packed
    if at != len(content):
        raise ValueError("a file that is not made of whole blocks")


def _unpack(block: bytes) -> bytes:
    """What a block holds: method, length with this head, length unpacked, what is packed."""
    method, _, length = struct.unpack_from("<BII", block)
    body = block[_HEAD:]
    if method == _LZ4:
        return lz4.block.decompress(body, uncompressed_size=length)
    if method == _ZSTD:
        return zstandard.decompress(body, max_output_size=length)
    if method == _NONE or method in _OF_NUMBERS:
        return body
    if method != _SEVERAL:
        raise ValueError(f"a codec that this search cannot unpack: {method:#x}")
    # How many, their methods, and a block of the last one, in which there is one of the last but one.
    inner = body[1 + body[0] :]
    for _ in range(body[0]):
        inner = _unpack(inner)
    return inner
