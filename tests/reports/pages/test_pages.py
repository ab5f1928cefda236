"""The pages over real HTTP: what they say, what they never say, and that nothing in them leads nowhere."""

from __future__ import annotations

import csv
import io
import re
from html import unescape

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from collector.configuration import Configuration
from collector.reports.api import Api
from collector.reports.library import Library
from collector.reports.pages.frame import Visitor, environment
from collector.reports.pages.site import Pages
from collector.reports.question import read_question
from collector.reports.remembered import remembering
from collector.reports.usage import ABSENT
from schemas.catalogue import Catalogue
from schemas.weaknesses import weaknesses
from tests.reports.pages.conftest import NOW
from tests.reports.pages.reading import Elements, read

PAGES = [
    "/",
    "/?grain=month&sort=product&q=re",
    "/products/wordpress",
    "/products/wordpress?grain=month&compare=previous&by=version_line",
    "/products/wordpress?grain=quarter&from=2026-04-01",
    "/products/redis?grain=day&from=2026-08-01&to=2026-08-31",
    "/products/installbuilder",
    "/products/installbuilder?measure=runs",
    "/products/never-heard-of",
    "/data",
    "/api",
    "/releases",
    "/releases?grain=month",
]


@pytest.mark.parametrize("path", PAGES)
async def test_page_has_no_script_no_inline_style_and_nothing_from_elsewhere(pages: TestClient, path: str) -> None:
    found = Elements(await read(pages, path))
    assert not set(found.tags) & {"script", "style", "iframe", "object", "embed", "base"}
    assert not [name for name, _ in found.attributes if name == "style" or name.startswith("on")]
    assert all(address.startswith(("/", "#", "https://example.com/")) for address in found.addresses)
    assert len(found.ids) == len(set(found.ids))
    assert (found.tags.count("h1"), found.tags.count("main")) == (1, 1)


async def test_nothing_leads_nowhere(pages: TestClient) -> None:
    """Every address on every page, and on the pages that those lead to."""
    seen: set[str] = set()
    waiting = list(PAGES)
    while waiting and len(seen) < 400:
        path = waiting.pop(0)
        address, _, fragment = path.partition("#")
        if address in seen or not address.startswith("/"):
            continue
        seen.add(address)
        response = await pages.get(address)
        assert response.status == 200, (address, await response.text())
        if response.content_type == "text/html":
            found = Elements(await response.text())
            assert not fragment or fragment in found.ids
            # A picture is drawn in one of its looks, and of the products on the first page not all are visited.
            asides = ("theme=dark", "size=narrow", "size=medium", "size=half")
            if not address.startswith("/products/") or address in PAGES:
                waiting += [a for a in sorted(found.addresses) if not any(aside in a for aside in asides)]
    assert len(seen) > 100


async def test_data_page_leads_to_weaknesses_clauses_and_history(pages: TestClient) -> None:
    text = await read(pages, "/data")
    found = Elements(text)
    within = {address[1:] for address in found.addresses if address.startswith("#")}
    wanted = {"known-weaknesses", "the-policy-clause-by-clause", "what-changed"}
    assert {f"document-{name}" for name in wanted} <= within
    assert within <= set(found.ids)
    assert [one.title for one in weaknesses() if one.title not in unescape(text)] == []
    assert "Revision 1, 2026-11-23" in text


async def test_overview_shows_what_the_api_answers(pages: TestClient) -> None:
    text = await read(pages, "/?grain=month")
    answer = await (await pages.get("/v1/usage?grain=month&compare=previous")).json()
    assert len(answer["cells"]) == 2
    for cell in answer["cells"]:
        row = next(r for r in re.findall(r"<tr>.*?</tr>", text, re.DOTALL) if f'/products/{cell["product"]}"' in r)
        shown = re.sub(r"<[^>]+>", "", unescape(row)).replace("\N{NO-BREAK SPACE}", " ")
        assert f"{cell['value']:,} ± {cell['error']}" in shown
        change = f"{cell['change']:+,}".replace("-", "\N{MINUS SIGN}") if cell["change"] else "0"
        assert f"({change} ± {cell['change_error']})" in shown
        assert ("no clear change" in shown) == (abs(cell["change"]) <= cell["change_error"])
    assert "Data through 2026-09-30; next release about 2026-10-02 00:30 UTC." in text
    assert "licences, September 2026" in text


async def test_overview_is_searched_and_sorted_by_its_address(pages: TestClient) -> None:
    names = re.findall(r'<th scope="row"><a href="/products/([a-z-]+)"', await read(pages, "/?sort=product&q=re"))
    assert names == sorted(names)
    assert "redis" in names
    assert "wordpress" in names, "found by its name's end"
    assert "nginx" not in names
    text = await read(pages, "/?q=%3Cscript%3E")
    assert "No product has this in its name" in text
    assert "<script>" not in text


async def test_product_page_says_what_its_numbers_are(pages: TestClient) -> None:
    text = await read(pages, "/products/wordpress")
    assert "boots and container starts, not installations" in text
    assert ABSENT in text
    assert "95" in text
    assert 'alt="WordPress: share of boots by version' in text
    licences = await read(pages, "/products/installbuilder")
    assert "distinct licences that ran InstallBuilder in the month" in licences
    assert "A licence counts in at most 4 values" in licences


async def test_table_of_versions_is_the_file_that_is_offered(pages: TestClient) -> None:
    text = await read(pages, "/products/wordpress?grain=month&from=2026-06-01&compare=previous")
    offered = next(unescape(a) for a in Elements(text).addresses if "by=product_version&" in a and a.endswith("csv"))
    lines = list(csv.DictReader(io.StringIO(await (await pages.get(offered)).text())))
    latest = [line for line in lines if line["period"] == "2026-09-01"]
    assert len({line["period"] for line in lines}) == 4
    assert [line for line in latest if line["previous"]]
    for line in latest:
        assert f'>{int(line["value"]):,}&nbsp;<span class="e">±&nbsp;{line["error"]}<' in text
        assert not line["previous"] or f">{int(line['previous']):,}<" in text


@pytest.mark.parametrize("name", ["BAD", "a--b", "%3Cscript%3E", "a" * 49, "..%2f", "%00", "wordpress%0A"])
async def test_what_can_be_no_name_is_not_found_and_not_repeated(pages: TestClient, name: str) -> None:
    for path in (f"/products/{name}", f"/charts/{name}/total.svg"):
        response = await pages.get(path)
        assert response.status == 404
        assert name.lower() not in (await response.text()).lower()


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/products/wordpress?grain=hour", "&#39;grain&#39; must be day, week, month, quarter or year"),
        ("/products/wordpress?colour=red", "No such parameter: colour"),
        ("/products/wordpress?by=os_version", "&#39;by&#39; must be product_version or version_line"),
        ("/products/wordpress?from=2026-09-02&to=2026-09-01", "&#39;from&#39; is after &#39;to&#39;"),
        ("/products/wordpress?grain=day&grain=week", "A parameter is given twice"),
        ("/products/installbuilder?grain=day", "There is no day of licences yet; there is: month"),
        ("/?sort=size", "&#39;sort&#39; must be product, value, change"),
        ("/?colour=red", "This page takes grain, q, sort"),
        ("/?grain=year", "&#39;grain&#39; must be day or week or month"),
        ("/data?x=1", "This page takes no parameters"),
        ("/releases?grain=hour", "&#39;grain&#39; must be one of day, week, month, so_far"),
        ("/releases?page=x", "&#39;page&#39; must be a number from 1"),
        ("/releases?page=0", "&#39;page&#39; must be a number from 1"),
    ],
)
async def test_what_cannot_be_shown_says_what_can(pages: TestClient, path: str, problem: str) -> None:
    response = await pages.get(path)
    text = await response.text()
    assert response.status == 400
    assert problem in text
    assert "<nav" in text, "in the same clothes"
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("query", ["theme=red", "size=huge", "by=os_version", "x=1", "grain=hour", "titled=2"])
async def test_picture_that_cannot_be_drawn_is_refused_in_words(pages: TestClient, query: str) -> None:
    response = await pages.get(f"/charts/wordpress/os.svg?{query}")
    assert response.status == 400
    assert response.content_type == "text/plain"


async def test_pictures_differ_by_theme_and_files_have_names(pages: TestClient) -> None:
    base = "/charts/wordpress/versions.svg?grain=month&from=2026-06-01&to=2026-09-30"
    light, dark = await read(pages, base), await read(pages, base + "&theme=dark")
    assert light != dark
    assert "<desc>WordPress: share of boots by version, June 2026 to September 2026." in light
    response = await pages.get(base.replace("svg", "png") + "&titled=1")
    assert response.content_type == "image/png"
    assert response.headers["Content-Disposition"] == 'attachment; filename="wordpress-versions.png"'
    assert await (await pages.get("/charts/wordpress/no-such.svg")).text() == "404: Not Found"


async def test_one_person_is_never_shown_the_frame_of_another(library: Library) -> None:
    looking = [Visitor("anna", "viewer", "form-of-anna"), Visitor("<b>ben</b>", "viewer", ""), Visitor()]
    app = web.Application()
    api = Api(library, library.released.state)
    pages = Pages(api, library, library.released.state, str, visitor=lambda _: looking[0], clock=lambda: NOW)
    app.add_routes(pages.routes())
    async with TestClient(TestServer(app)) as client:
        anna = await client.get("/")
        text = await anna.text()
        assert "anna" in text
        assert '<form method="post" action="/sign-out">' in text
        assert 'name="form_token" value="form-of-anna"' in text
        looking.pop(0)
        ben = await client.get("/", headers={"If-None-Match": anna.headers["ETag"]})
        text = await ben.text()
        assert ben.status == 200, "what Anna has is not what Ben is shown"
        assert "anna" not in text
        assert "&lt;b&gt;ben&lt;/b&gt;" in text
        assert "sign-out" not in text
        assert ben.headers["Vary"] == "Cookie"
        looking.pop(0)
        assert "Signed in as" not in await (await client.get("/")).text()


async def test_quarter_that_lacks_a_month_has_no_number_and_no_leader(pages: TestClient) -> None:
    text = await read(pages, "/products/wordpress?grain=quarter&from=2026-04-01")
    answer = await (await pages.get("/v1/usage?product=wordpress&grain=quarter&from=2026-04-01")).json()
    assert answer["cells"][0]["value"] is None
    assert re.search(r'<tr><th scope="row">Q2 2026, incomplete</th><td class="r"><span class="e">·</span>', text)
    assert "Incomplete, since not all of its days or reports are in it, and a hollow point: Q2 2026." in text
    assert "nothing to compare with" in text
    assert "shown in 1 of 3 months" in text
    assert "A quarter is the sum of its months where each of them was released" in text
    assert "Most used version" not in text, "one without a number could be it"
    assert "Most used version" in await read(pages, "/products/wordpress?grain=month")


def test_a_page_reads_the_same_cells_once_and_gets_what_the_store_says(library: Library) -> None:
    asked: list[tuple] = []
    real = library.released.cells

    def counting(*question):
        asked.append(question)
        return real(*question)

    library.released.cells = counting  # type: ignore[method-assign]
    once = remembering(library)
    for query in (
        {
            "product": "wordpress",
            "by": "product_version",
            "grain": "month",
            "from": "2026-07-01",
            "compare": "previous",
        },
        {"product": "wordpress", "by": "product_version", "grain": "month", "from": "2026-08-01"},
        {"product": "wordpress", "by": "product_version", "grain": "quarter", "from": "2026-07-01"},
        {"product": "wordpress"},
        {"from": "2000-01-01"},
    ):
        question = read_question(query)
        assert once.usage(question) == library.usage(question)
    asked.clear()
    once.usage(read_question({"product": "wordpress", "by": "product_version", "grain": "month", "from": "2026-08-01"}))
    assert asked == []


def test_templates_escape_and_know_every_name_they_use() -> None:
    made = environment()
    assert made.autoescape is True
    names = set(made.list_templates())
    assert {"sign_in.html", "refused.html", "frame.html"} <= names
    for name in names:
        made.get_template(name)


async def test_style_sheet_is_kept_for_ever_by_its_own_address_only(pages: TestClient) -> None:
    page = await read(pages, "/")
    (address,) = re.findall(r'href="(/static/style.css\?v=[0-9a-f]+)"', page)
    assert "immutable" in (await pages.get(address)).headers["Cache-Control"]
    plain = await pages.get("/static/style.css")
    assert plain.headers["Cache-Control"] == "no-cache"
    again = await pages.get("/static/style.css", headers={"If-None-Match": plain.headers["ETag"]})
    assert again.status == 304


def test_catalogue_of_tests_has_the_products_they_speak_of(configuration: Configuration) -> None:
    catalogue: Catalogue = configuration.catalogue
    assert {"wordpress", "nginx", "ghost", "redis", "installbuilder"} <= catalogue.products.keys()
    assert "never-heard-of" not in catalogue.products
