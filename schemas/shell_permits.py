"""The permits as a block of POSIX shell, for the shell client: what may be sent, checked without a regex engine.

A field's format becomes `case` patterns, which dash, bash and busybox read alike. Three shapes of format are
known; a format of another shape stops `make schemas`, because a check that is nearly right is none:

    finite      classes, counts, groups, `?` and `|`: each spelling is one pattern
    words       ^HEAD REST*(SEPARATOR REST+)*$, where the first word may have to hold a letter
    class       ^HEAD CLASS{m,n}$
"""

from __future__ import annotations

import itertools
import re
import string
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BEGIN = "# BEGIN PERMITS: written by schemas/shell_permits.py from the policy; edit neither here nor there"
END = "# END PERMITS"
ORDER = ("report_id", "source", "product", "product_version", "os_version", "instance_type", "language", "license_key")

_CLASS = r"\[[^\]]+\]"
_ONE = rf"(?:{_CLASS}|[a-z0-9-])"
_WORDS = re.compile(
    rf"\^(?:(?P<lead>{_CLASS})\*)?(?P<head>{_CLASS})(?P<rest>{_CLASS})\*\((?P<gap>{_ONE})(?P<word>{_CLASS})\+\)\*\$"
)
_COUNTED = re.compile(rf"\^(?P<head>{_CLASS})(?P<rest>{_CLASS})\{{(?P<least>\d+),(?P<most>\d+)\}}\$")
_MOST_SPELLINGS = 64


def with_permits(client: str, permits: Mapping[str, Any]) -> str:
    """The text of the shell client with its block of permits made anew."""
    before, begin, rest = client.partition(BEGIN + "\n")
    _old, end, after = rest.partition(END + "\n")
    if not (begin and end):
        raise ValueError("the shell client has no block of permits")
    return f"{before}{begin}{shell_block(permits)}{end}{after}"


def shell_block(permits: Mapping[str, Any]) -> str:
    """Whose policy it is, the reports, and the functions `terms`, `permit` and `admits`."""
    policy, reports = permits["policy"], permits["reports"]
    lines = [f"POLICY_{key.upper()}={_quoted(policy[key])}" for key in ("id", "title", "dated", "contact", "url")]
    lines.append(f"REPORTS={_quoted(chr(10).join(reports))}")
    for head, body in (
        ("# terms REPORT: sets path, sources, fields and needed; fails for no report\nterms() {\n  case $1 in", _terms),
        (
            "# permit REPORT FIELD: sets allowed, purpose, clause; fails without one\npermit() {\n  case $1:$2 in",
            _permit,
        ),
        ("# admits REPORT FIELD VALUE: whether it has the format\nadmits() {\n  case $1:$2 in", _admits),
    ):
        lines += ["", head, *body(reports), "  *) return 1 ;;", "  esac", "}"]
    return "\n".join(lines) + "\n"


def _terms(reports: Mapping[str, Any]) -> Iterator[str]:
    for name, report in reports.items():
        fields = sorted(report["fields"], key=rank)
        needed = [field for field in fields if report["fields"][field]["required"]]
        yield f"  {name})"
        yield f"    path={report['path']} sources={_quoted(' '.join(report['sources']))}"
        yield f"    fields={_quoted(chr(10).join(fields))}"
        yield f"    needed={_quoted(' ' + ' '.join(needed) + ' ')} ;;"


def _permit(reports: Mapping[str, Any]) -> Iterator[str]:
    for name, report in reports.items():
        for field in sorted(report["fields"], key=rank):
            terms = report["fields"][field]
            yield f"  {name}:{field})"
            yield f"    allowed={_quoted(' ' + ' '.join(terms['sources']) + ' ')} clause={_quoted(terms['clause'])}"
            yield f"    purpose={_quoted(terms['purpose'])} ;;"


def _admits(reports: Mapping[str, Any]) -> Iterator[str]:
    for labels, terms in _formats(reports):
        *first, last = check(terms)
        yield from (f"  {' | '.join(labels)})", *(f"    {line}" for line in first), f"    {last} ;;")


def check(terms: Mapping[str, Any]) -> list[str]:
    """Shell lines that fail unless `$3` has the format of these terms."""
    if "enum" in terms:
        return [_only(terms["enum"])]
    pattern, most = terms.get("pattern", ""), terms.get("maxLength", 0)
    length = f"[ ${{#3}} -le {most} ] || return 1"
    return [f"# {pattern}", length, *(_words(pattern) or _counted(pattern, most) or [_only(_spellings(pattern))])]


def _formats(reports: Mapping[str, Any]) -> Iterator[tuple[list[str], Mapping[str, Any]]]:
    """Each field once for all reports in which its format is the same."""
    found: dict[tuple[str, str], tuple[list[str], Mapping[str, Any]]] = {}
    for name, report in reports.items():
        for field in sorted(report["fields"], key=rank):
            terms = report["fields"][field]
            key = (field, repr([terms.get(part) for part in ("pattern", "maxLength", "enum")]))
            found.setdefault(key, ([], terms))[0].append(f"{name}:{field}")
    yield from found.values()


def _words(pattern: str) -> list[str]:
    match = _WORDS.fullmatch(pattern)
    if match is None:
        return []
    head, rest, gap, word = (_members(match[name]) for name in ("head", "rest", "gap", "word"))
    lead = _members(match["lead"]) if match["lead"] else frozenset()
    # Only then do these rules say what the format says.
    if not (head <= rest and rest == word and not rest & gap and (not lead or lead | head == rest)):
        raise ValueError(f"not a format of words: {pattern}")
    inside, between = match["rest"].strip("[]"), _escaped(match["gap"])
    first = f"[!{inside}]" if lead else f"[!{match['head'].strip('[]')}]"
    foreign = f"*[!{inside}{_inside(match['gap'])}]*"
    lines = [f"case $3 in '' | {foreign} | {first}* | *{between}{between}* | *{between}) return 1 ;; esac"]
    if lead:
        lines.append(f"case ${{3%%{between}*}} in *{match['head']}*) ;; *) return 1 ;; esac")
    return lines


def _counted(pattern: str, most_length: int) -> list[str]:
    match = _COUNTED.fullmatch(pattern)
    if match is None:
        return []
    if int(match["most"]) + 1 < most_length:
        raise ValueError(f"a format whose length is not its field's: {pattern}")
    head, rest = match["head"].strip("[]"), match["rest"].strip("[]")
    return [
        f"[ ${{#3}} -gt {match['least']} ] || return 1",
        f"case $3 in [!{head}]* | ?*[!{rest}]*) return 1 ;; esac",
    ]


def _spellings(pattern: str) -> list[str]:
    """Every spelling of a finite pattern, each as a `case` pattern."""
    if not (pattern.startswith("^") and pattern.endswith("$")):
        raise ValueError(f"not a whole format: {pattern!r}")
    spellings, left = _alternatives(pattern[1:-1])
    if left or len(spellings) > _MOST_SPELLINGS:
        raise ValueError(f"not a finite format: {pattern}")
    return spellings


def _alternatives(text: str) -> tuple[list[str], str]:
    found: list[str] = []
    spellings = [""]
    while text and text[0] != ")":
        if text[0] == "|":
            found, spellings, text = found + spellings, [""], text[1:]
            continue
        items, text = _item(text)
        spellings = ["".join(pair) for pair in itertools.product(spellings, items)]
    return found + spellings, text


def _item(text: str) -> tuple[list[str], str]:
    if text[0] == "(":
        items, text = _alternatives(text[1:])
        if not text.startswith(")"):
            raise ValueError("a group that does not close")
        text = text[1:]
    else:
        match = re.match(_ONE, text)
        if match is None:
            raise ValueError(f"not a finite format: {text}")
        items, text = [match[0]], text[match.end() :]
    count = re.match(r"\{(\d+)(?:,(\d+))?\}|\?", text)
    if count is None:
        return items, text
    least, most = (0, 1) if count[0] == "?" else (int(count[1]), int(count[2] or count[1]))
    repeated = ["".join(each) for times in range(least, most + 1) for each in itertools.product(items, repeat=times)]
    return repeated, text[count.end() :]


def _members(written: str) -> frozenset[str]:
    return frozenset(character for character in string.printable if re.fullmatch(written, character))


def _escaped(one: str) -> str:
    return one if one.startswith("[") or one == "-" else f"\\{one}"


def _inside(one: str) -> str:
    return one.strip("[]")


def _only(patterns: list[str]) -> str:
    return f"case $3 in {' | '.join(patterns)}) ;; *) return 1 ;; esac"


def _quoted(text: str) -> str:
    escaped = text.replace("'", "'\\''")
    return f"'{escaped}'"


def rank(name: str) -> int:
    """Where a field stands among the others; one that is not known comes last."""
    return ORDER.index(name) if name in ORDER else len(ORDER)
