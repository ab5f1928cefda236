"""What goes to third parties: coarse, the same bytes each time, and nothing that was not published or is hidden."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import uuid
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.configuration import Configuration
from collector.publish.menu import Menu
from collector.publish.released import Released
from collector.reports.hiding import IsHidden, nothing_hidden
from collector.reports.library import Library
from collector.reports.question import UsageError, read_question
from collector.reports.trends import FIELDS, Note, Trends, about, questions, share, trends, within
from collector.reports.trends_page import site
from collector.store.engine import Engine, open_embedded
from collector.store.migrate import migrate
from tests.conftest import collector, running
from tests.made_up_summer import made_up_summer
from tests.publishers import publisher_on, rules_of
from tests.sample_days import DAY, ONE, receive, row, run_row

MARKUP = "<script>alert(1)</script>"
QUOTED = '"><img src=x onerror=alert(1)>'
FORMULA = '=HYPERLINK("http://x")'
NOTE = Note("CC BY 4.0", {"title": "A policy", "url": "https://example.com/p", "clause": "a", "says": "Trends <only>."})
LAST = DAY.replace(month=10, day=31)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, configuration: Configuration) -> Iterator[Engine]:
    """September and October: a common version, one that fades below 100, hostile values, rare and unknown products."""
    engine = open_embedded(tmp_path_factory.mktemp("published") / "engine")
    migrate(engine, DAY)
    october = DAY.replace(month=10)
    rows = [row(day, product_version="6.4.2") for day in (DAY, october) for _ in range(4_321)]
    rows += [row(DAY, product_version="6.3.1") for _ in range(247)]
    rows += [row(october, product_version="6.3.1") for _ in range(66)]
    for value, count in ((MARKUP, 153), (QUOTED, 187), (FORMULA, 215)):
        rows += [row(october, product_version=value, os_version=value, language=value) for _ in range(count)]
    rows += [row(october, product="nginx", product_version="1.27.0") for _ in range(83)]
    rows += [row(october, product="not-in-the-catalogue") for _ in range(500)]
    holders = [uuid.UUID(int=n + 1) for n in range(400)]
    rows += [run_row(october, licence=holder) for holder in holders]
    rows += [run_row(october, os_version="windows-11") for _ in range(333)]
    receive(engine, rows)
    publisher_on(engine, configuration, keep_after_release_days=200).publish(LAST + ONE, LAST)
    yield engine
    engine.close()


def told(
    engine: Engine,
    configuration: Configuration,
    *,
    with_licences: bool = False,
    is_hidden: IsHidden = nothing_hidden,
    backwards: bool = False,
) -> Trends:
    """What goes out, through the real library."""
    library = Library(Released(engine), rules_of(configuration), lambda: configuration.catalogue, is_hidden)
    answers = []
    for parameters in questions(with_licences=with_licences):
        try:
            answers.append(json.loads(json.dumps(library.usage(read_question(parameters)))))
        except UsageError as error:
            assert "are not published by" in str(error)  # noqa: PT017 - what is not on the menu is left out
    titles = {one["name"]: one["title"] for one in library.products()["products"]}
    if backwards:
        answers = [answer | {"cells": answer["cells"][::-1]} for answer in reversed(answers)]
    return trends(answers, titles)


def cells_by_key(engine: Engine, menu: Menu) -> dict[tuple[str, ...], tuple[int, int]]:
    """Value and error of every published cell of a month, by product, measure, field, month and value."""
    released = Released(engine)
    return {
        (cell.values["product"], measure, field, f"{cell.period:%Y-%m}", cell.values.get(field, "")): (
            cell.value,
            cell.error,
        )
        for measure, field in {
            (t.measure, f) for t in menu.of("month") for f in FIELDS if t.fields == tuple(filter(None, [f]))
        }
        for cell in released.cells(measure, (field,) if field else (), "month", DAY.replace(day=1), LAST, None)
    }


def test_every_number_is_a_rounding_of_a_published_cell_of_100_or_more(
    published: Engine, configuration: Configuration
) -> None:
    cells = cells_by_key(published, configuration.menu)
    out = told(published, configuration, with_licences=True)
    assert len(out.rows) > 20
    for one in out.rows:
        value, error = cells[one.product, one.measure, one.field, one.month, one.value]
        assert value >= 100
        assert (one.about, one.within) == (about(value), within(value, error))
        if one.share_percent is not None:
            total = cells[one.product, one.measure, "", one.month, ""][0]
            assert one.share_percent == min(100, math.floor(100 * value / total + 0.5))
    in_catalogue = {key for key, (value, _) in cells.items() if value >= 100 and key[0] != "not-in-the-catalogue"}
    assert {(r.product, r.measure, r.field, r.month, r.value) for r in out.rows} == in_catalogue, "and all of them"


def test_no_file_holds_a_number_finer_than_its_rounding(published: Engine, configuration: Configuration) -> None:
    out = told(published, configuration, with_licences=True)
    files = {path: content.decode() for path, content in site(out, NOTE).items()}
    rows = list(csv.DictReader(io.StringIO(files["trends.csv"])))
    listed = json.loads(files["trends.json"])["rows"]
    for many in (rows, listed):
        assert [(int(r["about"]), int(r["within"])) for r in many] == [(r.about, r.within) for r in out.rows]
    pages = {path: text for path, text in files.items() if path.endswith(".html")}
    assert set(pages) == {"index.html", "products/wordpress.html", "products/installbuilder.html"}
    for path, page in pages.items():
        of = [r for r in out.rows if path in {"index.html", f"products/{r.product}.html"}]
        shown = {int(n.replace(",", "")) for n in re.findall(r"about ([\d,]+\d)", page)}
        assert shown
        assert shown <= {r.about for r in of}
        assert {int(n.replace(",", "")) for n in re.findall(r"± ([\d,]+)", page)} <= {r.within for r in of}
        assert {int(n) for n in re.findall(r">(\d+) %<", page)} <= {r.share_percent for r in of}
    exact = {value for value, _ in cells_by_key(published, configuration.menu).values() if about(value) != value}
    allowed = {number for r in out.rows for number in (r.about, r.within)}
    for path, text in files.items():
        seen = re.sub(r'sha256:\w+|(x|y|width|height|viewBox)="[\d ]+"', "", text)
        numbers = {int(n.replace(",", "")) for n in re.findall(r"(?<![\w.])\d[\d,]*\d(?![\w.])", seen)}
        assert not (numbers & exact) - allowed, path


def test_what_is_small_or_unknown_is_absent_and_no_zero(published: Engine, configuration: Configuration) -> None:
    cells = cells_by_key(published, configuration.menu)
    small = ("wordpress", "boots", "product_version", "2026-10", "6.3.1")
    assert 0 < cells[small][0] < 100, "published, but too small to go out"
    files = site(told(published, configuration), NOTE)
    assert b"6.3.1" in files["trends.csv"], "September's goes out"
    rows = list(csv.DictReader(io.StringIO(files["trends.csv"].decode())))
    assert not [r for r in rows if (r["value"], r["month"]) == ("6.3.1", "2026-10")]
    assert not [r for r in rows if int(r["about"]) < 100]
    everything = b"".join(files.values())
    for name in (b"nginx", b"not-in-the-catalogue", b"1.27.0"):
        assert name not in everything


def test_same_cells_give_the_same_bytes(published: Engine, configuration: Configuration) -> None:
    one = site(told(published, configuration), NOTE)
    two = site(told(published, configuration, backwards=True), NOTE)
    assert list(one) == list(two)
    assert one == two


class Page(HTMLParser):
    """The elements, links and texts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.names: set[str] = set()
        self.links: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.names |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_hostile_values_are_only_texts(published: Engine, configuration: Configuration) -> None:
    files = site(told(published, configuration), NOTE)
    page = Page(files["products/wordpress.html"].decode())
    assert {MARKUP, QUOTED, FORMULA} <= set(page.texts)
    assert not page.tags & {"script", "img", "iframe", "style"}
    assert not [name for name in page.names if name.startswith("on") or name == "style"]
    rows = list(csv.DictReader(io.StringIO(files["trends.csv"].decode())))
    values = {r["value"] for r in rows}
    assert {MARKUP, QUOTED, f"'{FORMULA}"} <= values
    assert FORMULA not in values, "no spreadsheet takes it for a formula"
    assert {r["value"] for r in json.loads(files["trends.json"])["rows"]} >= {MARKUP, QUOTED, FORMULA}


def test_pages_need_nothing_from_elsewhere(published: Engine, configuration: Configuration) -> None:
    files = site(told(published, configuration), NOTE)
    for path, content in files.items():
        if path.endswith(".html"):
            page = Page(content.decode())
            assert "svg" in page.tags
            for link in set(page.links) - {NOTE.policy["url"]}:
                target = (Path("/") / path).parent / link
                assert str(target.resolve())[1:] in files, f"{path} links to {link}"
    assert b"url(" not in files["style.css"]
    assert b"@import" not in files["style.css"]


def test_hidden_values_are_left_out(published: Engine, configuration: Configuration) -> None:
    def is_hidden(product: str, field: str, value: str) -> bool:
        return (product, field, value) == ("wordpress", "product_version", "6.4.2")

    out = told(published, configuration, is_hidden=is_hidden)
    assert ("product_version", "6.3.1") in {(r.field, r.value) for r in out.rows}
    everything = b"".join(site(out, NOTE).values())
    assert b"6.4.2" not in everything
    assert b"(hidden)" not in everything


def test_licences_go_out_only_when_asked_for(published: Engine, configuration: Configuration) -> None:
    usual, with_them = (told(published, configuration, with_licences=it) for it in (False, True))
    assert {r.measure for r in usual.rows} == {"boots", "runs"}
    assert b"distinct licences" not in b"".join(site(usual, NOTE).values())
    assert {r.measure for r in with_them.rows} == {"boots", "runs", "licences"}
    assert set(usual.rows) < set(with_them.rows)


def test_index_names_every_file_and_field(published: Engine, configuration: Configuration) -> None:
    files = site(told(published, configuration), NOTE)
    index = json.loads(files["index.json"])
    assert set(index["files"]) == set(files) - {"index.json"}
    assert [f["name"] for f in index["resources"][0]["schema"]["fields"]] == files["trends.csv"].decode().split("\n")[
        0
    ].split(",")
    assert index["licenses"] == [{"title": "CC BY 4.0"}]
    assert index["policy"] == NOTE.policy
    assert index["months"] == ["2026-09", "2026-10"]
    assert any("100 or more" in rule for rule in index["rules"])
    assert not index["simulated"]


@given(st.integers(100, 10**12), st.integers(1, 100))
def test_rounding_keeps_two_digits_and_says_how_far_off_it_is(value: int, error: int) -> None:
    rounded = about(value)
    assert len(str(rounded).rstrip("0")) <= 2
    assert abs(rounded - value) <= within(value, error) - error
    assert within(value, error) <= error + 0.05 * value


def test_roundings_that_people_would_expect() -> None:
    assert [about(n) for n in (100, 104, 105, 994, 995, 4_321, 4_350)] == [100, 100, 110, 990, 1_000, 4_300, 4_400]
    assert [share(*pair) for pair in ((1, 300), (2, 300), (150, 300), (310, 300))] == [0, 1, 50, 100]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_summer(tmp_path_factory)


def files_in(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def test_command_writes_the_same_site_from_directory_and_server(data: Path, tmp_path: Path) -> None:
    def export(name: str, **environment: str) -> dict[str, bytes]:
        result = collector("export-trends", str(tmp_path / name), "--data", str(data), **environment)
        assert "products, " in result.stdout
        assert "--licence" in result.stderr
        return files_in(tmp_path / name)

    one = export("one", PYTHONHASHSEED="1")
    assert b"MADE-UP DATA" in one["index.html"]
    assert export("one", PYTHONHASHSEED="2") == one, "an earlier export is replaced"
    with running(data) as server:
        assert export("beside-serve") == one
        options = ["export-trends", str(tmp_path / "at-address"), "--url", server.reports]
        collector(*options, COLLECTOR_TOKEN=server.token)
    assert files_in(tmp_path / "at-address") == one
    assert {path.name for path in tmp_path.iterdir()} == {"one", "beside-serve", "at-address"}, "nothing else is left"


def test_command_touches_no_directory_that_holds_something_else(data: Path, tmp_path: Path) -> None:
    def refused(directory: Path) -> str:
        result = collector("export-trends", str(directory), "--data", str(data), check=False)
        assert result.returncode == 2
        return result.stderr

    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("a year's work")
    assert "holds something else" in refused(mine)
    assert files_in(mine) == {"thesis.txt": b"a year's work"}
    (tmp_path / "folders" / "empty").mkdir(parents=True)
    assert "holds something else" in refused(tmp_path / "folders")
    (mine / "index.json").write_text(json.dumps({"name": "another-package", "files": {"thesis.txt": ""}}))
    assert "holds something else" in refused(mine)
    site_directory = tmp_path / "site"
    collector("export-trends", str(site_directory), "--data", str(data))
    (site_directory / "CNAME").write_text("trends.example.com")
    assert "holds something else" in refused(site_directory)
    assert "there is no directory" in refused(tmp_path / "no" / "site")
    assert not list(tmp_path.glob(".*")), "nothing half done is left"


def test_command_says_that_nothing_is_released(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        result = collector("export-trends", str(tmp_path / "site"), "--data", str(server.data), check=False)
    assert result.returncode == 2
    assert "there is nothing to export: nothing is released yet" in result.stderr
    assert not (tmp_path / "site").exists()


def test_options_of_the_command_are_in_its_help() -> None:
    text = collector("export-trends", "--help").stdout
    assert "byte for byte" in text
    options: list[Any] = ["--with-licences", "--licence", "--url", "--token-file", "--data"]
    assert all(option in text for option in options)
