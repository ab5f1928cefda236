"""What is remembered is what would be read, in whatever order it is asked for."""

from __future__ import annotations

import random

from collector.publish.periods import CLOSED_GRAINS
from collector.reports.library import Library
from collector.reports.remembered import remembered
from tests.reports.conftest import LAST


def test_remembered_cells_are_those_that_are_read(library: Library) -> None:
    released = library.released
    starts = {grain: released.periods(grain) for grain in CLOSED_GRAINS}
    questions = [
        (table.measure, table.fields, grain, first, last, product)
        for table in library.rules.menu.tables
        for grain in table.grains
        if grain in CLOSED_GRAINS
        for first, last in (
            (starts[grain][-1], starts[grain][-1]),
            (starts[grain][0], starts[grain][0]),
            (starts[grain][1], LAST),
        )
        for product in ("wordpress", "redis", "nginx", "installbuilder", None)
    ]
    answers = {question: released.cells(*question) for question in questions}
    assert sum(map(len, answers.values())) > 500
    for seed in range(3):
        random.Random(seed).shuffle(questions)
        memory = remembered(released)
        for question in [*questions, *questions]:
            assert memory.cells(*question) == answers[question], question


def test_a_period_is_read_once_for_all_its_tables(library: Library, monkeypatch) -> None:
    memory = remembered(library.released)
    month = library.released.periods("month")[-1]
    assert memory.cells("boots", ("os_version",), "month", month, month, "wordpress")
    monkeypatch.delattr(type(library.released), "cells")
    monkeypatch.delattr(type(library.released), "tables")
    for fields in ((), ("product_version",), ("language",), ("product_version", "source")):
        memory.cells("boots", fields, "month", month, month, "wordpress")
    assert remembered(memory) is memory
