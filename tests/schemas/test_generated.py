from __future__ import annotations

import pytest

from schemas.generate import ROOT, published_files
from schemas.outcomes import Outcome
from schemas.policy import load_policy

FILES = published_files(load_policy())


@pytest.mark.parametrize("path", FILES, ids=str)
def test_generated_file_is_up_to_date(path) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == FILES[path], "run: make schemas"


def test_every_outcome_has_a_heading_that_answers_can_link_to() -> None:
    page = next(text for path, text in FILES.items() if path.name == "DATA.md")
    assert all(f"### {outcome.value}\n" in page for outcome in Outcome)


def test_client_contract_of_statuses() -> None:
    assert [o for o in Outcome if o.status == 202] == [Outcome.ACCEPTED]
    drop = {400, 404, 405, 413, 415, 422}
    assert [o for o in Outcome if o.status == 410] == [Outcome.CLIENT_STOPPED]
    try_again = {408, 429, 500, 503, 507}
    assert {o.status for o in Outcome} - drop - try_again == {200, 202, 410}
