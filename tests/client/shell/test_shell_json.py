"""Text and JSON in the shell client, with every awk: hostile values come out whole, hostile files are read or not."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.client.shell.shells import Ran, call, each_shell, need, run
from tests.conftest import missing

AWKS = {"mawk": ("mawk",), "gawk": ("gawk",), "busybox": ("busybox", "awk"), "original-awk": ("original-awk",)}
each_awk = pytest.mark.parametrize("awk", ["mawk", "busybox", "gawk"])
TEXTS = [
    "",
    "plain",
    'quotes " and \\ backslashes \\\\" \\n',
    "line\nend\n",
    "\n\n",
    "".join(chr(code) for code in range(1, 128)),
    "zwölf ünïcode €100 😀",
    "-n",
    "%s%d",
    "$(touch ran) `touch ran` ${HOME}",
    "\x7f\x80\u07ff\u0800\uffff\U00010000\U0010ffff",
]
BYTES = [
    b"\xff",
    b"a\xc3",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x82",
    b"\xf0\x9f\x98",
    b"\x80\xbf",
]


def _with(awk: str, place: Path) -> dict[str, str]:
    """An environment in which `awk` is this one."""
    need(AWKS[awk][0])
    (place / "bin").mkdir(exist_ok=True)
    if not (place / "bin/awk").exists():
        # busybox goes by the name that it is called with.
        (place / "bin/awk").symlink_to(str(shutil.which(AWKS[awk][0])))
    return {"PATH": f"{place}/bin:{os.defpath}"}


@each_shell
def test_json_strings_are_those_of_python(shell: str) -> None:
    code = 'for text in "$@"; do json_string "$text"; printf "%s\\n" "$result"; done'
    ran = call(shell, code, *TEXTS)
    assert ran.err == ""
    assert ran.out.splitlines() == [json.dumps(text) for text in TEXTS]


@each_shell
def test_bytes_that_are_not_utf8_are_shown_as_python_shows_them(shell: str, tmp_path: Path) -> None:
    for each in BYTES:
        told = run(shell, "status", "--root", str(tmp_path), b"--state-dir=/nowhere/" + each, "--format", "json").out
        assert json.loads(told)["state_directory"] == os.fsdecode(b"/nowhere/" + each)


@each_awk
def test_json_strings_in_every_awk(awk: str, tmp_path: Path) -> None:
    code = 'for text in "$@"; do json_string "$text"; printf "%s\\n" "$result"; done'
    ran = call("dash", code, *TEXTS, environment=_with(awk, tmp_path))
    assert ran.out.splitlines() == [json.dumps(text) for text in TEXTS]


_READ = """
text=$1
printf '%s' "$text" | awk "$AWK_JSON"'
  BEGIN { RS = "\\001"; wants("a/b"); wants("c"); wants("*/version") }
  { text = text $0 }
  END {
    if (!json(text)) { print "no"; exit }
    print "yes"
    if ((1, "") in found) print "a/b " found[1, ""]
    if ((2, "") in found) print "c " found[2, ""]
    for (i = 1; i <= named; i++) if ((3, names[i]) in found) print names[i] " " found[3, names[i]]
  }'
"""

GOOD = {
    '{"a":{"b":"x"},"c":"y"}': ["a/b x", "c y"],
    ' \n\t{ "a" : { "b" : "x" } } \r\n': ["a/b x"],
    '{"a":{"b":"x"},"a":5}': [],
    '{"a":5,"a":{"b":"x"}}': ["a/b x"],
    '{"c":"one","c":"two"}': ["c two"],
    '{"c":"one","c":[]}': [],
    '{"c":["no"],"a":[{"b":"no"}]}': [],
    '{"x":{"c":"no"},"c":"y"}': ["c y"],
    '{"c":"\\u0041\\n\\"\\\\\\/\\u20ac"}': ['c A\x02"\\/€'],
    '{"c":"\\ud83d\\ude00"}': ["c 😀"],
    '{"c":"\\\\"}': ["c \\"],
    '{"c":"\\\\\\""}': ['c \\"'],
    '{"\\u0063":"y"}': ["c y"],
    '{"n":-1.5e+3,"m":[1,2,{"c":true}],"c":"y","k":null}': ["c y"],
    '{"x":{"version":"1"},"y":{"version":"2"},"x":{}}': ["y 2"],
    "[]": [],
    '"text"': [],
    "0": [],
    "[" * 400 + "]" * 400: [],
}
BAD = [
    "",
    " ",
    "{",
    "}",
    "[1,]",
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,"a":1}',
    "{'a':1}",
    '{"a":1}}',
    '{"a":1} x',
    '{"a" "b"}',
    '{"c":"y"',
    '{"c":"y}',
    '{"c":"\\"}',
    '{"c":"\\x"}',
    '{"c":"\\u12"}',
    '{"c":"line\nend"}',
    '{"c":"tab\tin"}',
    '{"a":01}',
    '{"a":.5}',
    '{"a":1.}',
    '{"a":+1}',
    '{"a":truth}',
    '{"a":nul}',
    "[1 2]",
    '["a":1]',
    "{1:2}",
    "[}",
    '"a""b"',
    "[" * 60000,
    '{"a":' * 3000,
    "\ufeff{}",
]


@each_awk
def test_what_is_json_is_read_and_the_rest_is_not(awk: str, tmp_path: Path) -> None:
    environment = _with(awk, tmp_path)
    for text, expected in GOOD.items():
        json.loads(text)
        ran = call("dash", _READ, text, environment=environment)
        assert (ran.out.splitlines(), ran.err) == (["yes", *expected], ""), text[:60]
    for text in BAD:
        with pytest.raises((ValueError, RecursionError)):
            json.loads(text)
        ran = call("dash", _READ, text, environment=environment)
        assert (ran.out, ran.err) == ("no\n", ""), text[:60]


@each_awk
def test_hostile_files_take_no_time(awk: str, tmp_path: Path) -> None:
    environment = _with(awk, tmp_path)
    root = tmp_path / "root"
    (root / "run/cloud-init").mkdir(parents=True)
    most = 1024 * 1024
    for text in (
        '{"a":"' + '\\"' * (most // 2),
        "[" * most,
        '{"a":1,' * (most // 7),
        "[" + "1," * (most // 2),
        '"a":' * (most // 4),
    ):
        (root / "run/cloud-init/instance-data.json").write_text(text)
        ran = _show(root, environment, timeout=10)
        assert (ran.code, ran.err) == (0, "")


@each_awk
def test_assignments_as_a_shell_would_read_them(awk: str, tmp_path: Path) -> None:
    environment = _with(awk, tmp_path)
    lines = {
        "A=1": ("A", "1"),
        "export A = 1 ": ("A", "1"),
        "export=1": ("export", "1"),
        "A='it''s'": ("A", "its"),
        'A="a\\"b\\$c\\d"': ("A", 'a"b$c\\d'),
        "A=a\\ b": ("A", "a b"),
        "A=$HOME`x`": ("A", "$HOME`x`"),
        "A=": ("A", ""),
        "A=' x '": ("A", "x"),
        "A=one two": ("!", ""),
        "A='open": ("!", ""),
        'A="open\\"': ("!", ""),
        "A=end\\": ("!", ""),
        "A B=1": ("!", ""),
        "1A=1": ("!", ""),
        "=1": ("!", ""),
        "word": ("!", ""),
        "A.b-c_d=1\r": ("A.b-c_d", "1"),
        "\x0b\x0cA=1": ("A", "1"),
        "A=\u00a0x": ("A", "\u00a0x"),
    }
    file = tmp_path / "file"
    file.write_text("# comment\n\n" + "\n".join(lines) + "\n", newline="")
    told = call("dash", 'assignments "$1"', str(file), environment=environment).out.split("\n")[:-1]
    assert told == [f"{number} {key} {value}" for number, (key, value) in enumerate(lines.values(), start=3)]


def test_gawk_is_required_where_all_is() -> None:
    if shutil.which("gawk") is None:
        missing("gawk is missing")


@each_shell
def test_locale_of_the_caller_is_a_fact_and_not_a_setting(shell: str, tmp_path: Path) -> None:
    for locale, tag in (("de_AT.UTF-8", "de-AT"), ("sr_RS@latin", "sr-Latn-RS"), ("C", "und"), ("POSIX", "und")):
        ran = run(shell, "show", "--state-dir", str(tmp_path), "--format", "json", environment={"LC_ALL": locale})
        assert {each["field"]: each["value"] for each in json.loads(ran.out)["fields"]}["language"] == tag


def _show(root: Path, environment: dict[str, str], shell: str = "dash", timeout: float = 30) -> Ran:
    path = environment.pop("PATH", os.defpath)
    return run(
        shell, "show", "--root", str(root), "--format", "json", path=path, environment=environment, timeout=timeout
    )
