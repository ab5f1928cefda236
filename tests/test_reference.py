from __future__ import annotations

from collector.reference import PAGE, page


def test_reference_is_what_the_program_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: make schemas"


def test_links_between_the_pages_for_operators_lead_somewhere() -> None:
    assert (PAGE.parent / "OPERATING.md").exists()
