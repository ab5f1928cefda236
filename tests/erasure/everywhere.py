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
_NONE, _LZ4, _ZSTD = 0x02, 0x82, 0x90


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
    """Each block: 16 bytes of checksum, method, length with this head, length unpacked, what is packed."""
    at = 0
    while at + _CHECKSUM + _HEAD <= len(content):
        method, packed, length = struct.unpack_from("<BII", content, at + _CHECKSUM)
        body = content[at + _CHECKSUM + _HEAD : at + _CHECKSUM + packed]
        if method == _LZ4:
            yield lz4.block.decompress(body, uncompressed_size=length)
        elif method == _ZSTD:
            yield zstandard.decompress(body, max_output_size=length)
        elif method == _NONE:
            yield body
        else:
            raise ValueError(f"a codec that this search cannot unpack: {method:#x}")
        at += _CHECKSUM + packed
    if at != len(content):
        raise ValueError("a file that is not made of whole blocks")
