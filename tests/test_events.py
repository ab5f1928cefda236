"""The log is a closed list of events with a closed list of fields."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import structlog

from collector import logs
from collector.events import EVENTS, EVERYWHERE
from tests.conftest import PROJECT

LEVELS = {"debug", "info", "warning", "error", "critical", "exception", "log"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in (PROJECT / "collector").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
                owner = node.func.value
                if isinstance(owner, ast.Name) and owner.id in {"log", "logger", "logging"}:
                    yield path.name, node


def test_every_event_that_is_logged_is_listed_with_its_fields() -> None:
    logged = set()
    for file, call in calls():
        (event,) = call.args
        assert isinstance(event, ast.Constant), f"{file}: an event's name is a constant"
        assert event.value in EVENTS, f"{file}: {event.value}"
        named = {keyword.arg for keyword in call.keywords if keyword.arg}
        assert named <= EVENTS[event.value].fields, f"{file}: {event.value}"
        logged.add(event.value)
    assert logged | {"library"} == set(EVENTS), "an event that nothing logs is listed"


def test_field_that_is_not_listed_never_reaches_the_log(capsys) -> None:
    try:
        logs.configure("json", "test")
        log = structlog.get_logger()
        log.error("load_failed", code=1, row="canary-row")
        log.error("something_new", value="canary-value")
        written = capsys.readouterr().err
    finally:
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()
    assert "canary" not in written
    assert '"code": 1' in written
    assert "something_new" in written


def test_every_event_has_a_meaning_and_no_field_of_a_report() -> None:
    of_reports = {"product", "product_version", "os_version", "instance_type", "language", "license_key", "licence"}
    of_people = {"address", "ip", "remote", "body", "row", "value", "path", "user_agent"}
    for name, event in EVENTS.items():
        assert event.meaning.endswith("."), name
        assert not (event.fields | EVERYWHERE) & (of_reports | of_people), name
