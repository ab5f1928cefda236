"""In every described situation each client decides alike, says the same, and connects only where it may."""

from __future__ import annotations

import pytest

from tests.client.conformance.clients import Client, Place, each
from tests.client.conformance.listener import Listener
from tests.client.conformance.situations import Situation, read_situations
from tests.client.conformance.tree import Tree

SITUATIONS = read_situations()
_MOST_WAITED_SECONDS = 160


@pytest.fixture
def stage(situation: Situation, place: Place) -> Place:
    situation.stand(place)
    return place


@pytest.mark.parametrize(("client", "situation"), each("consent", SITUATIONS))
def test_decision(client: Client, situation: Situation, stage: Place, listener: Listener) -> None:
    for command in situation.before:
        done = stage.run(client, *command, environment=situation.environment)
        assert (done.code, done.err) == (0, "")
    Tree(files=situation.after).stand(stage)
    must_forget = not situation.is_on and not situation.is_dry_run
    if must_forget:
        situation.let_wait(stage, listener.url)
    _tells(client, situation, stage, listener.url, has_waiting=must_forget)
    _sends(client, situation, stage, listener)
    if must_forget:
        assert stage.waiting() == []


def test_they_are_many() -> None:
    assert len(SITUATIONS) >= 60


def _tells(client: Client, situation: Situation, place: Place, url: str, *, has_waiting: bool) -> None:
    product = ("--product", situation.product[0])
    told = place.tell(client, "status", *product, "--url", url, *situation.arguments, environment=situation.environment)
    oldest = told["outbox"]["oldest_seconds"] if has_waiting else None
    assert oldest is None or 100 <= oldest < _MOST_WAITED_SECONDS
    assert told == situation.told(place, url, oldest=oldest)


def _sends(client: Client, situation: Situation, place: Place, listener: Listener) -> None:
    dry = ("--dry-run",) if situation.is_dry_run else ()
    product, version = situation.product
    facts = ("--product", product, "--product-version", version, "--url", listener.url)
    ran = place.run(
        client, "send", *facts, *dry, *situation.arguments, "--format", "json", environment=situation.environment
    )
    assert ran.code == 0
    assert ran.told == {
        "outcome": situation.expected_outcome,
        "message": situation.expected_message(place),
        "also_sent": 0,
    }
    assert listener.connections == situation.connections
    is_nobodys_choice = situation.is_dry_run or situation.says[1] in {"variable", "default"}
    notice = ran.err.splitlines()
    assert len(notice) == (situation.connections if is_nobodys_choice else 0), ran.err
    assert all(line.startswith("telemetry-client: this image reports its product, version") for line in notice)
