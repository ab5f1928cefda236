"""axe-core, which finds what keeps people from using a page; version and checksum are pinned here."""

from __future__ import annotations

from pathlib import Path

from tests.npm_package import NpmFile
from tests.reports.pages.browser import Browser

VERSION = "4.14.1"
SHA512 = (
    "1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b73"
    "4f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5"
)


def axe() -> Path:
    """The script, fetched if it is not in the cache.

    Raises:
        NotAvailableError: it cannot be fetched.
    """
    return NpmFile("axe-core", VERSION, SHA512, "axe.min.js", f"axe-core-{VERSION}").get()


def findings(browser: Browser, script: Path) -> list[str]:
    """What of the page it is on is wrong, one line for each finding: how bad, which rule, where."""
    browser.run(script.read_text(encoding="utf-8"))
    result = browser.driver.execute_async_script(
        """
        const done = arguments[0];
        axe.run(document, {resultTypes: ["violations"]}).then(done, error => done({error: String(error)}));
        """
    )
    assert "violations" in result, result
    return [
        f"{one['impact']} {one['id']}: {node['html'][:200]}" for one in result["violations"] for node in one["nodes"]
    ]
