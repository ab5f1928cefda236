"""Pages while the published cells change, from none on, and cells that no report could have made."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from collector.configuration import Configuration
from collector.publish.released import Cell, Released
from collector.reports.api import Api
from collector.reports.pages.site import Pages
from collector.reports.usage import ABSENT
from collector.store.engine import Engine
from tests.publishers import publisher_on
from tests.reports.pages.conftest import NOW
from tests.reports.pages.generated_store import add, add_release
from tests.reports.pages.reading import Elements, read
from tests.reports.pages.running import library_on, routes_on
from tests.sample_days import ONE, receive, row

DAY = dt.date(2026, 9, 30)
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}",
    "\N{RIGHT-TO-LEFT OVERRIDE}evil",
    "v" * 300,
]


@contextlib.asynccontextmanager
async def looking_at(engine: Engine, configuration: Configuration) -> AsyncIterator[TestClient]:
    app = web.Application()
    app.add_routes(routes_on(library_on(engine, configuration), configuration, lambda: NOW))
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
def one_day(engine: Engine) -> Engine:
    """A day and a month of one product."""
    for grain, period in (("day", DAY), ("month", DAY.replace(day=1))):
        add_release(engine, grain, period)
        cells = [({"product": "wordpress"}, 900, 10), ({"product": "wordpress", "product_version": "6.5.0"}, 700, 10)]
        add(engine, grain, period, "boots", cells)
    return engine


@pytest.mark.parametrize("path", ["/", "/products/wordpress", "/charts/wordpress/total.svg?grain=month"])
async def test_unchanged_page_is_304_until_something_is_released(
    one_day: Engine, configuration: Configuration, path: str
) -> None:
    async with looking_at(one_day, configuration) as pages:
        tag = (await pages.get(path)).headers["ETag"]
        again = await pages.get(path, headers={"If-None-Match": tag})
        assert (again.status, await again.read()) == (304, b"")
        add_release(one_day, "day", DAY + dt.timedelta(days=1))
        await asyncio.sleep(1.1)
        assert (await pages.get(path, headers={"If-None-Match": tag})).status == 200


async def test_before_the_first_release_the_pages_say_what_happens_next(
    engine: Engine, configuration: Configuration
) -> None:
    async with looking_at(engine, configuration) as client:
        for path in ("/", "/products/wordpress", "/products/never-heard-of"):
            text = await read(client, path)
            assert "Nothing is released yet" in text
            assert "2026-10-02 00:30 UTC" in text
            assert "telemetry-client send" in text
        for path in ("/data", "/api", "/releases"):
            await read(client, path)


async def test_hostile_values_are_only_text(engine: Engine, configuration: Configuration) -> None:
    """None of them could be reported; the pages do not count on that."""
    day = dt.date(2026, 9, 30)
    values = [*HOSTILE, *(f"1.{n}" for n in range(200))]
    add_release(engine, "day", day)
    add_release(engine, "month", day.replace(day=1))
    for grain, period in (("day", day), ("month", day.replace(day=1))):
        cells = [({"product": "wordpress", "product_version": value}, 500, 10) for value in values]
        cells += [({"product": "wordpress", "os_version": value}, 500, 10) for value in values]
        cells += [({"product": "wordpress", "product_version": v, "os_version": v}, 500, 10) for v in HOSTILE]
        add(engine, grain, period, "boots", [*cells, ({"product": "wordpress"}, 500 * len(values), 10)])
    async with looking_at(engine, configuration) as client:
        for path in ("/products/wordpress?grain=month", "/products/wordpress?grain=day", "/"):
            text = await read(client, path)
            found = Elements(text)
            assert "script" not in found.tags
            assert not [name for name, value in found.attributes if name == "onerror" or value == "x"]
            assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text
            assert "49" not in re.findall(r"<bdi>(\d+)</bdi>", text), "no template in a value is run"
            for address in found.addresses:
                if address.startswith("/charts/"):
                    await (await client.get(unescape(address))).read()


async def test_open_day_is_shown_where_a_page_goes_up_to_now(one_day: Engine, configuration: Configuration) -> None:
    today = DAY + dt.timedelta(days=1)
    cells = [({"product": "wordpress", "product_version": "6.5.0"}, 4000, 40), ({"product": "wordpress"}, 9000, 40)]
    add(one_day, "so_far_12", today, "boots", cells)
    add_release(one_day, "so_far_12", today)
    async with looking_at(one_day, configuration) as pages:
        text = await read(pages, "/products/wordpress")
        assert "2026-10-01 so far, until 12:00 UTC" in text
        assert '4,000&nbsp;<span class="e">±&nbsp;40</span>' in text
        assert "so far, until" not in await read(pages, "/products/wordpress?to=2026-09-30")
        assert "2026-10-01 until 12:00 UTC" in await read(pages, "/releases?grain=so_far")


@pytest.fixture
def published(engine: Engine, configuration: Configuration) -> Engine:
    """A month that ended today, through the real publisher."""
    receive(engine, [row(DAY, product_version="6.5.0") for _ in range(300)])
    receive(engine, [row(DAY, product="nginx", product_version="1.27") for _ in range(9)])
    publisher_on(engine, configuration).publish(DAY + ONE, DAY)
    return engine


async def test_absent_suppressed_and_unknown_are_the_same_page(published: Engine, configuration: Configuration) -> None:
    """Never in the catalogue, in it and silent, in it and too rare; less its name, which is no secret."""
    async with looking_at(published, configuration) as pages:
        for query in (
            "",
            "?grain=month&compare=previous",
            "?grain=day&from=2026-06-01",
            "?by=version_line&to=2026-07-31",
        ):
            seen = set()
            for name, title in (("never-heard-of", "never-heard-of"), ("ghost", "Ghost"), ("nginx", "NGINX")):
                response = await pages.get(f"/products/{name}{query}")
                own = {"etag", "date", "content-length"}
                headers = {key: value for key, value in response.headers.items() if key.lower() not in own}
                text = (await response.text()).replace(f"/products/{name}", "/products/X").replace(title, "X")
                seen.add((response.status, text, tuple(sorted(headers.items()))))
            assert len(seen) == 1
            status, text, _ = seen.pop()
            assert status == 200
            assert "No value is shown for this time" in text
            assert ABSENT in text


@pytest.mark.parametrize("chart", ["total", "versions", "os", "versions-by-os"])
async def test_picture_of_nothing_is_the_same_for_all_who_have_nothing(
    published: Engine, configuration: Configuration, chart: str
) -> None:
    async with looking_at(published, configuration) as pages:
        seen = set()
        for name, title in (("never-heard-of", "never-heard-of"), ("ghost", "Ghost"), ("nginx", "NGINX")):
            text = await read(pages, f"/charts/{name}/{chart}.svg?grain=month")
            seen.add(text.replace(title, "X"))
        assert len(seen) == 1


def test_pages_are_made_ready_once_and_anew_after_a_release(one_day: Engine, configuration: Configuration) -> None:
    """Made ahead they are what a reader gets; kept ones cost no question but for what is there."""
    library = library_on(one_day, configuration)
    state = ["before"]
    asked = 0

    class Counting(Released):
        def cells(self, *arguments: object, **named: object) -> list[Cell]:
            nonlocal asked
            asked += 1
            return super().cells(*arguments, **named)

        def tables(self, *arguments: object, **named: object) -> dict[tuple[str, ...], list[Cell]]:
            nonlocal asked
            asked += 1
            return super().tables(*arguments, **named)

    library = replace(library, released=Counting(one_day))
    pages = Pages(Api(library, lambda: state[0]), library, lambda: state[0], lambda: "")
    pages.make_ready(lambda: False)
    made = asked
    assert made > len(configuration.catalogue.products)
    pages.make_ready(lambda: False)
    assert asked == made
    state[0] = "after"
    time.sleep(1.1)  # it is looked at once a second
    pages.make_ready(lambda: True)  # a stop ends it soon
    assert asked < made + 20
    pages.make_ready(lambda: False)
    assert asked > made + len(configuration.catalogue.products)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("grain=quarter", "A quarter is the sum of its months where each of them was released"),
        ("grain=day&from=2020-01-01&to=2020-02-01", "No day of this time is released; released are those from"),
    ],
)
async def test_what_cannot_have_a_value_is_not_called_rare(
    one_day: Engine, configuration: Configuration, query: str, told: str
) -> None:
    """The sentence follows from the question: an unknown product gets the same."""
    async with looking_at(one_day, configuration) as pages:
        for product in ("wordpress", "ghost"):
            text = await (await pages.get(f"/products/{product}?{query}")).text()
            assert told in text
