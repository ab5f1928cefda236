"""Everything an operator wrote, and everything this program ships, checked at once."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from collector.configuration import Configuration, read_configuration
from collector.ingest.validation import Accepted, Validator
from collector.layout import Layout
from schemas.catalogue import SHIPPED_CATALOGUE
from schemas.examples import Example, examples
from schemas.generate import ROOT, published_files
from schemas.outcomes import Outcome
from schemas.policy import SHIPPED_POLICY, load_policy
from schemas.problems import ConfigurationError
from schemas.record import record_problems
from schemas.reports import REPORTS
from schemas.review import misdated, reviews

if TYPE_CHECKING:
    from collector.settings import Settings

_TODAY = dt.date(2026, 1, 1)
_ID = "00000000-0000-4000-8000-000000000000"


def problems(settings: Settings) -> list[str]:
    """Every problem found in policy, catalogue, menu, published files and examples, one line each."""
    found = []
    try:
        configuration = read_configuration(settings)
    except ConfigurationError as error:
        found += error.problems
    else:
        # The examples are about the shipped files; an operator's own may answer them otherwise.
        added = Layout(settings.data.absolute()).added_products
        if (settings.policy, settings.catalogue) == (SHIPPED_POLICY, SHIPPED_CATALOGUE) and not added.exists():
            found += _example_problems(configuration)
    return found + _drift()


@dataclass(frozen=True)
class Reviews:
    """What the dates of the permits ask for: problems that have come, and warnings of those to come, a line each."""

    problems: list[str]
    warnings: list[str]


def permit_reviews(settings: Settings, today: dt.date) -> Reviews:
    """What is due on `today` of the permits in the policy that these settings name.

    A policy that cannot be read has no dates; `problems` says why it cannot.
    """
    try:
        policy = load_policy(settings.policy)
    except ConfigurationError:
        return Reviews([], [])
    due = reviews(policy, today)
    return Reviews(
        problems=[*misdated(policy, today), *(str(review) for review in due if review.is_overdue)],
        warnings=[str(review) for review in due if not review.is_overdue],
    )


def _example_problems(configuration: Configuration) -> list[str]:
    """Examples that the shipped policy and catalogue do not answer as they say."""
    validator = Validator(configuration.policy, configuration.catalogue, lambda _key, _day: _ID, lambda: _ID)
    found = []
    for example in examples():
        outcome, field = judge(validator, example)
        if (outcome, field) != (example.outcome, example.field):
            expected = f"{example.outcome.value} ({example.field})"
            found.append(f"{example.path.name}: expected {expected}, the answer is {outcome.value} ({field})")
    return found


def judge(validator: Validator, example: Example) -> tuple[Outcome, str | None]:
    """What becomes of an example."""
    verdict = validator.validate_json(REPORTS[example.report], example.body, _TODAY)
    if isinstance(verdict, Accepted):
        return Outcome.ACCEPTED, None
    return verdict.outcome, verdict.field


def _drift() -> list[str]:
    """Promises that the shipped policy and models break, and generated files that are not what they generate.

    Generated files are looked at in a checkout alone.
    """
    try:
        policy = load_policy()
        found, files = record_problems(policy), published_files(policy)
    except ConfigurationError as error:
        return error.problems
    for path, content in files.items():
        if (ROOT / path).exists() and (ROOT / path).read_text(encoding="utf-8") != content:
            found.append(f"{path}: is not what the policy and the models generate; run: make schemas")
    return found


def summary(configuration: Configuration) -> dict[str, Any]:
    """What was checked, in numbers."""
    return {
        "policy": configuration.policy.id,
        "permits": len(configuration.policy.permits_),
        "products": len(configuration.catalogue.products),
        "reports": list(REPORTS),
        "tables": len(configuration.menu.tables),
        "examples": len(list(examples())),
    }
