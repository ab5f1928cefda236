"""The list of known differences names only what exists; pytest itself fails an entry that no longer differs."""

from __future__ import annotations

import pytest

from tests.client.conformance import clients, differences
from tests.client.conformance.answers import read_answers
from tests.client.conformance.clients import CLIENTS, each
from tests.client.conformance.differences import DIFFERENCES, Difference
from tests.client.conformance.machines import read_machines
from tests.client.conformance.situations import read_situations
from tests.client.conformance.test_conform_clouds import QUESTIONS
from tests.client.conformance.test_conform_hostile import PLACES, groups
from tests.client.conformance.test_conform_usage import ADDRESSES, PROXIES

CASES = {
    "machines": set(read_machines()),
    "consent": set(read_situations()),
    "answers": set(read_answers()),
    "usage": {*ADDRESSES, *PROXIES},
    "hostile-arguments": set(groups(range(PLACES))),
    "clouds": {f"{cloud}-ok" for cloud in QUESTIONS},
}


@pytest.mark.parametrize("known", DIFFERENCES, ids=str)
def test_each_names_what_exists(known: Difference) -> None:
    assert set(known.clients) <= {client.name for client in CLIENTS}
    assert known.cases
    assert set(known.cases) <= CASES[known.suite]
    assert known.clause
    assert known.reason


def test_a_case_that_is_listed_must_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Difference(("python",), "machines", ("systems/minimal",), "Text", "an example")
    monkeypatch.setattr(clients, "DIFFERENCES", (known,))
    monkeypatch.setattr(differences, "DIFFERENCES", (known,))
    case = {"systems/minimal": None, "systems/suse": None}
    listed, other = (param for param in each("machines", case) if param.id.startswith("python-"))
    (mark,) = listed.marks
    assert (mark.name, mark.kwargs["strict"]) == ("xfail", True)
    assert not other.marks
