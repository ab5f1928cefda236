from __future__ import annotations

from types import ModuleType

import pytest

from collector import privacy_page, reference
from collector.capacity import page as capacity_page
from collector.reference import PAGE


@pytest.mark.parametrize("generated", [reference, privacy_page, capacity_page])
def test_generated_page_is_what_the_program_says(generated: ModuleType) -> None:
    assert generated.PAGE.read_text(encoding="utf-8") == generated.page(), "run: make schemas"


def test_links_between_the_pages_for_operators_lead_somewhere() -> None:
    assert (PAGE.parent / "OPERATING.md").exists()
