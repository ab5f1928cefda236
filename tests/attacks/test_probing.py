"""Probing: who asks for what is suppressed must not learn that it is there at all."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable

import pytest

from collector.configuration import Configuration
from collector.store.engine import Engine
from tests.attacks.asking import Answer, Reports, reports_of
from tests.publishers import publisher_on
from tests.sample_days import DAY, ONE, receive, row

# Names of one length, so that even an answer's length can be compared.
SUPPRESSED, ABSENT, UNKNOWN = "nginx", "redis", "q7#&z"
NAMES = (SUPPRESSED, ABSENT, UNKNOWN)
RARE_VERSION = "9.9.9"
_PARAMETERS = {
    "by": ("", "product_version", "version_line"),
    "grain": ("", "day"),
    "from_": ("", "2026-09-01"),
    "top": ("", "3"),
    "compare": ("", "previous"),
    "format": ("", "csv"),
}
QUESTIONS = [dict(zip(_PARAMETERS, chosen, strict=True)) for chosen in itertools.product(*_PARAMETERS.values())]
WRONG = [{"by": "colour"}, {"grain": "month"}, {"by": "os_version,language"}, {"top": "0"}, {"from_": "x"}]


@pytest.fixture
def published(engine: Engine, configuration: Configuration) -> Engine:
    rows = [row(day, product_version=f"6.{n % 2}") for day in (DAY, DAY + ONE) for n in range(600)]
    rows += [row(DAY + ONE, product_version=RARE_VERSION) for _ in range(9)]
    rows += [row(DAY + ONE, product=SUPPRESSED, product_version=RARE_VERSION) for _ in range(9)]
    receive(engine, rows)
    publisher_on(engine, configuration).publish(DAY + 2 * ONE, DAY + ONE)
    return engine


async def test_absent_suppressed_and_unknown_products_get_one_answer(
    published: Engine, configuration: Configuration
) -> None:
    """Status, headers, bytes, and the statements that it took."""
    async with reports_of(published, configuration) as reports:
        await reports.ask()  # the first of all opens what later ones find open
        for question in [*QUESTIONS, *WRONG]:
            answers = [await reports.ask(product=name, **question) for name in NAMES]
            told = [answer.about(json.dumps(name)[1:-1]) for answer, name in zip(answers, NAMES, strict=True)]
            assert told[0] == told[1] == told[2], question
            assert len({tuple(_without_looks(answer.queries)) for answer in answers}) == 1, question


async def test_product_that_is_shown_is_told_apart(published: Engine, configuration: Configuration) -> None:
    """Otherwise the test above would compare nothing."""
    async with reports_of(published, configuration) as reports:
        there, not_there = [await reports.ask(product=name, by="product_version") for name in ("wordpress", ABSENT)]
        assert there.about("wordpress") != not_there.about(ABSENT)
        assert there.queries != []


async def test_suppressed_values_stand_in_no_answer(published: Engine, configuration: Configuration) -> None:
    async with reports_of(published, configuration) as reports:
        answers = [await reports.ask(product=product, **q) for q in QUESTIONS for product in ("", "wordpress")]
        answers += [await reports.ask(path) for path in ("/v1/products", "/v1/releases", "/v1/privacy")]
        assert all(answer.status == 200 for answer in answers)
        assert any(b'"6.1"' in answer.body for answer in answers)
        assert not any(RARE_VERSION.encode() in answer.body for answer in answers)


async def test_order_and_length_follow_from_what_is_shown(published: Engine, configuration: Configuration) -> None:
    """By released value, then by name; a shorter list is the beginning of the longer one."""
    async with reports_of(published, configuration) as reports:
        shown = [await _cells(reports, by="product_version", from_="2026-09-01", top=top) for top in ("", "1", "50")]
        assert shown[0] == sorted(shown[0], key=lambda c: (c["period"], -c["value"], c["product_version"]))
        assert shown[2] == shown[0]
        assert shown[1] == [cell for i, cell in enumerate(shown[0]) if i % 2 == 0]


async def _cells(reports: Reports, **question: str) -> list[dict]:
    answer: Answer = await reports.ask(product="wordpress", **question)
    cells: list[dict] = json.loads(answer.body)["cells"]
    return cells


def _without_looks(queries: Iterable[str]) -> list[str]:
    """Without the look whether anything new was released: it is taken once a second, whatever is asked."""
    return [query for query in queries if "max(released_on)" not in query]
