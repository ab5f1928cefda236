"""Recovery against a model: of any file it keeps the rows before the first thing that is no row, and no more."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import NoReturn

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.ingest import segment
from collector.ingest.segment import OPEN, SEALED, SUFFIX
from tests.sample_days import DAY, ONE

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ROWS = st.builds(
    lambda report_id, product, spaced: _line(
        {"report_id": report_id, "received_on": str(DAY), "product": product}, spaced
    ),
    st.uuids().map(str),
    TEXTS,
    st.booleans(),
)
NO_ROWS = st.one_of(
    st.builds(lambda row, kept: row[: kept % len(row)], ROWS, st.integers(1)),  # torn
    st.builds(lambda row, at: row[: at % len(row)] + bytes(512) + row[at % len(row) :], ROWS, st.integers(0)),  # a hole
    ROWS.map(lambda row: row.rstrip(b"\n")),  # two rows become one line
    st.integers(1, 5000).map(bytes),
    st.binary(max_size=40),
    st.sampled_from([b"\n", b"\r\n", b"{}\n", b"[]\n", b"null\n", b'"text"\n', b"\xff\xfe\n", b'{"report_id": NaN}\n']),
    st.sampled_from([b'{"report_id": "\xc3\x28", "received_on": ""}\n', b"\xef\xbb\xbf", b'{"report_id": 1}\n']),
)
FILES = st.lists(st.one_of(ROWS, ROWS, ROWS, NO_ROWS), max_size=8).map(b"".join)


def _line(row: dict[str, str], spaced: bool) -> bytes:
    return json.dumps(row, indent=None, separators=None if spaced else (",", ":")).encode() + b"\n"


def _no_constant(_: str) -> NoReturn:
    raise ValueError("JSON has no such number")


def kept_of(content: bytes) -> bytes:
    """The model: another JSON parser, and the file at once instead of line by line."""
    kept = b""
    while b"\n" in content:
        line, content = content.split(b"\n", 1)
        try:
            row = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
        except ValueError:
            break
        if not isinstance(row, dict) or not {"report_id", "received_on"} <= row.keys():
            break
        kept += line + b"\n"
    return kept


def sealed(worker: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (worker / SEALED).iterdir()}


@settings(max_examples=300, deadline=None)
@given(st.lists(FILES, min_size=1, max_size=3))
def test_recovery_keeps_the_rows_before_the_first_that_is_none_and_does_it_once(contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        worker = Path(directory) / "data" / "spool" / "w0"
        segment.prepare(worker)
        names = [f"{DAY + n * ONE}.feed-{n:06d}{SUFFIX}" for n in range(len(contents))]
        for name, content in zip(names, contents, strict=True):
            (worker / OPEN / name).write_bytes(content)
        expected = {name: kept_of(content) for name, content in zip(names, contents, strict=True) if kept_of(content)}
        assert segment.recover(worker) == sum(rows.count(b"\n") for rows in expected.values())
        assert sealed(worker) == expected
        assert not list((worker / OPEN).iterdir())
        assert segment.recover(worker) == 0
        assert sealed(worker) == expected


@settings(max_examples=100, deadline=None)
@given(FILES)
def test_what_was_recovered_is_recovered_whole_a_second_time(content: bytes) -> None:
    """A power cut can bring the old name back: recovery of its own result must not cut more."""
    with tempfile.TemporaryDirectory() as directory:
        worker = Path(directory) / "data" / "spool" / "w0"
        segment.prepare(worker)
        (worker / OPEN / f"{DAY}.feed-000000{SUFFIX}").write_bytes(content)
        segment.recover(worker)
        once = sealed(worker)
        for path in (worker / SEALED).iterdir():
            path.rename(worker / OPEN / path.name)
        segment.recover(worker)
        assert sealed(worker) == once
