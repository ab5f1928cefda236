from __future__ import annotations

import json

import jsonschema
import pytest

from collector.check import judge
from collector.ingest.validation import Validator
from schemas.examples import Example, examples
from schemas.outcomes import Outcome
from schemas.reports import REPORTS, json_schema

ALL = list(examples())
# What a JSON Schema alone cannot know: the catalogue, and text that is no JSON object.
BEYOND_SCHEMA = {Outcome.UNKNOWN_PRODUCT, Outcome.PRODUCT_NOT_PERMITTED, Outcome.MALFORMED}


def name(example: Example) -> str:
    return f"{example.path.parent.name}/{example.path.name}"


def test_there_are_enough_examples() -> None:
    passing = [example for example in ALL if example.outcome is Outcome.ACCEPTED]
    assert len(passing) >= 25
    assert len(ALL) - len(passing) >= 40


@pytest.mark.parametrize("example", ALL, ids=name)
def test_server_answers_an_example_as_it_says(example: Example, validator: Validator) -> None:
    assert judge(validator, example) == (example.outcome, example.field)


@pytest.mark.parametrize("example", [e for e in ALL if e.outcome not in BEYOND_SCHEMA], ids=name)
def test_published_schema_agrees_with_the_server(example: Example) -> None:
    schema = jsonschema.Draft202012Validator(json_schema(REPORTS[example.report]))
    # JSON Schema's `$` matches before a final line end in Python's regular expressions, not in others.
    content = json.loads(example.body.replace(b"\\n", b"\\u0000"))
    assert schema.is_valid(content) == (example.outcome is Outcome.ACCEPTED)


@pytest.mark.parametrize(
    ("field", "fits", "does_not"),
    [
        ("product_version", ("1.0-jane", "10.0.0.5"), ("jane@example.com", "built by jane", "/home/jane", "jane")),
        ("os_version", ("web-1.example.com",), ("10.0.0.5", "jane@example.com", "Debian of jane")),
        ("instance_type", ("jane.example.com", "ip-10-0-0-5"), ("10.0.0.5", "jane@example.com", "a/b")),
        ("language", (), ("jane", "10.0.0.5", "web-1.example.com")),
    ],
)
def test_formats_keep_out_free_text_and_cannot_tell_what_a_value_means(
    field: str, fits: tuple[str, ...], does_not: tuple[str, ...]
) -> None:
    """What fits is a known weakness, told in deploy/WEAKNESSES.md."""
    schema = json_schema(REPORTS["image-boot/1"])["properties"][field]
    validator = jsonschema.Draft202012Validator(schema)
    assert [value for value in fits if not validator.is_valid(value)] == []
    assert [value for value in does_not if validator.is_valid(value)] == []
