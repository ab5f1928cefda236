from __future__ import annotations

import datetime as dt

import pytest

from collector.cli.hide import _FIELDS
from collector.publish.measures import FIELDS
from collector.reports.access import audit
from collector.reports.access.hidden import HiddenValues, hidden, hide, unhide
from collector.reports.access.ledger import Ledger, LedgerError
from tests.reports.access.conftest import Clock

JANE = ("wordpress", "product_version", "6.4-jane")


def test_value_is_hidden_and_shown_again(ledger: Ledger) -> None:
    clock = Clock(0)
    values = HiddenValues(ledger, clock)
    assert not values.is_hidden(*JANE)
    assert hide(ledger, *JANE, by="root", reason="a name", now=86_400)
    assert not hide(ledger, *JANE, by="other", reason="again", now=86_400)
    (one,) = hidden(ledger)
    assert (one.product, one.field, one.value) == JANE
    assert (one.hidden_by, one.hidden_on, one.reason) == ("root", "1970-01-02", "a name")
    clock.seconds += 1
    assert values.is_hidden(*JANE)
    for other in (("nginx", *JANE[1:]), ("wordpress", "os_version", "6.4-jane"), (*JANE[:2], "6.4")):
        assert not values.is_hidden(*other)
    assert unhide(ledger, *JANE, by="root", now=0)
    assert not unhide(ledger, *JANE, by="root", now=0)
    clock.seconds += 1
    assert not values.is_hidden(*JANE)


def test_list_is_looked_up_once_a_second_at_the_most(ledger: Ledger) -> None:
    clock = Clock(0)
    values = HiddenValues(ledger, clock)
    asked: list[str] = []
    ledger._reader.set_trace_callback(asked.append)
    for _ in range(100):
        values.is_hidden(*JANE)
        values.state()
    assert len(asked) == 1
    clock.seconds = 0.99
    values.is_hidden(*JANE)
    assert len(asked) == 1
    clock.seconds = 1
    values.is_hidden(*JANE)
    assert len(asked) == 2


def test_state_changes_with_the_list_alone(ledger: Ledger) -> None:
    clock = Clock(0)
    values = HiddenValues(ledger, clock)
    states = [values.state()]
    for change in (hide, None, unhide):
        if change is hide:
            hide(ledger, *JANE, by="root", reason="", now=0)
        elif change is unhide:
            unhide(ledger, *JANE, by="root", now=0)
        clock.seconds += 1
        states.append(values.state())
    assert states[0] != states[1] == states[2]
    assert states[3] not in states[:3], "an answer made in between must not come back"


def test_nothing_is_shown_where_the_list_cannot_be_read(ledger: Ledger) -> None:
    values = HiddenValues(ledger)
    with ledger.writing() as writing:
        writing.execute("DROP TABLE hidden")
    with pytest.raises(LedgerError):
        values.is_hidden(*JANE)


def test_trail_says_where_a_hidden_value_stood_and_not_what_it_was(ledger: Ledger) -> None:
    hide(ledger, *JANE, by="root", reason="is jane", now=0)
    unhide(ledger, *JANE, by="eve", now=0)
    lines = audit.lines(ledger, dt.date(1970, 1, 1))
    assert [(line.event, line.who, line.about) for line in lines] == [
        ("value_hidden", "root", "wordpress product_version (id 1)"),
        ("value_shown", "eve", "wordpress product_version (id 1)"),
    ]
    assert "jane" not in repr(lines)


def test_every_field_that_is_published_can_be_hidden() -> None:
    assert tuple(FIELDS) == _FIELDS
