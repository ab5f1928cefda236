"""What is looked for, and every form in which it could turn up."""

from __future__ import annotations

import base64
import ipaddress
import math
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

STEM = "cnry7f3a9c"
"""Every marker begins with it, so that one search finds all of them."""
QUESTION = "qstn5b8e1d"
"""What a reader of published counts asks begins with it where it is no field or product: the audit may keep it."""
# A marker may stand in a word of any encoding; only in plain text its place can be read off.
_MARKER = re.compile(STEM.encode() + rb"[a-z0-9]*")


def marker(place: str) -> str:
    """The text that is planted in one place; fits the formats of names and values that begin with a letter."""
    return f"{STEM}{place}"


@dataclass(frozen=True)
class Needle:
    """One thing to look for.

    Attributes:
        name: what the tests call it.
        exact: forms that are looked for as they are.
        folded: forms that are looked for whatever their case.
    """

    name: str
    exact: frozenset[bytes] = field(repr=False)
    folded: frozenset[bytes] = field(repr=False)

    def is_in(self, content: bytes, lowered: bytes) -> bool:
        """Whether any form is in `content`; `lowered` is the same in lower case."""
        return any(form in content for form in self.exact) or any(form in lowered for form in self.folded)


def text_needle(name: str, *texts: str) -> Needle:
    """A text in UTF-8 and UTF-16, plain and upside down in case, in hex, base64 and percent-encoded."""
    exact: set[bytes] = set()
    folded: set[bytes] = set()
    for text in texts:
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            raw = text.encode(encoding)
            exact |= _base64(raw)
            folded |= {raw.lower()} | _spelt(raw)
    return Needle(name, frozenset(exact), frozenset(folded))


def bytes_needle(name: str, *contents: bytes) -> Needle:
    """Bytes as they are, in hex, base64 and percent-encoded, as Python writes them, and as a list of numbers."""
    exact: set[bytes] = set()
    folded: set[bytes] = set()
    for raw in contents:
        exact |= {raw, repr(raw)[2:-1].encode(), *_base64(raw)}
        folded |= _spelt(raw)
        folded |= {separator.join(str(byte) for byte in raw).encode() for separator in (",", ", ")}
        for encoding in ("utf-16-le", "utf-16-be"):
            folded.add(raw.hex().encode(encoding))
    return Needle(name, frozenset(exact), frozenset(folded))


def uuid_needle(name: str, *ids: uuid.UUID) -> Needle:
    """UUIDs as text and as bytes, in the order of the standard and in the engine's: two numbers, low byte first."""
    texts = text_needle(name, *(str(one) for one in ids))
    raw = bytes_needle(name, *(one.bytes for one in ids), *(one.bytes[7::-1] + one.bytes[:7:-1] for one in ids))
    return Needle(name, texts.exact | raw.exact, texts.folded | raw.folded)


def address_needle(name: str, *addresses: str) -> Needle:
    """Network addresses as they are written, long and short; of version 6 also packed, and the network part alone."""
    texts, packed = set(), set()
    for address in map(ipaddress.ip_address, addresses):
        texts |= {str(address), address.exploded}
        if address.version == 6:
            texts |= {":".join(form.split(":")[:4]) for form in (str(address), address.exploded)}
            packed |= {address.packed, address.packed[:8]}  # four bytes alone would turn up by chance
    text, raw = text_needle(name, *texts), bytes_needle(name, *packed)
    return Needle(name, text.exact | raw.exact, text.folded | raw.folded)


def find(needles: Iterable[Needle], content: bytes) -> dict[str, str]:
    """The needles that are in `content`, each with what else can be said: a marker's place."""
    lowered = content.lower()
    found = {needle.name: "" for needle in needles if needle.is_in(content, lowered)}
    if "marker" in found:
        found["marker"] = " ".join(sorted({one.decode() for one in _MARKER.findall(lowered)}))
    return found


def _spelt(raw: bytes) -> set[bytes]:
    """Hex and percent-encoding of every byte, in lower case."""
    return {raw.hex().encode(), "".join(f"%{byte:02x}" for byte in raw).encode()}


def _base64(raw: bytes) -> set[bytes]:
    """What base64 makes of `raw` wherever in a text it begins: the characters that depend on nothing else."""
    found = set()
    for before in range(3):
        first, last = math.ceil(before * 8 / 6), (before + len(raw)) * 8 // 6
        text = base64.b64encode(bytes(before) + raw)[first:last]
        found |= {text, text.translate(bytes.maketrans(b"+/", b"-_"))}
    return found
