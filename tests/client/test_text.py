"""Lines, blanks and cases are those of every client, not those of Python."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from telemetry_client.assignments import Assignment, last_values, read_assignments
from telemetry_client.configuration import switch
from telemetry_client.text import MAX_FILE_BYTES, lowered, raised, read_text, split_lines, stripped

if TYPE_CHECKING:
    from pathlib import Path

# Line ends and blanks of Python that are none here.
OTHER_LINE_ENDS = "\x1c\x1d\x1e\x85\u2028\u2029"
OTHER_BLANKS = "\x1f\xa0\u2003\u3000"


def test_lines_end_with_lf_alone() -> None:
    text = f"a\rb\vc\fd{OTHER_LINE_ENDS}e"
    assert split_lines(f"{text}\nf") == [text, "f"]


def test_only_five_blanks_are_taken_away() -> None:
    assert stripped(" \t\r\v\fon\f\v\r\t ") == "on"
    assert stripped(f"{OTHER_BLANKS}on{OTHER_BLANKS}") == f"{OTHER_BLANKS}on{OTHER_BLANKS}"
    assert stripped("on\n") == "on\n"


def test_only_ascii_has_upper_and_lower_case() -> None:
    assert lowered("ABCXYZ\u0130\u212a\u00c4") == "abcxyz\u0130\u212a\u00c4"
    assert raised("abcxyz\u0131\u00df\u00e4") == "ABCXYZ\u0131\u00df\u00e4"


@pytest.mark.parametrize(
    ("word", "means"),
    [("ON", "on"), (" on\r", "on"), ("on\u00a0", ""), ("OFF", "off"), ("of\u0192", ""), ("on\n", ""), ("\u212an", "")],
)
def test_a_word_is_on_or_off_by_these_rules(word: str, means: str) -> None:
    assert switch(word) == means


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("  export\tA = b  ", "b"),
        ("A=\r", ""),
        ("A='b c'", "b c"),
        ('A="b c"d', "b cd"),
        (r'A="\$\`\"\\"', '$`"\\'),
        (r'A="\n"', "\\n"),
        (r"A=b\ c", "b c"),
        (r"A='\'", "\\"),
        ("A=' b '", "b"),
        ("A=$HOME", "$HOME"),
        ("A=b#c", "b#c"),
        ("A=b\u00a0c", "b\u00a0c"),
        ("A=''", ""),
    ],
)
def test_a_value_is_what_a_shell_would_assign_without_expanding(line: str, value: str) -> None:
    assert list(read_assignments(line)) == [Assignment(1, "A", value)]


@pytest.mark.parametrize("line", ["A=b c", "A=b\tc", "A='b", 'A="b', "A=b\\", "A", "=b", "1A=b", "A B=c", "A=b # c"])
def test_what_a_shell_would_not_assign_is_not_understood(line: str) -> None:
    assert list(read_assignments(line)) == [Assignment(1, "", "")]


def test_a_separator_of_lines_within_a_value_does_not_begin_a_line() -> None:
    assert last_values(f"A=b{OTHER_LINE_ENDS}B=c") == {"A": f"b{OTHER_LINE_ENDS}B=c"}


@settings(max_examples=60, deadline=None)
@for_all(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12))
def test_a_quoted_value_reads_as_a_real_shell_reads_it(value: str) -> None:
    line = f"A={shlex.quote(value)}"
    real = subprocess.run(["sh", "-c", f'{line}; printf "%s" "$A"'], capture_output=True, text=True, check=True).stdout
    assert last_values(line) == {"A": real.strip(" ")}


def test_a_file_over_its_bound_cannot_be_read_and_broken_text_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"\xff\0" + b"x" * (MAX_FILE_BYTES - 2))
    text = read_text(str(file))
    assert text is not None
    assert (text[:2], len(text)) == ("\ufffd\0", MAX_FILE_BYTES)
    file.write_bytes(b"x" * (MAX_FILE_BYTES + 1))
    assert read_text(str(file)) is None
    assert read_text(str(tmp_path)) is None
    assert read_text(str(tmp_path / "missing")) is None
