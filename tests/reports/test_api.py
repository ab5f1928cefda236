"""The reports API over real HTTP: what can be asked, in which forms, and what the answers look like."""

from __future__ import annotations

import asyncio
import csv
import io
import random
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import validate

from collector.publish.periods import CLOSED_GRAINS
from collector.publish.released import Released
from collector.reports import answers
from collector.reports.api import Api
from collector.reports.formats import written
from collector.reports.hiding import HIDDEN
from collector.reports.library import Library
from collector.reports.openapi import document
from collector.reports.question import read_question
from collector.reports.remembered import remembered
from collector.store.engine import Engine
from tests.reports.conftest import LAST

HOSTILE = ["' OR 1=1 --", "{x:String}", "\x00", "');DROP TABLE public.cells--", "\U0001f4a9", "../.."]
QUESTIONS = [
    "",
    "product=wordpress",
    "product=wordpress&by=product_version",
    "product=wordpress&by=product_version&grain=quarter",
    "by=product_version&grain=month&from=2026-06-01&compare=previous",
    "by=os_version,product_version&top=1",
    "product=installbuilder&by=product_version",
    "product=installbuilder&measure=runs&grain=month",
    "grain=year",
    "product=ghost",
]


async def ask(client: TestClient, query: str) -> dict:
    response = await client.get(f"/v1/usage?{query}")
    assert response.status == 200, await response.text()
    return await response.json()


@pytest.mark.parametrize("query", QUESTIONS)
async def test_answers_have_the_documented_shape(client: TestClient, query: str) -> None:
    answers.UsageAnswer.model_validate(await ask(client, query))


async def test_other_answers_have_their_documented_shapes(client: TestClient) -> None:
    products = await (await client.get("/v1/products")).json()
    answers.ProductsAnswer.model_validate(products)
    assert products["through"] == "2026-09-30"
    by_name = {product["name"]: product for product in products["products"]}
    assert abs(by_name["redis"]["latest"]["month"]["value"] - 240) <= 50
    assert by_name["installbuilder"]["measures"] == ["licences", "runs"]
    assert by_name["nginx"]["latest"] == {}, "too few to be shown"
    answers.ReleasesAnswer.model_validate(await (await client.get("/v1/releases")).json())
    privacy = await (await client.get("/v1/privacy")).json()
    assert {unit["unit"] for unit in privacy["units"]} >= {"one boot report", "one licence in a year"}


async def test_quarter_is_a_sum_where_every_month_was_released(client: TestClient) -> None:
    answer = await ask(client, "product=wordpress&by=product_version&grain=quarter&from=2026-04-01")
    assert (answer["grain"], answer["periods"]) == ("quarter", ["2026-04-01", "2026-07-01"])
    cells = {(cell["period"], cell["product_version"]): cell for cell in answer["cells"]}
    whole = cells["2026-07-01", "6.4.2"]
    months = await ask(client, "product=wordpress&by=product_version&grain=month&from=2026-07-01")
    parts = [cell for cell in months["cells"] if cell["product_version"] == "6.4.2"]
    assert whole["value"] == sum(part["value"] for part in parts)
    assert (whole["error"], whole["released_months"], whole["months"]) == (18, 3, 3)
    assert cells["2026-07-01", "6.5.0"] == {
        "period": "2026-07-01",
        "product": "wordpress",
        "product_version": "6.5.0",
        "value": None,
        "error": None,
        "released_months": 2,
        "months": 3,
    }
    assert cells["2026-04-01", "6.4.2"]["value"] is None, "one month of three"
    assert answer["remainder"] == []
    assert answer["incomplete"] == ["2026-04-01"]


async def test_only_a_last_day_asks_for_the_period_before_it(client: TestClient) -> None:
    assert (await ask(client, "grain=month&to=2026-07-31"))["periods"] == ["2026-07-01"]
    assert (await ask(client, "grain=month"))["periods"] == ["2026-09-01"]


async def test_distinct_licences_are_never_summed(client: TestClient) -> None:
    response = await client.get("/v1/usage?product=installbuilder&grain=year")
    assert response.status == 400
    assert "licences are distinct in a month and cannot be summed to a year" in (await response.json())["error"]


async def test_comparison_gives_the_value_before_and_the_change(client: TestClient) -> None:
    answer = await ask(client, "product=wordpress&by=product_version&grain=month&from=2026-08-01&compare=previous")
    cells = {(cell["period"], cell["product_version"]): cell for cell in answer["cells"]}
    new, old, next_month = cells["2026-08-01", "6.5.0"], cells["2026-08-01", "6.4.2"], cells["2026-09-01", "6.5.0"]
    assert (new["previous"], new["change"], new["change_error"]) == (None, None, None)
    assert old["change"] == old["value"] - old["previous"]
    assert old["change_error"] == 15
    assert next_month["previous"] == new["value"]
    quarters = await ask(client, "product=wordpress&grain=quarter&from=2026-07-01&compare=previous")
    assert quarters["cells"][0]["previous"] is None, "the quarter before lacks months"


async def test_top_keeps_the_largest_of_each_period(client: TestClient) -> None:
    answer = await ask(client, "by=product_version&grain=month&from=2026-08-01&top=1")
    assert [(cell["period"], cell["product_version"]) for cell in answer["cells"]] == [
        ("2026-08-01", "6.4.2"),
        ("2026-09-01", "6.4.2"),
    ]
    everything = await ask(client, "by=product_version&grain=month&from=2026-08-01")
    assert answer["remainder"] == everything["remainder"], "what is cut off is not what is not shown"


async def test_csv_and_parquet_hold_what_json_holds(client: TestClient, four_months: Engine, tmp_path: Path) -> None:
    query = "by=product_version&grain=month&from=2026-07-01&compare=previous"
    cells = (await ask(client, query))["cells"]
    table = await client.get(f"/v1/usage?{query}&format=csv")
    assert table.content_type == "text/csv"
    assert (
        table.headers["Content-Disposition"]
        == 'attachment; filename="products-by-product_version-month-from-2026-07-01.csv"'
    )
    lines = list(csv.DictReader(io.StringIO(await table.text())))
    told = [{name: "" if value is None else str(value) for name, value in cell.items()} for cell in cells]
    assert [{name: value for name, value in line.items() if name != "complete"} for line in lines] == told
    packed = await client.get(f"/v1/usage?{query}&format=parquet")
    (tmp_path / "usage.parquet").write_bytes(await packed.read())
    names = list(cells[0])
    rows = four_months.rows(f"SELECT {', '.join(names)} FROM file('{tmp_path}/usage.parquet', Parquet)")
    assert [dict(zip(names, (str(row[0]), *row[1:]), strict=True)) for row in rows] == cells


async def test_files_say_which_periods_lack_days(library: Library, four_months: Engine, tmp_path: Path) -> None:
    question = read_question({"by": "product_version", "grain": "month", "from": "2026-08-01"})
    answer = library.usage(question) | {"incomplete": ["2026-09-01"]}
    lines = csv.DictReader(io.StringIO(written(answer, "csv", library.released).decode()))
    said = {("2026-08-01", "true"), ("2026-09-01", "false")}
    assert {(line["period"], line["complete"]) for line in lines} == said
    (tmp_path / "usage.parquet").write_bytes(written(answer, "parquet", library.released))
    rows = four_months.rows(f"SELECT DISTINCT period, complete FROM file('{tmp_path}/usage.parquet', Parquet)")
    assert {(str(period), str(whole).lower()) for period, whole in rows} == said


async def test_value_that_a_spreadsheet_would_run_is_only_text(library: Library) -> None:
    answer = library.usage(read_question({"by": "product_version", "grain": "month"}))
    answer["cells"][0]["product_version"] = "=1+1"
    assert b",'=1+1," in written(answer, "csv", library.released)


async def test_unchanged_answer_is_304_and_a_release_changes_it(library: Library) -> None:
    state = ["before"]
    app = web.Application()
    app.add_routes(Api(library, lambda: state[0]).routes())
    async with TestClient(TestServer(app)) as client:
        tag = (await client.get("/v1/usage?product=redis")).headers["ETag"]
        again = await client.get("/v1/usage?product=redis", headers={"If-None-Match": tag})
        assert (again.status, await again.read()) == (304, b"")
        other = await client.get("/v1/usage?product=wordpress", headers={"If-None-Match": tag})
        assert other.status == 200
        state[0] = "after"
        await asyncio.sleep(1.1)  # it is looked at once a second
        changed = await client.get("/v1/usage?product=redis", headers={"If-None-Match": tag})
        assert changed.status == 200
        assert changed.headers["ETag"] != tag


async def test_long_answers_are_packed(client: TestClient) -> None:
    response = await client.get("/v1/usage?by=product_version&grain=month&from=2026-06-01", compress=None)
    assert response.headers["Content-Encoding"] in {"gzip", "deflate"}


@pytest.mark.parametrize("by", ["", "&by=product_version", "&by=os_version&grain=month", "&format=csv"])
async def test_absent_suppressed_and_unknown_are_the_same_answer(client: TestClient, by: str) -> None:
    """Never in the catalogue, in it and silent, in it and too rare: one status, one body, the same headers."""
    seen = set()
    for product in ("no-such-product", "ghost", "nginx"):
        response = await client.get(f"/v1/usage?product={product}{by}")
        headers = {name: value for name, value in response.headers.items() if name not in {"Etag", "Date"}}
        # A file is named by what was asked, and that is all that differs.
        told = [(name, value.replace(product, "PRODUCT")) for name, value in sorted(headers.items())]
        seen.add((response.status, await response.read(), tuple(told)))
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("colour=red", "no such parameter: colour; there are: by, compare, format, from, grain, measure, product"),
        ("grain=hour", "'grain' must be day, week, month, quarter or year"),
        ("format=xml", "'format' must be json, csv or parquet"),
        ("top=0", "'top' must be a number from 1 to 10,000"),
        ("top=many", "'top' must be a number"),
        ("compare=next", "'compare' can only be 'previous'"),
        ("from=2026-13-01", "'from' is not a date"),
        ("from=1789344000", "'from' is not a date"),
        ("product=a&product=b", "a parameter is given twice"),
        (f"product={'a' * 201}", "no parameter has more than 200 characters"),
        ("by=os_version,language", "boots are not published by os_version and language"),
        ("from=0000-00-00", "'from' is not a date"),
        ("%3Cscript%3E=1", "no such parameter: the given one"),
    ],
)
async def test_mistakes_say_what_can_be_asked_and_repeat_no_value(client: TestClient, query: str, problem: str) -> None:
    response = await client.get(f"/v1/usage?{query}")
    assert response.status == 400
    assert response.content_type == "application/json"
    text = await response.text()
    assert problem in (await response.json())["error"]
    assert "script" not in text
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("name", ["product", "by", "measure", "grain", "from", "to", "compare", "top", "format"])
@pytest.mark.parametrize("hostile", HOSTILE)
async def test_sql_in_any_parameter_is_only_a_value(client: TestClient, name: str, hostile: str) -> None:
    response = await client.get("/v1/usage", params={name: hostile})
    assert response.status in {200, 400}
    if response.status == 200:
        assert (await response.json())["cells"] == []
    assert (await client.get("/v1/usage")).status == 200


@pytest.mark.parametrize(
    "query",
    ["from=0001-01-01", "to=9999-12-31", "from=1900-01-01&to=9999-12-31&grain=quarter", "to=0001-01-01&grain=year"],
)
async def test_absurd_ranges_are_answered(client: TestClient, query: str) -> None:
    assert (await client.get(f"/v1/usage?{query}")).status in {200, 400}


async def test_hidden_value_keeps_its_number_and_loses_its_text(four_months: Engine, library: Library) -> None:
    def is_hidden(product: str, field: str, value: str) -> bool:
        return (product, field, value) == ("wordpress", "product_version", "6.5.0")

    hiding = Library(library.released, library.rules, library.catalogue, is_hidden)
    question = read_question({"product": "wordpress", "by": "product_version", "grain": "month"})
    shown, hidden = library.usage(question), hiding.usage(question)
    assert [cell["value"] for cell in hidden["cells"]] == [cell["value"] for cell in shown["cells"]]
    assert HIDDEN in {cell["product_version"] for cell in hidden["cells"]}
    assert "6.5.0" not in str(hidden)
    assert Released(four_months).values(["product_version"])["wordpress"]["product_version"] == ["6.4.2", "6.5.0"]


def test_document_is_valid_openapi_and_names_every_parameter() -> None:
    made = document()
    validate(made)
    named = {parameter["name"] for parameter in made["paths"]["/v1/usage"]["get"]["parameters"]}
    assert named == {"product", "by", "measure", "grain", "from", "to", "compare", "top", "format"}


def test_remembered_cells_are_those_that_are_read(library: Library) -> None:
    released = library.released
    starts = {grain: released.periods(grain) for grain in CLOSED_GRAINS}
    questions = [
        (table.measure, table.fields, grain, first, last, product)
        for table in library.rules.menu.tables
        for grain in table.grains
        if grain in CLOSED_GRAINS
        for first, last in (
            (starts[grain][-1], starts[grain][-1]),
            (starts[grain][0], starts[grain][0]),
            (starts[grain][1], LAST),
        )
        for product in ("wordpress", "redis", "nginx", "installbuilder", None)
    ]
    answers = {question: released.cells(*question) for question in questions}
    assert sum(map(len, answers.values())) > 500
    for seed in range(3):
        random.Random(seed).shuffle(questions)
        memory = remembered(released)
        for question in [*questions, *questions]:
            assert memory.cells(*question) == answers[question], question


def test_a_period_is_read_once_for_all_its_tables(library: Library, monkeypatch) -> None:
    memory = remembered(library.released)
    month = library.released.periods("month")[-1]
    assert memory.cells("boots", ("os_version",), "month", month, month, "wordpress")
    monkeypatch.delattr(type(library.released), "cells")
    monkeypatch.delattr(type(library.released), "tables")
    for fields in ((), ("product_version",), ("language",), ("product_version", "source")):
        memory.cells("boots", fields, "month", month, month, "wordpress")
    assert remembered(memory) is memory
