"""`verify` against a collector that runs: what it withdraws is told as soon as it has read its policy again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.policy import SHIPPED_POLICY
from tests.client.conformance.clients import Client, Place, alone
from tests.conftest import Server, running
from tests.test_reload import edit, reload, withdraw_language

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ready_engine import ReadyEngine


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, ready_engine: ReadyEngine) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("verify")
    policy = directory / "policy.toml"
    policy.write_text(SHIPPED_POLICY.read_text(encoding="utf-8"), encoding="utf-8")
    ready_engine.put(directory / "data" / "engine")
    with running(directory / "data", "--policy", str(policy)) as server:
        yield server


CLIENTS = alone("verify")


@pytest.mark.parametrize("client", CLIENTS)
def test_same_policy(client: Client, place: Place, server: Server) -> None:
    told = place.tell(client, "verify", "--url", server.ingest)
    assert (told["outcome"], told["changes"], told["is_within"]) == ("same", [], True)


def test_policy_withdraws_a_field(server: Server) -> None:
    edit(
        server, "policy.toml", lambda text: withdraw_language(text).replace("dated = 2026-01-15", "dated = 2026-06-01")
    )
    reload(server)


@pytest.mark.parametrize("client", CLIENTS)
def test_withdrawn_field_is_told(client: Client, place: Place, server: Server) -> None:
    ran = place.run(client, "verify", "--url", server.ingest, "--format=json")
    assert (ran.code, ran.told["outcome"], ran.told["not_within"]) == (1, "differs", ["language"])
    assert ran.told["changes"] == [
        {"what": "policy dated", "here": "2026-01-15", "now": "2026-06-01"},
        {"what": "image-boot/1 language", "here": "vm, cloud, container", "now": None},
    ]
