"""Debian's Chromium without a window: what a person sees, and everything that it complains about."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

SCREENSHOTS = "SCREENSHOTS_DIRECTORY"
PHONE_WIDTH = 360
_TALLEST = 9_000


class Browser:
    """One window."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def sign_in(self, url: str, token: str) -> None:
        self.open(f"{url}/sign-in")
        self.driver.find_element(By.ID, "token").send_keys(token)
        self.click("main button")
        WebDriverWait(self.driver, 20).until(lambda driver: "/sign-in" not in driver.current_url)

    def click(self, selector: str) -> None:
        self.driver.find_element(By.CSS_SELECTOR, selector).click()

    def until(self, address_holds: str) -> None:
        """Waits for a page whose address holds this, whole."""
        WebDriverWait(self.driver, 20).until(
            lambda driver: (
                address_holds in driver.current_url
                and driver.execute_script("return document.readyState == 'complete'")
            )
        )

    def text(self, selector: str) -> str:
        return str(self.driver.find_element(By.CSS_SELECTOR, selector).text)

    def texts(self, selector: str) -> list[str]:
        return [str(one.get_property("innerText")) for one in self.driver.find_elements(By.CSS_SELECTOR, selector)]

    def run(self, script: str, *given: Any) -> Any:
        return self.driver.execute_script(script, *given)

    def scheme(self, scheme: str) -> None:
        """Light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def size(self, width: int, height: int = 900) -> None:
        """The viewport; narrower than a window could be."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width <= PHONE_WIDTH}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def complaints(self) -> list[str]:
        """What the console said since the last time."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in {"SEVERE", "WARNING"}]

    def overflow(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def load_pictures(self) -> None:
        """Waits for all pictures, those further down too."""
        self.driver.execute_async_script(
            """
            const done = arguments[0];
            const all = [...document.images];
            all.forEach(image => { image.loading = "eager"; });
            Promise.all(all.map(image => image.decode().catch(() => 0))).then(() => done());
            """
        )

    def broken_pictures(self) -> list[str]:
        self.load_pictures()
        script = "return [...document.images].filter(i => !i.naturalWidth).map(i => i.currentSrc)"
        return [str(source) for source in self.run(script)]

    def photograph(self, name: str) -> None:
        """Keeps a picture of the whole page where the environment says."""
        directory = os.environ.get(SCREENSHOTS)
        if not directory:
            return
        Path(directory).mkdir(parents=True, exist_ok=True)
        self.load_pictures()
        width = self.run("return window.innerWidth")
        height = min(_TALLEST, self.run("return document.documentElement.scrollHeight"))
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        taken = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        (Path(directory) / f"{re.sub(r'[^a-z0-9.]+', '-', name.lower())}.png").write_bytes(
            base64.b64decode(taken["data"])
        )


def missing_program() -> str | None:
    """What is not there of the browser and its driver."""
    return next((program for program in ("chromium", "chromedriver") if shutil.which(program) is None), None)


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """A browser with a profile of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = Options()
        options.binary_location = shutil.which("chromium") or ""
        for argument in (
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
            *("--disable-background-networking", "--no-first-run", f"--user-data-dir={profile}", "--lang=en"),
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
        driver.set_page_load_timeout(60)
        driver.set_script_timeout(60)
        try:
            yield Browser(driver)
        finally:
            driver.quit()
