"""The dashboard as a person uses it, in a real browser behind the real sign-in."""

from __future__ import annotations

import csv
import datetime as dt
import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from collector.configuration import Configuration
from collector.store.engine import Engine
from tests.conftest import missing
from tests.npm_package import NotAvailableError
from tests.reports.pages.axe import axe, findings
from tests.reports.pages.browser import PHONE_WIDTH, Browser, browsing, missing_program
from tests.reports.pages.conftest import LAST, NOW
from tests.reports.pages.generated_store import add, add_release
from tests.reports.pages.running import Running, library_on, running

PAGES = {
    "overview": "/",
    "overview, nothing found": "/?q=nobody&sort=product",
    "product": "/products/wordpress?compare=previous",
    "product by week": "/products/redis?grain=week&by=version_line",
    "product by quarter": "/products/wordpress?grain=quarter",
    "licences": "/products/installbuilder",
    "runs": "/products/installbuilder?measure=runs&compare=previous",
    "hostile": "/products/gitea?grain=month&compare=previous",
    "nobody's product": "/products/never-heard-of",
    "cannot be shown": "/products/wordpress?grain=hour",
    "not found": "/products/NO",
    "data": "/data",
    "api": "/api",
    "releases": "/releases",
}
HOSTILE = ["<script>alert(1)</script>", '"><img src=x>', "\N{RIGHT-TO-LEFT OVERRIDE}evil", "v" * 300, "{{ 7 * 7 }}"]
LOOKS = {
    "light": ("light", 1280),
    "dark": ("dark", 1280),
    "phone": ("light", PHONE_WIDTH),
    "phone, dark": ("dark", PHONE_WIDTH),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = missing_program()
    if program:
        missing(f"{program} is missing")
    with browsing() as browser:
        yield browser


@pytest.fixture(scope="module")
def dashboard(world: Engine, configuration: Configuration, browser: Browser) -> Iterator[Running]:
    """The four months, an open day, and a product whose values no report could have had."""
    today = LAST + dt.timedelta(days=1)
    versions = [("6.5.0", 4_120), ("6.4.2", 1_310), ("6.4.1", 420)]
    cells = [({"product": "wordpress", "product_version": name}, value, 40) for name, value in versions]
    add(world, "so_far_12", today, "boots", [*cells, ({"product": "wordpress"}, 5_900, 40)])
    add_release(world, "so_far_12", today)
    values = [*HOSTILE, *(f"1.{n}" for n in range(200))]
    for month in (dt.date(2026, 8, 1), dt.date(2026, 9, 1)):
        cells = [({"product": "gitea", "product_version": v}, 900 - n, 10) for n, v in enumerate(values)]
        cells += [({"product": "gitea", "os_version": v}, 900 - n, 10) for n, v in enumerate(values)]
        cells += [
            ({"product": "gitea", "product_version": v, "os_version": w}, 60 + n, 10)
            for n, v in enumerate(values[:20])
            for w in values[:12]
        ]
        add(world, "month", month, "boots", [*cells, ({"product": "gitea"}, 170_000, 10)])
    with running(library_on(world, configuration, simulated=True), configuration, NOW) as dashboard:
        browser.scheme("light")
        browser.size(1280)
        browser.sign_in(dashboard.url, dashboard.token)
        yield dashboard


@pytest.fixture(autouse=True)
def _usual(browser: Browser) -> None:
    browser.scheme("light")
    browser.size(1280)
    browser.complaints()


def ask(dashboard: Running, address: str) -> bytes:
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {dashboard.token}"})
    with urllib.request.urlopen(request, timeout=20) as response:
        read: bytes = response.read()
    return read


def test_from_the_overview_to_a_file_that_holds_what_the_api_says(
    browser: Browser, dashboard: Running, tmp_path: Path
) -> None:
    browser.open(dashboard.url)
    assert browser.text("h1") == "Products"
    assert "MADE-UP DATA" in browser.text(".made-up")
    field = browser.driver.find_element(By.ID, "q")
    field.send_keys("word", Keys.ENTER)
    browser.until("q=word")
    assert browser.texts(".products tbody th") == ["WordPress"]
    browser.click(".products tbody th a")
    browser.until("/products/wordpress")
    assert browser.text("h1") == "WordPress"
    Select(browser.driver.find_element(By.ID, "grain")).select_by_value("week")
    browser.click("#compare")
    browser.click(".controls button")
    browser.until("compare=previous")
    assert "grain=week" in browser.driver.current_url
    browser.click(".presets li:first-child a")
    browser.until("from=2026-09-03")
    assert "grain=week" in browser.driver.current_url, "the range changes and all else stays"

    link = browser.driver.find_element(By.CSS_SELECTOR, "section[aria-labelledby=versions] .downloads a")
    address = str(link.get_property("href"))
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.driver.execute_cdp_cmd("Page.setDownloadBehavior", behaviour)
    link.click()
    deadline = time.monotonic() + 20
    while not (files := list(tmp_path.glob("*.csv"))):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    lines = list(csv.DictReader(files[0].read_text(encoding="utf-8").splitlines()))
    answer = json.loads(ask(dashboard, address.replace("format=csv", "format=json")))
    told = [{k: "" if v is None else str(v) for k, v in cell.items()} for cell in answer["cells"]]
    assert [cell | {"complete": "true"} for cell in told] == lines
    latest = [line for line in lines if line["period"] == lines[-1]["period"]]
    shown = browser.texts("section[aria-labelledby=versions] div[aria-label$='2026-09-21'] tbody tr:not(.rest)")
    assert len(shown) == len(latest) > 2
    for line, row in zip(latest, shown, strict=True):
        assert row.startswith(line["product_version"])
        assert f"{int(line['value']):,}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{line['error']}" in row
    assert browser.complaints() == []


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole_and_fits(browser: Browser, dashboard: Running, name: str, look: str) -> None:
    scheme, width = LOOKS[look]
    browser.scheme(scheme)
    browser.size(width)
    browser.open(dashboard.url + PAGES[name])
    assert browser.broken_pictures() == []
    assert browser.overflow() <= 0
    expected = {"not found": ["404"], "cannot be shown": ["400"]}.get(name, [])
    complaints = [one for one in browser.complaints() if not any(status in one for status in expected)]
    assert complaints == [], "nothing against the policy, nothing that is missing"
    browser.photograph(f"{name} {look}")


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
@pytest.mark.parametrize("name", ["sign in", *PAGES])
def test_page_can_be_used_by_everyone(browser: Browser, dashboard: Running, name: str, look: str) -> None:
    try:
        script = axe()
    except NotAvailableError as error:
        missing(str(error))
    scheme, width = LOOKS[look]
    browser.scheme(scheme)
    browser.size(width)
    browser.open(dashboard.url + PAGES.get(name, "/sign-in"))
    browser.run("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    browser.load_pictures()
    assert findings(browser, script) == []
    if name == "sign in":
        browser.photograph(f"{name} {look}")


def test_dark_is_dark_in_pictures_too(browser: Browser, dashboard: Running) -> None:
    sources = {}
    for scheme in ("light", "dark"):
        browser.scheme(scheme)
        browser.open(f"{dashboard.url}/products/wordpress")
        browser.load_pictures()
        sources[scheme] = browser.run("return [...document.querySelectorAll('.chart img')].map(i => i.currentSrc)")
        colour = browser.run("return getComputedStyle(document.body).backgroundColor")
        brightness = sum(int(part) for part in colour.strip("rgb()").split(","))
        assert (brightness > 600) == (scheme == "light")
    assert sources["dark"]
    assert all(f"theme={scheme}" in source for scheme, of in sources.items() for source in of)
    browser.size(PHONE_WIDTH)
    browser.open(f"{dashboard.url}/products/wordpress")
    browser.load_pictures()
    narrow = browser.run("return [...document.querySelectorAll('.chart img')].map(i => i.currentSrc)")
    assert all("size=narrow" in source for source in narrow)


def test_first_key_leads_past_the_navigation(browser: Browser, dashboard: Running) -> None:
    browser.open(dashboard.url)
    browser.driver.switch_to.active_element.send_keys(Keys.TAB)
    focused = browser.driver.switch_to.active_element
    assert focused.get_attribute("class") == "skip"
    time.sleep(0.3)
    assert browser.run("return document.activeElement.getBoundingClientRect().top") >= 0, "it can be seen"
    focused.send_keys(Keys.ENTER)
    assert browser.driver.switch_to.active_element.get_attribute("id") == "main"


def test_phone_shows_the_numbers_before_anything_scrolls(browser: Browser, dashboard: Running) -> None:
    browser.size(PHONE_WIDTH)
    browser.open(f"{dashboard.url}/products/wordpress")
    right = browser.run("return document.querySelector('.big').getBoundingClientRect().right")
    assert right <= PHONE_WIDTH


def test_on_paper_there_are_no_controls_and_tables_are_whole(browser: Browser, dashboard: Running) -> None:
    browser.open(f"{dashboard.url}/products/wordpress")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not browser.driver.find_element(By.CSS_SELECTOR, ".controls").is_displayed()
    assert browser.run("return getComputedStyle(document.querySelector('.tall')).overflowY") == "visible"
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


def test_signing_out_ends_it(browser: Browser, dashboard: Running) -> None:
    """The last of the module."""
    browser.open(dashboard.url)
    browser.click(".who button")
    browser.until("/sign-in")
    browser.open(dashboard.url)
    assert "/sign-in" in browser.driver.current_url
