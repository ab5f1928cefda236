from __future__ import annotations

import datetime as dt
import itertools
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.configuration import Configuration
from collector.ingest.validation import Accepted, Rejected, Validator
from schemas.examples import examples
from schemas.outcomes import Outcome
from schemas.policy import Policy
from schemas.reports import REPORTS

DAY = dt.date(2026, 9, 14)
BOOT, RUN = REPORTS["image-boot/1"], REPORTS["installbuilder-run/1"]
GOOD = {"source": "cloud", "product": "wordpress", "product_version": "6.4.2-0", "language": "en-US"}
GOOD_RUN = {"product": "installbuilder", "product_version": "25.7.0", "license_key": "CANARY-0000-KEY"}
ID = "0b7e5c1a-58c2-4f0e-9d6c-3f2a9e1b7c44"


def stored(verdict: Accepted | Rejected) -> dict[str, str]:
    assert isinstance(verdict, Accepted), verdict
    assert verdict.row.endswith(b"\n")
    assert verdict.row.count(b"\n") == 1
    return json.loads(verdict.row)


def test_row_holds_what_was_sent_and_what_the_catalogue_adds(validator: Validator) -> None:
    assert stored(validator.validate_json(BOOT, json.dumps(GOOD).encode(), DAY)) == {
        "report_id": ID,
        "received_on": "2026-09-14",
        "report": "image-boot/1",
        "source": "cloud",
        "product": "wordpress",
        "product_version": "6.4.2-0",
        "version_line": "6.4",
        "os_version": "",
        "instance_type": "",
        "language": "en-US",
        "licence": "00000000-0000-0000-0000-000000000000",
    }


def test_report_id_of_the_client_is_kept(validator: Validator) -> None:
    own = "11111111-2222-4333-8444-555555555555"
    body = json.dumps(GOOD | {"report_id": own}).encode()
    assert stored(validator.validate_json(BOOT, body, DAY))["report_id"] == own


def test_validator_that_has_seen_much_decides_as_a_new_one_does(configuration: Configuration) -> None:
    def new() -> Validator:
        return Validator(configuration.policy, configuration.catalogue, lambda key, day: f"{key} {day}", lambda: ID)

    seasoned, days = new(), (DAY, DAY + dt.timedelta(days=1), DAY)
    for _, day, example in itertools.product(range(2), days, examples()):
        report = REPORTS[example.report]
        assert seasoned.validate_json(report, example.body, day) == new().validate_json(report, example.body, day)


def test_withdrawn_report_id_is_another_one_each_time(
    configuration: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = itertools.count()
    validator = Validator(configuration.policy, configuration.catalogue, lambda _k, _d: ID, lambda: f"new-{next(ids)}")
    monkeypatch.setitem(validator._withdrawn, "cloud", frozenset({"report_id"}))
    own = "11111111-2222-4333-8444-555555555555"
    for n, sent in enumerate((GOOD | {"report_id": own}, GOOD, GOOD | {"report_id": own})):
        verdict = validator.validate_json(BOOT, json.dumps(sent).encode(), DAY)
        assert stored(verdict)["report_id"] == f"new-{n}"
        assert isinstance(verdict, Accepted)
        assert verdict.blanked == ("report_id" in sent)


def test_licence_key_is_replaced_before_the_row_exists(validator: Validator) -> None:
    row = stored(validator.validate_json(RUN, json.dumps(GOOD_RUN).encode(), DAY))
    assert row["licence"] == ID  # what this validator's pseudonym function gives
    assert "CANARY" not in json.dumps(row)
    assert row["source"] == "installbuilder"


def test_form_means_the_same_as_json(validator: Validator) -> None:
    by_form = validator.validate_form(BOOT, urlencode(GOOD).encode(), DAY)
    assert by_form == validator.validate_json(BOOT, json.dumps(GOOD).encode(), DAY)


def test_unknown_form_field_is_unknown_even_when_empty(validator: Validator) -> None:
    verdict = validator.validate_form(BOOT, urlencode(GOOD).encode() + b"&hostname=", DAY)
    assert verdict == Rejected(Outcome.UNKNOWN_FIELD, "hostname")


def test_empty_form_field_counts_as_not_sent(validator: Validator) -> None:
    verdict = validator.validate_form(RUN, b"product=installbuilder&product_version=25.7.0&license_key=", DAY)
    assert stored(verdict)["licence"] == "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    "body",
    [b"", b"product", b"product=wordpress&product=nginx", b"product=\xff", b"a=1&" * 40 + b"b=2", b"%zz=%"],
)
def test_what_is_no_form_is_malformed(validator: Validator, body: bytes) -> None:
    verdict = validator.validate_form(BOOT, body, DAY)
    assert isinstance(verdict, Rejected)
    assert verdict.outcome in {Outcome.MALFORMED, Outcome.UNKNOWN_FIELD}


@pytest.mark.parametrize("name", ["Host Name", "x" * 41, "EXAMPLE-KEY-0001", "né", "a\nb", ""])
def test_name_that_is_no_field_name_is_not_repeated(validator: Validator, name: str) -> None:
    verdict = validator.validate_json(BOOT, json.dumps(GOOD | {name: "x"}).encode(), DAY)
    assert verdict == Rejected(Outcome.UNKNOWN_FIELD, None)


def test_withdrawn_field_is_blanked_and_the_report_still_counts(configuration: Configuration) -> None:
    policy: Policy = configuration.policy
    permits = tuple(
        p.model_copy(update={"withdrawn": True}) if p.field == "language" and "vm" in p.sources else p
        for p in policy.permits_
    )
    tightened = policy.model_copy(update={"permits_": permits})
    validator = Validator(tightened, configuration.catalogue, lambda _k, _d: ID, lambda: ID)
    verdict = validator.validate_json(BOOT, json.dumps(GOOD).encode(), DAY)
    assert stored(verdict)["language"] == ""
    assert isinstance(verdict, Accepted)
    assert verdict.blanked == 1
    without = validator.validate_json(BOOT, json.dumps(GOOD | {"language": "de-DE"}).encode(), DAY)
    assert without == verdict


def test_unknown_field_wins_over_a_missing_one(validator: Validator) -> None:
    verdict = validator.validate_json(BOOT, b'{"hostname": "a"}', DAY)
    assert verdict == Rejected(Outcome.UNKNOWN_FIELD, "hostname")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CONFIGURATION_FIELDS = ["source", "product", "product_version", "os_version", "instance_type", "language", "report_id"]


@given(st.binary(max_size=400))
def test_no_bytes_make_it_fail(body: bytes) -> None:
    validator = fixed_validator()
    for verdict in (validator.validate_json(BOOT, body, DAY), validator.validate_form(RUN, body, DAY)):
        assert isinstance(verdict, Accepted | Rejected)


@given(st.dictionaries(st.sampled_from(CONFIGURATION_FIELDS), anything), st.text(min_size=12, max_size=40))
def test_verdict_never_repeats_a_value(changes: dict[str, object], value: str) -> None:
    body = json.dumps(GOOD | changes | {"product_version": value}).encode()
    verdict = fixed_validator().validate_json(BOOT, body, DAY)
    if isinstance(verdict, Rejected):
        assert verdict.field is None or verdict.field in {*CONFIGURATION_FIELDS, "license_key"}


@given(st.from_regex(r"[0-9][0-9a-z]{0,5}([.+~_-][0-9a-zA-Z]{1,4}){0,3}", fullmatch=True))
def test_every_version_in_its_format_is_accepted_unchanged(version: str) -> None:
    body = json.dumps(GOOD | {"product_version": version}).encode()
    assert stored(fixed_validator().validate_json(BOOT, body, DAY))["product_version"] == version


def fixed_validator(made: list[Validator] = []) -> Validator:  # noqa: B006 - made once, for all examples
    if not made:
        from pathlib import Path

        from collector.configuration import read_configuration
        from collector.settings import Settings

        known = read_configuration(Settings(data=Path("unused")))
        made.append(Validator(known.policy, known.catalogue, lambda _k, _d: ID, lambda: ID))
    return made[0]
