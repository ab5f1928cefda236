"""A period is drawn once: killed, or beside another publisher, its cells are those of the first commit."""

from __future__ import annotations

import contextlib

import pytest

from collector.configuration import Configuration
from collector.publish import closing
from collector.publish.periods import Period
from collector.publish.release import is_begun, release
from collector.store.engine import Engine
from tests.publish.interrupted import KilledError, dying, interleaved
from tests.publishers import publisher_on, rules_of
from tests.sample_days import DAY, ONE, receive, row

DAY_PERIOD = Period("day", DAY)


def cells(engine: Engine) -> list[tuple]:
    return engine.rows("SELECT * FROM public.cells FINAL ORDER BY ALL")


def private_tables(engine: Engine) -> list[str]:
    rows = engine.rows("SELECT name FROM system.tables WHERE database = 'private' AND startsWith(name, 'draw')")
    return [name for (name,) in rows]


@pytest.fixture
def counted(engine: Engine) -> Engine:
    receive(engine, [row(product_version=f"6.{n % 20}") for n in range(4000)])
    closing.close_day(engine, DAY)
    return engine


def draw(engine: Engine, configuration: Configuration, secret: bytes) -> None:
    release(engine, rules_of(configuration), DAY_PERIOD, secret=secret, today=DAY + ONE, complete=True)


def test_killed_after_its_commit_the_same_cells_come_out(counted: Engine, configuration: Configuration) -> None:
    """Whatever the statement, and with another secret: the first commit's noise stands."""
    seen: set[tuple] = set()
    for statements in range(1, 40):
        with contextlib.suppress(KilledError):
            draw(dying(counted, statements), configuration, statements.to_bytes(32, "big"))
        if is_begun(counted, DAY_PERIOD):
            break
    table = private_tables(counted)
    assert "drawn_day_2026_09_14" in table
    drawn = counted.rows("SELECT * FROM private.drawn_day_2026_09_14 ORDER BY ALL")
    for statements in range(1, 40):
        with contextlib.suppress(KilledError):
            draw(dying(counted, statements), configuration, b"b" * 32)
        seen |= set(cells(counted))
    assert seen == set(drawn)
    assert cells(counted) == drawn
    assert "drawn_day_2026_09_14" not in private_tables(counted)


@pytest.mark.parametrize("before", ["CREATE TABLE private.drawing_", "RENAME TABLE", "INSERT INTO public.cells SELECT"])
def test_two_at_once_release_one_drawing(counted: Engine, configuration: Configuration, before: str) -> None:
    """While one is at this statement the other goes all the way; what is out never changes again."""
    out: list[list[tuple]] = []

    def other() -> None:
        draw(counted, configuration, b"o" * 32)
        out.append(cells(counted))

    with contextlib.suppress(Exception):  # the slower one may fail; it may not harm
        draw(interleaved(counted, before, other), configuration, b"s" * 32)
    assert out, "the other was never there"
    assert cells(counted) == out[0]
    draw(counted, configuration, b"t" * 32)
    assert cells(counted) == out[0]
    assert counted.rows("SELECT count() FROM public.releases FINAL") == [(1,)]


def test_drawing_that_was_never_committed_is_dropped_unseen(counted: Engine, configuration: Configuration) -> None:
    counted.command("CREATE TABLE private.drawing_left AS public.cells")
    publisher_on(counted, configuration).publish(DAY + ONE, DAY)
    assert private_tables(counted) == []


def test_release_writes_down_its_rules(counted: Engine, configuration: Configuration) -> None:
    draw(counted, configuration, b"a" * 32)
    found = counted.rows(
        "SELECT menu, profile, k, gate_sigmas, report_sigma, licence_sigma, so_far_sigma FROM public.releases"
    )
    assert found == [(configuration.menu.fingerprint, "standard", 10, 6, 5, 12, 20)]
    ((text,),) = counted.rows("SELECT menu FROM public.menus FINAL")
    assert type(configuration.menu).model_validate_json(text) == configuration.menu


def test_release_that_is_taken_up_again_says_by_what_it_was_drawn(
    counted: Engine, configuration: Configuration
) -> None:
    """Killed after its commit, and taken up with another profile once the spool has caught up."""
    for statements in range(1, 40):
        with contextlib.suppress(KilledError):
            killed = dying(counted, statements)
            release(killed, rules_of(configuration), DAY_PERIOD, secret=b"a" * 32, today=DAY, complete=False)
        if is_begun(counted, DAY_PERIOD):
            break
    strict = rules_of(configuration, "strict")
    release(counted, strict, DAY_PERIOD, secret=b"b" * 32, today=DAY + ONE, complete=True)
    found = counted.rows("SELECT profile, report_sigma, complete FROM public.releases")
    assert found == [("standard", 5, False)]
    assert counted.rows("SELECT DISTINCT error FROM public.cells") == [(10,)]
