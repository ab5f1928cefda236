"""Whatever bytes come, each report in them gets exactly one outcome, and nothing but formats is stored."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from collector.configuration import Configuration
from collector.ingest.answers import answer, batch_answer
from collector.ingest.intake import FORM, JSON, Intake
from collector.ingest.limits import NDJSON
from collector.ingest.pseudonyms import Peppers
from collector.ingest.spool import SegmentWriter, Spool
from collector.ingest.validation import Validator
from collector.ingest.values import ValueBudget
from collector.settings import Settings
from collector.worker import limits
from schemas.outcomes import Outcome
from schemas.reports import REPORTS, Report, json_schema

DAY = dt.date(2026, 9, 14)
URL = "/v1/data"
REASONS = {o for o in Outcome if o.status in {202, 400, 413, 415, 422}}
KNOWN_FIELDS = {name for report in REPORTS.values() for name in report.model.model_fields}
GOOD = {
    "image-boot/1": {
        "report_id": "0b7e5c1a-58c2-4f0e-9d6c-3f2a9e1b7c44",
        "source": "cloud",
        "product": "wordpress",
        "product_version": "6.4.2-0",
        "os_version": "debian-12",
        "instance_type": "t3.micro",
        "language": "pt-BR",
    },
    "installbuilder-run/1": {
        "product": "installbuilder",
        "product_version": "25.7.0",
        "os_version": "windows-11",
        "license_key": "CANARY-0000-KEY",
    },
}
COLUMNS = [
    *("report_id", "received_on", "report", "source", "product", "product_version", "version_line"),
    *("os_version", "instance_type", "language", "licence"),
]
QUICK = settings(
    max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@dataclass
class Reception:
    """The real intake in front of a real spool."""

    intake: Intake
    spool: Path
    runner: asyncio.Runner
    read: int = 0

    def take(self, report: Report, media_type: str, body: bytes) -> tuple[list[tuple[Outcome, str | None]], list[str]]:
        """The results, and the lines that are on disk since the last call."""
        results = self.runner.run(self.intake.take(report, media_type, body, dry_run=False))
        (segment,) = [*self.spool.glob("open/*.ndjson")] or [None]
        if segment is None:
            return results, []
        with segment.open("rb") as file:
            file.seek(self.read)
            added = file.read()
        self.read += len(added)
        assert not added or added.endswith(b"\n")
        return results, added.decode("ascii").split("\n")[:-1]


@pytest.fixture(scope="module")
def reception(tmp_path_factory: pytest.TempPathFactory, configuration: Configuration) -> Iterator[Reception]:
    data = tmp_path_factory.mktemp("fuzz")
    peppers = Peppers(data / "secrets")
    peppers.prepare(DAY)
    spool = Spool(SegmentWriter(data / "spool" / "w0", seal_after_bytes=1 << 30, reserve_percent=0))
    validator = Validator(configuration.policy, configuration.catalogue, peppers.pseudonym, lambda: str(uuid.uuid4()))
    # Small bounds, so that made-up bodies come up against them.
    bounds = replace(limits(Settings(data=data)), max_body_bytes=2_000, max_batch_bytes=12_000, max_batch_lines=12)
    with asyncio.Runner() as runner:
        yield Reception(Intake(validator, spool, ValueBudget(20), bounds, lambda: DAY), data / "spool" / "w0", runner)
        runner.run(spool.close())


def check(reception: Reception, report: Report, media_type: str, body: bytes) -> list[Outcome]:
    """Everything that holds for any body; the outcomes."""
    results, rows = reception.take(report, media_type, body)
    outcomes = [outcome for outcome, _ in results]
    assert set(outcomes) <= REASONS
    assert len(rows) == outcomes.count(Outcome.ACCEPTED)
    for row in rows:
        check_row(report, row)
    response = batch_answer(results, URL) if media_type == NDJSON else answer(*results[0], URL)
    assert isinstance(response.content, bytes)
    lines = response.content.decode("ascii").splitlines()
    assert len(lines) == len(results)
    for line in lines:
        check_answer(line)
    return outcomes


def check_answer(line: str) -> None:
    """An answer is made of our own words and at the most a field's name: there is no room for a value in it."""
    content = json.loads(line)
    outcome = Outcome(content.pop("outcome"))
    field = content.pop("field", None)
    assert field is None or field in KNOWN_FIELDS or re.fullmatch(r"[a-z][a-z0-9_]{0,39}", field)
    said = (
        {} if outcome is Outcome.ACCEPTED else {"meaning": outcome.meaning, "documentation": f"{URL}#{outcome.value}"}
    )
    assert content == said


def check_row(report: Report, line: str) -> None:
    """A stored row has the stored columns and no others, and each value has its field's format or is `other`."""
    row = json.loads(line)
    assert list(row) == COLUMNS
    assert (row["report"], row["received_on"]) == (report.id, str(DAY))
    assert row["source"] in report.sources
    assert uuid.UUID(row["report_id"]).version == 4
    assert uuid.UUID(row["licence"])
    assert "CANARY" not in line
    for name, schema in json_schema(report)["properties"].items():
        value = row.get(name)
        if value and value != "other" and "pattern" in schema:
            assert re.fullmatch(schema["pattern"], value, re.ASCII), name
            assert len(value) <= schema["maxLength"], name
    assert re.fullmatch(r"[0-9A-Za-z.+~_-]{0,48}", row["version_line"])


reports = st.sampled_from([*REPORTS.values()])
nested = st.integers(1, 600).map(lambda depth: "[" * depth + "]" * depth)
objects = st.integers(1, 300).map(lambda depth: '{"a":' * depth + "1" + "}" * depth)
numbers = st.one_of(
    st.integers().map(str),
    st.floats().map(json.dumps),  # NaN and Infinity too
    st.integers(1, 1_900).map(lambda n: "9" * n),
    st.sampled_from(["-", "-0", "01", "1e999", "1e-999", "1.", ".5", "0x1", "1_000", "9" * 1_900 + "e9"]),
)
characters = st.characters(codec=None, exclude_categories=())  # surrogates and all
escapes = st.sampled_from(
    [r'"\ud800"', r'"\udc00\ud800"', r'"\u0000"', r'"6.4\n"', r'"\x41"', r'"\u00e9"', '"\t"', '"']
)
good_values = st.sampled_from(sorted({value for content in GOOD.values() for value in content.values()}))
almost = st.tuples(
    good_values, st.sampled_from(["\n", " ", "\0", "\u0661", "\uff11", "\u200b", "'", "\\", "\u2028", "e\u0301"])
).map("".join)
texts = st.one_of(st.text(characters, max_size=60), almost, good_values, st.text("aA0.-_", max_size=70))
tokens = st.one_of(
    texts.map(json.dumps),
    texts.map(lambda text: json.dumps(text, ensure_ascii=False)),
    *(numbers, nested, objects, escapes),
    st.sampled_from(["true", "false", "null", "[]", "{}", "", "undefined", "/* */"]),
)
names = st.one_of(
    st.sampled_from(sorted(KNOWN_FIELDS)), st.sampled_from(["hostname", "__proto__", "", "a" * 41, "Product"]), texts
)


@st.composite
def near_valid(draw: st.DrawFn, report: Report) -> bytes:
    """A valid report with a few things about it changed: values, names, repeated keys, then bytes."""
    pairs = [(json.dumps(name), json.dumps(value)) for name, value in GOOD[report.id].items()]
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(pairs)))
        change = (json.dumps(draw(names)), draw(tokens))
        how = draw(st.sampled_from(["value", "value", "name", "add", "remove"]))
        if how == "add" or at == len(pairs):
            pairs.insert(at, change)
        elif how == "remove":
            del pairs[at]
        else:
            pairs[at] = (pairs[at][0], change[1]) if how == "value" else (change[0], pairs[at][1])
    body = ("{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}").encode("utf-8", "surrogatepass")
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=3)) + body[at + draw(st.integers(0, 2)) :]
    return body


@QUICK
@given(reports, st.sampled_from([JSON, NDJSON, FORM, "text/plain", ""]), st.binary(max_size=2_500))
@example(REPORTS["image-boot/1"], JSON, b"9" * 5_000)
@example(REPORTS["image-boot/1"], NDJSON, b"\n" * 12_000)
@example(REPORTS["image-boot/1"], NDJSON, b"{}\n" * 13)
@example(REPORTS["image-boot/1"], FORM, b"&=&" * 300)
def test_any_bytes_get_an_outcome(reception: Reception, report: Report, media_type: str, body: bytes) -> None:
    check(reception, report, media_type, body)


@QUICK
@given(st.data(), reports)
def test_report_that_is_nearly_valid_gets_one_outcome(
    reception: Reception, data: st.DataObject, report: Report
) -> None:
    assert len(check(reception, report, JSON, data.draw(near_valid(report)))) == 1


@QUICK
@given(st.data(), reports, st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\n \t\n"]))
def test_batch_gets_one_outcome_for_each_line_that_is_not_blank(
    reception: Reception, data: st.DataObject, report: Report, end: bytes
) -> None:
    lines = data.draw(st.lists(near_valid(report), max_size=14))
    body = end.join(lines)
    outcomes = check(reception, report, NDJSON, body)
    found = re.findall(rb"[^\n]*[^\s][^\n]*", body)
    if len(found) > 12 or len(body) > 12_000:
        assert outcomes == [Outcome.TOO_LARGE]
    else:
        assert len(outcomes) == max(1, len(found))


@pytest.mark.parametrize("size", [4_300, 4_301, 16_000])
def test_number_of_any_length_is_refused(validator: Validator, size: int) -> None:
    body = b'{"source":"vm","product":"wordpress","product_version":' + b"9" * size + b"}"
    verdict = validator.validate_json(REPORTS["image-boot/1"], body, DAY)
    # The parser itself gives up on a number that is too long to be one.
    assert verdict.outcome in {Outcome.WRONG_TYPE, Outcome.MALFORMED}


@st.composite
def escaped(draw: st.DrawFn, text: str) -> bytes:
    """A form's way of writing `text`: any of its bytes may be escaped, in either case."""
    return b"".join(
        draw(st.sampled_from([quote_from_bytes(bytes([byte]), safe="").encode(), b"%%%02x" % byte, b"%%%02X" % byte]))
        for byte in text.encode("utf-8", "surrogatepass")
    )


@settings(QUICK, max_examples=80)
@given(st.data(), reports)
def test_form_may_escape_what_it_likes(reception: Reception, data: st.DataObject, report: Report) -> None:
    pairs = [data.draw(escaped(name)) + b"=" + data.draw(escaped(value)) for name, value in GOOD[report.id].items()]
    assert check(reception, report, FORM, b"&".join(pairs)) == [Outcome.ACCEPTED]


@QUICK
@given(st.data(), reports, names, texts)
def test_form_that_is_nearly_valid_gets_one_outcome(
    reception: Reception, data: st.DataObject, report: Report, name: str, value: str
) -> None:
    pairs = [f"{n}={v}".encode() for n, v in GOOD[report.id].items()]
    odd = [data.draw(escaped(name)) + b"=" + data.draw(escaped(value)), b"%", b"=", b"a", b"a=%zz", b"a=%ff", b"\xff=1"]
    pairs.insert(data.draw(st.integers(0, len(pairs))), data.draw(st.sampled_from(odd)))
    body = b"&".join(pairs)
    at = data.draw(st.integers(0, len(body)))
    cut = body[:at] + data.draw(st.sampled_from([b"", b"+", b"&", b";", b"%", b"%00", b"%0a"])) + body[at:]
    assert len(check(reception, report, FORM, cut)) == 1


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_form_with_a_name_twice_is_malformed_and_a_plus_is_a_space(reception: Reception, report: Report) -> None:
    pairs = [f"{name}={value}" for name, value in GOOD[report.id].items()]
    for name in GOOD[report.id]:
        twice = "&".join([*pairs, f"{name}="])
        assert check(reception, report, FORM, twice.encode()) == [Outcome.MALFORMED]
        spaced = "&".join(pairs).replace(f"{name}=", f"{name}=+")
        (outcome,) = check(reception, report, FORM, spaced.encode())
        assert outcome in {Outcome.INVALID_FORMAT, Outcome.UNKNOWN_PRODUCT}
