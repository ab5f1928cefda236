"""Permits end, so that somebody looks at them again: a warning 60 days ahead, a problem afterwards."""

from __future__ import annotations

import datetime as dt

import pytest
from structlog.testing import capture_logs

from collector import permit_watch
from collector.ingest.validation import Accepted, Validator
from schemas.policy import Policy, load_policy
from schemas.reports import REPORTS
from schemas.review import misdated, reviews
from tests.conftest import ID

ENDS = dt.date(2027, 6, 30)
DAYS = dt.timedelta(days=1)


@pytest.fixture
def policy() -> Policy:
    """The shipped policy, in which the permits of `language` end on ENDS and all others much later."""
    shipped = load_policy()
    permits = tuple(
        permit.model_copy(update={"expires": ENDS if permit.field == "language" else ENDS + 500 * DAYS})
        for permit in shipped.permits_
    )
    return shipped.model_copy(update={"permits_": permits})


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (ENDS - 61 * DAYS, []),
        (ENDS - 60 * DAYS, ["expires on 2027-06-30, in 60 days"] * 2),
        (ENDS, ["expires on 2027-06-30, in 0 days"] * 2),
        (ENDS + DAYS, ["expired on 2027-06-30"] * 2),
    ],
)
def test_permit_is_announced_60_days_ahead_and_holds_through_its_last_day(
    policy: Policy, day: dt.date, said: list[str]
) -> None:
    found = reviews(policy, day)
    assert len(found) == len(said)
    for review, words in zip(found, said, strict=True):
        assert words in str(review)
        assert "language" in str(review)
        assert "InstallBuilder product management" in str(review) or "image product management" in str(review)
        assert review.is_overdue == (day > ENDS)


def test_withdrawn_field_needs_no_review(policy: Policy) -> None:
    permits = tuple(p.model_copy(update={"withdrawn": True}) if p.field == "language" else p for p in policy.permits_)
    assert reviews(policy.model_copy(update={"permits_": permits}), ENDS + DAYS) == []


def test_review_of_a_day_to_come_is_none() -> None:
    policy = load_policy()
    day = policy.permits_[0].last_review
    assert misdated(policy, day) == []
    assert "is a day that is still to come" in misdated(policy, day - DAYS)[0]


def test_running_collector_goes_on_with_an_expired_permit_and_is_loud(policy: Policy, configuration) -> None:
    validator = Validator(policy, configuration.catalogue, lambda _key, _day: ID, lambda: ID)
    body = b'{"source": "vm", "product": "wordpress", "product_version": "6.4.2-0", "language": "de"}'
    before, after = (validator.validate_json(REPORTS["image-boot/1"], body, day) for day in (ENDS, ENDS + DAYS))
    for verdict in (before, after):
        assert isinstance(verdict, Accepted)
        assert b'"language":"de"' in verdict.row
    with capture_logs() as logged:
        permit_watch.say(policy, ENDS + DAYS)
    assert {(line["event"], line["log_level"], line["field"]) for line in logged} == {
        ("permit_expired", "error", "language")
    }
    with capture_logs() as logged:
        permit_watch.say(policy, ENDS)
    assert {(line["event"], line["log_level"]) for line in logged} == {("permit_expires", "warning")}
