from __future__ import annotations

import datetime as dt
import uuid

import pytest

from collector.configuration import Configuration
from collector.publish.release import Rules
from collector.publish.released import Released
from collector.reports.question import UsageError, read_question
from collector.reports.usage import ABSENT, usage
from collector.store.engine import Engine
from tests.publishers import publisher_on
from tests.sample_days import DAY, ONE, receive, row, run_row

Ask = dict[str, str]


@pytest.fixture
def published(engine: Engine, configuration: Configuration) -> Engine:
    days = [DAY, DAY + ONE, DAY + 2 * ONE]
    rows = [row(day, product_version=f"6.{n % 2}") for day in days for n in range(300)]
    rows += [row(day, product="nginx", product_version="1.27") for day in days for _ in range(100)]
    receive(engine, rows)
    publisher_on(engine, configuration).publish(DAY + 3 * ONE, DAY + 2 * ONE)
    return engine


def ask(engine: Engine, configuration: Configuration, **parameters: str) -> dict:
    named = {name.rstrip("_"): value for name, value in parameters.items()}
    return usage(Released(engine), configuration.menu, read_question(named), simulated=False)


def test_all_products_of_the_latest_period(published: Engine, configuration: Configuration) -> None:
    answer = ask(published, configuration)
    assert (answer["measure"], answer["grain"], answer["fields"]) == ("boots", "day", ["product"])
    assert answer["periods"] == ["2026-09-16"]
    assert [cell["product"] for cell in answer["cells"]] == ["wordpress", "nginx"]
    assert all(cell["error"] == 10 for cell in answer["cells"])
    assert ABSENT in answer["notes"]


def test_range_and_breakdown(published: Engine, configuration: Configuration) -> None:
    answer = ask(
        published, configuration, product="wordpress", by="product_version", from_="2026-09-14", to="2026-09-15"
    )
    assert answer["periods"] == ["2026-09-14", "2026-09-15"]
    assert {(c["period"], c["product_version"]) for c in answer["cells"]} == {
        (f"2026-09-{day}", f"6.{v}") for day in (14, 15) for v in (0, 1)
    }


def test_absent_suppressed_and_unknown_look_the_same(published: Engine, configuration: Configuration) -> None:
    answers = [ask(published, configuration, product=p, by="product_version") for p in ("ghost", "no-such-product")]
    assert answers[0] == answers[1]
    assert answers[0]["cells"] == []


@pytest.mark.parametrize(
    ("parameters", "problem"),
    [
        ({"by": "colour"}, "no such field; boots are published by product alone and by: product_version"),
        ({"by": "os_version,language"}, "boots are not published by os_version and language"),
        ({"by": "os_version", "grain": "day"}, "is published by week and month only"),
        ({"by": "os_version"}, "nothing is released yet: boots by os_version appears once a week has ended"),
        ({"grain": "month"}, "no month has been released yet; ask by day"),
        ({"measure": "people"}, "no such measure; there are: boots, runs, licences"),
        ({"from_": "yesterday"}, "'from' is not a date"),
        ({"from_": "2026-09-16", "to": "2026-09-15"}, "'from' is after 'to'"),
        ({"colour": "red"}, "no such parameter: colour; there are: by, compare, format, from"),
    ],
)
def test_question_that_cannot_be_answered_says_what_can(
    published: Engine, configuration: Configuration, parameters: Ask, problem: str
) -> None:
    with pytest.raises(UsageError) as caught:
        ask(published, configuration, **parameters)
    assert problem in str(caught.value)


def test_without_a_grain_the_finest_that_shows_half_of_the_reports_is_taken(
    engine: Engine, configuration: Configuration
) -> None:
    """Of the many small versions of a week none can be shown by day."""
    days = [DAY + n * ONE for n in range(7)]
    receive(engine, [row(day, product_version=f"6.{n % 20}") for day in days for n in range(400)])
    publisher_on(engine, configuration).publish(DAY + 7 * ONE, DAY + 6 * ONE)
    assert ask(engine, configuration, product="wordpress", by="product_version")["grain"] == "week"
    assert ask(engine, configuration, product="wordpress", by="version_line")["grain"] == "day"
    assert ask(engine, configuration, product="wordpress")["grain"] == "day"


def test_first_period_that_began_before_the_first_day_is_marked_incomplete(
    engine: Engine, configuration: Configuration
) -> None:
    receive(engine, [row(DAY + 2 * ONE + n * ONE) for n in range(12) for _ in range(60)])
    publisher_on(engine, configuration).publish(DAY + 14 * ONE, DAY + 13 * ONE)
    weeks = ask(engine, configuration, grain="week", from_="2026-09-01")
    assert weeks["periods"] == ["2026-09-14", "2026-09-21"]
    assert weeks["incomplete"] == ["2026-09-14"]
    assert ask(engine, configuration, grain="day", from_="2026-09-01")["incomplete"] == []


def test_hostile_values_are_only_values(published: Engine, configuration: Configuration) -> None:
    for product in ("' OR 1=1 --", "{product:String}", "wordpress\x00", "%"):
        assert ask(published, configuration, product=product)["cells"] == []


def test_question_far_outside_is_empty(published: Engine, configuration: Configuration) -> None:
    answer = ask(published, configuration, from_="2148-01-01", to="2148-01-02")
    assert answer["cells"] == answer["periods"] == []


def test_remainder_is_what_the_values_shown_leave_of_the_total(engine: Engine, configuration: Configuration) -> None:
    many = [row(product_version=f"6.{n}") for n in range(100) for _ in range(8)]  # none of them can be shown
    receive(engine, many + [row(product_version="7.0") for _ in range(600)])
    receive(engine, [row(product="nginx", product_version="1.27") for _ in range(200)])
    publisher_on(engine, configuration).publish(DAY + ONE, DAY)
    answer = ask(engine, configuration, by="product_version")
    assert {cell["product_version"] for cell in answer["cells"]} == {"7.0", "1.27"}
    left = {one["product"]: one for one in answer["remainder"]}
    totals = {cell["product"]: cell["value"] for cell in ask(engine, configuration)["cells"]}
    shown = {cell["product"]: cell["value"] for cell in answer["cells"]}
    assert left["wordpress"]["value"] == totals["wordpress"] - shown["wordpress"]
    assert left["wordpress"]["error"] == 15  # two noises of 10
    assert abs(left["wordpress"]["value"] - 800) <= 60
    assert left["nginx"]["value"] == max(0, totals["nginx"] - shown["nginx"])
    assert ask(engine, configuration)["remainder"] == []


def test_licences_have_no_remainder_since_they_count_in_several_values(
    engine: Engine, configuration: Configuration
) -> None:
    receive(engine, [run_row(licence=uuid.uuid4()) for _ in range(300)])
    publisher_on(engine, configuration).publish(dt.date(2026, 10, 1), dt.date(2026, 9, 30))
    answer = ask(engine, configuration, product="installbuilder", by="product_version")
    assert answer["measure"] == "licences"
    assert answer["cells"]
    assert answer["remainder"] == []


def test_state_changes_with_a_release(engine: Engine) -> None:
    released = Released(engine)
    before = released.state()
    assert released.state() == before
    engine.command("INSERT INTO public.releases (grain, period) VALUES ('day', '2026-10-01')")
    assert released.state() != before


def test_change_against_a_period_that_lacks_days_is_not_told(engine: Engine, configuration: Configuration) -> None:
    """Installed on the last days of a month: the next one has not grown so much."""
    first = dt.date(2026, 9, 29)
    receive(engine, [row(first + n * ONE) for n in range(33) for _ in range(100)])
    publisher_on(engine, configuration).publish(dt.date(2026, 11, 1), dt.date(2026, 10, 31))
    (cell,) = ask(engine, configuration, grain="month", compare="previous")["cells"]
    assert abs(cell["previous"] - 200) <= 50
    assert cell["change"] is None


def test_period_before_a_table_was_on_the_menu_is_not_one_of_its_periods(
    engine: Engine, configuration: Configuration
) -> None:
    days = [DAY + n * ONE for n in range(2)]
    receive(engine, [row(day) for day in days for _ in range(100)])
    menu = configuration.menu
    fewer = menu.model_copy(update={"tables": tuple(t for t in menu.tables if t.breakdown != "product_version")})
    publisher_on(engine, configuration, rules=Rules(fewer, "standard")).publish(days[0] + ONE, days[0])
    publisher_on(engine, configuration).publish(days[1] + ONE, days[1])
    answer = ask(engine, configuration, by="product_version", grain="day", from_=str(days[0]))
    assert answer["periods"] == [str(days[1])]
    assert answer["available"]["day"] == [str(days[1]), str(days[1])]
    assert ask(engine, configuration, grain="day", from_=str(days[0]))["periods"] == [str(day) for day in days]
