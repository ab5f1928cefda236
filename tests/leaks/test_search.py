"""The search itself: in whatever form and place something is planted, it is found."""

from __future__ import annotations

import base64
import json
import os
import uuid
from pathlib import Path
from urllib.parse import quote

import pytest

from collector.store.engine import Engine
from tests.leaks import places
from tests.leaks.evidence import Evidence
from tests.leaks.needles import address_needle, bytes_needle, marker, text_needle, uuid_needle

KEY = "LICENCE-Q7ZK4M2X9VBD"
PEPPER = bytes(range(7, 7 + 8 * 31, 8)) + b"\xff"
ID = uuid.UUID("d25c2ecd-9da1-4dcc-8ea9-a3fcbd8114c1")
NEEDLES = [
    text_needle("licence key", KEY),
    text_needle("marker", marker("")),
    bytes_needle("pepper", PEPPER),
    uuid_needle("pseudonym", ID),
    address_needle("address", "198.51.100.222", "2001:db8:cafe:f00d:1234:5678:9abc:def0"),
]
FORMS = {
    "plain": ("licence key", KEY.encode()),
    "in lower case": ("licence key", KEY.lower().encode()),
    "as UTF-16": ("licence key", KEY.encode("utf-16-le")),
    "as UTF-16, high byte first": ("licence key", KEY.encode("utf-16-be")),
    "in hex": ("licence key", KEY.encode().hex().upper().encode()),
    "percent-encoded": ("licence key", "".join(f"%{byte:02X}" for byte in KEY.encode()).encode()),
    **{
        f"in base64 after {n} bytes": ("licence key", base64.b64encode(b"x" * n + KEY.encode() + b"y" * n))
        for n in range(4)
    },
    "in base64 of UTF-16": ("licence key", base64.b64encode(b"xy" + KEY.encode("utf-16-le"))),
    "marker": ("marker", marker("somewhere").encode()),
    "pepper": ("pepper", PEPPER),
    "pepper in hex": ("pepper", PEPPER.hex().encode()),
    "pepper in base64": ("pepper", base64.urlsafe_b64encode(b"x" + PEPPER)),
    "pepper percent-encoded": ("pepper", "".join(f"%{byte:02x}" for byte in PEPPER).encode()),
    "pepper as Python writes it": ("pepper", repr({"pepper": PEPPER}).encode()),
    "pepper as numbers": ("pepper", json.dumps(list(PEPPER)).encode()),
    "pseudonym": ("pseudonym", str(ID).encode()),
    "pseudonym as bytes": ("pseudonym", ID.bytes),
    "pseudonym without hyphens": ("pseudonym", ID.hex.encode()),
    "address": ("address", b"198.51.100.222"),
    "address, long": ("address", b"2001:0db8:cafe:f00d:1234:5678:9abc:def0"),
    "network": ("address", b"2001:db8:cafe:f00d::/64"),
    "address, packed": ("address", bytes.fromhex("20010db8cafef00d123456789abcdef0")),
}


@pytest.mark.parametrize(("needle", "content"), FORMS.values(), ids=FORMS)
def test_file_with_it_is_found_wherever_it_lies(tmp_path: Path, needle: str, content: bytes) -> None:
    deep = tmp_path / "engine" / "store" / ".hidden"
    deep.mkdir(parents=True)
    (deep / "part.bin").write_bytes(os.urandom(100) + content + os.urandom(100))
    (deep / "other.bin").write_bytes(os.urandom(5000))
    evidence = Evidence(NEEDLES)
    evidence.look_at_all("files", places.files(tmp_path))
    assert {name: set(where) for name, where in evidence.found.items()} == {
        needle: {"files: engine/store/.hidden/part.bin"}
    }


def test_what_only_looks_like_it_is_not_found() -> None:
    evidence = Evidence(NEEDLES)
    for content in (
        b"LICENCE-Q7ZK4M2X9VB",
        b"198.51.100.22",
        str(uuid.uuid4()).encode(),
        PEPPER[:-1],
        b"",
        os.urandom(99),
    ):
        evidence.look("somewhere", content)
    assert dict(evidence.found) == {}


def test_marker_says_where_it_was_planted() -> None:
    evidence = Evidence(NEEDLES)
    evidence.look("log", f"GET /{quote(marker('path'))} {marker('agent')}".encode())
    assert evidence.outside("marker") == {"log": f"{marker('agent')} {marker('path')}"}
    assert evidence.outside("marker", "log") == {}


VALUES = (
    ("String", f"'{KEY}'", "licence key"),
    ("LowCardinality(String)", f"'{KEY}'", "licence key"),
    ("String", f"hex('{KEY}')", "licence key"),
    ("String", f"base64Encode('x{KEY}')", "licence key"),
    ("Array(String)", f"['a', '{KEY}']", "licence key"),
    ("Map(String, String)", f"map('{KEY}', 'a')", "licence key"),
    ("Tuple(UInt8, String)", f"(1, '{KEY}')", "licence key"),
    ("Nullable(String)", f"'{KEY}'", "licence key"),
    ("FixedString(32)", f"unhex('{PEPPER.hex()}')", "pepper"),
    ("String", f"unhex('{PEPPER.hex()}')", "pepper"),
    ("UUID", f"'{ID}'", "pseudonym"),
    ("IPv4", "'198.51.100.222'", "address"),
    ("IPv6", "'2001:db8:cafe:f00d:1234:5678:9abc:def0'", "address"),
    ("String", "'nothing of the kind'", None),
)


def test_value_in_a_table_is_found_whatever_its_type(engine: Engine) -> None:
    for n, (kind, value, _) in enumerate(VALUES):
        engine.command(f"CREATE TABLE private.planted_{n} (held {kind}) ENGINE = MergeTree ORDER BY tuple()")
        engine.command(f"INSERT INTO private.planted_{n} SELECT {value}")
    evidence = Evidence(NEEDLES)
    evidence.look_at_all("table", places.tables(engine))
    found = {(needle, place) for needle, where in evidence.found.items() for place in where}
    assert found == {(needle, f"table: private.planted_{n}") for n, (_, _, needle) in enumerate(VALUES) if needle}


def test_comment_of_a_table_is_found(engine: Engine) -> None:
    engine.command(f"CREATE TABLE private.planted (n UInt8) ENGINE = MergeTree ORDER BY n COMMENT '{KEY}'")
    evidence = Evidence(NEEDLES)
    evidence.look("definitions", places.definitions(engine))
    assert set(evidence.found) == {"licence key"}


def test_log_of_the_engine_is_a_table_too(engine: Engine) -> None:
    """Where one is switched on; statements in it would tell values."""
    engine.command("CREATE TABLE private.query_log (query String) ENGINE = Log")
    engine.command(f"INSERT INTO private.query_log VALUES ('SELECT {KEY}')")
    evidence = Evidence(NEEDLES)
    evidence.look_at_all("table", places.tables(engine))
    assert "table: private.query_log" in evidence.found["licence key"]
