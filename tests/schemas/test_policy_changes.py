"""What changes between two policies, told by what it means for the machine that reports."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.policy import SHIPPED_POLICY, Policy, load_policy
from schemas.policy_changes import EFFECTS, changes, notes

SHIPPED = load_policy()
TEXT = SHIPPED_POLICY.read_text(encoding="utf-8")
OTHER = '[[clauses]]\nid = "images.disk"\nsays = "The disk\'s size."\nstatus = "outside"\nwhy = "Not asked."\n\n'


def parsed(text: str) -> Policy:
    import tomllib

    return Policy.model_validate(tomllib.loads(text))


def permit_of(field: str, text: str) -> str:
    found = re.search(rf'\[\[permits\]\]\nfield = "{field}"\n(?:[^\n]+\n)+', text)
    assert found
    return found[0]


@pytest.mark.parametrize(
    ("change", "kind", "effect", "words"),
    [
        (
            lambda t: t.replace(permit_of("instance_type", t), ""),
            "permit removed",
            "less",
            "`instance_type` from vm, cloud, container has no permit any more",
        ),
        (
            lambda t: t.replace(
                '"instance_type"\nsources = ["vm", "cloud", "container"]', '"instance_type"\nsources = ["vm"]'
            ),
            "permit removed",
            "less",
            "`instance_type` from cloud, container has no permit any more",
        ),
        (
            lambda t: t.replace('field = "license_key"\n', 'field = "license_key"\nwithdrawn = true\n'),
            "field withdrawn",
            "less",
            "`license_key` from installbuilder is withdrawn",
        ),
        (
            lambda t: t + permit_of("license_key", t).replace("license_key", "edition"),
            "field permitted",
            "more",
            "`edition` from installbuilder may leave the machine",
        ),
        (
            lambda t: t.replace('"images.environment"\nbasis', '"images.usage"\nbasis', 1),
            "clause",
            "words",
            "is permitted by paragraph `images.usage`, before `images.environment`",
        ),
        (lambda t: t.replace("Know which products", "Learn which products"), "purpose", "words", "another purpose"),
        (
            lambda t: t.replace("telemetry maintainers", "platform owner"),
            "owner",
            "none",
            "is answered for by platform owner",
        ),
        (
            lambda t: t.replace("expires = 2028-11-30", "expires = 2029-01-31", 1),
            "expires",
            "more",
            "without a new review",
        ),
        (
            lambda t: t.replace("expires = 2028-11-30", "expires = 2028-01-31", 1),
            "expires",
            "less",
            "until 2028-01-31, before until 2028-11-30",
        ),
        (
            lambda t: t.replace("retention_days = 60", "retention_days = 50", 1),
            "retention_days",
            "less",
            "kept 50 days at most, before 60",
        ),
        (lambda t: t.replace("data protection officer", "legal"), "signed_off_by", "words", "signed off by legal"),
        (
            lambda t: t.replace("\n[[clauses]]", f"\n{OTHER}[[clauses]]", 1),
            "paragraph added",
            "words",
            "`images.disk` is new",
        ),
        (
            lambda t: t.replace(re.search(r'\[\[clauses\]\]\nid = "newsletter"\n(?:[^\n]+\n)+', t)[0], ""),
            "paragraph removed",
            "words",
            "`newsletter` is gone",
        ),
        (
            lambda t: t.replace('status = "permitted, not used"', 'status = "outside"', 1),
            "status",
            "words",
            "is outside here, before permitted, not used",
        ),
        (lambda t: t.replace("Mailings are another system", "Not here"), "answer", "words", "before by"),
        (
            lambda t: t.replace("privacy@example.com", "dpo@example.com"),
            "contact",
            "words",
            "The policy's contact is dpo@",
        ),
        (
            lambda t: t.replace("dated = 2026-01-15", "dated = 2027-01-15"),
            "dated",
            "words",
            "The policy's date is 2027",
        ),
    ],
)
def test_each_difference_is_one_change_that_says_so(
    change: Callable[[str], str], kind: str, effect: str, words: str
) -> None:
    after = change(TEXT)
    assert after != TEXT
    (found,) = changes(SHIPPED, parsed(after))
    assert (found.kind, found.effect) == (kind, effect)
    assert words in found.says
    assert effect in EFFECTS


def test_how_permits_are_grouped_and_ordered_in_a_file_means_nothing() -> None:
    wanted = permit_of("instance_type", TEXT)
    apart = [wanted.replace('"vm", "cloud", "container"', f'"{source}"') for source in ("container", "vm", "cloud")]
    assert changes(SHIPPED, parsed(TEXT.replace(wanted, "") + "\n" + "\n".join(apart))) == []


@given(st.dates(dt.date(2026, 1, 1), dt.date(2028, 1, 1)), st.integers(1, 400), st.sampled_from(range(12)))
def test_no_difference_of_a_permit_goes_unsaid(day: dt.date, kept: int, which: int) -> None:
    for update in ({"expires": day}, {"last_review": day}, {"retention_days": kept}, {"withdrawn": True}):
        permits = list(SHIPPED.permits_)
        permits[which] = permits[which].model_copy(update=update)
        after = SHIPPED.model_copy(update={"permits_": tuple(permits)})
        assert bool(changes(SHIPPED, after)) == (after != SHIPPED)


def test_reader_is_told_when_words_change_and_the_date_does_not() -> None:
    after = parsed(TEXT.replace("may object, at any time", "may object"))
    assert any("the policy's date stays 2026-01-15" in note for note in notes(SHIPPED, after, changes(SHIPPED, after)))
    later = parsed(TEXT.replace("may object, at any time", "may object").replace("2026-01-15", "2027-01-15"))
    assert not any("stays" in note for note in notes(SHIPPED, later, changes(SHIPPED, later)))
