"""What lies in the outbox is byte for byte what a client writes, or it is deleted and not sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from telemetry_client.outbox import Outbox
from telemetry_client.permits import load_permits

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.conftest import Cli, Collector

ID = "0b7e5c1a-58c2-4f0e-9d6c-3f2a9e1b7c44"
NAME = f"1790000000-{ID}.json"
URL = "https://telemetry.example.com"
BODY = f'{{"report_id":"{ID}","source":"vm","product":"wordpress","product_version":"6.4.2-0"}}'
PERMITS = load_permits()


def _entry(body: str = BODY, report: str = "image-boot/1", url: str = URL) -> str:
    quoted = body.replace("\\", "\\\\").replace('"', '\\"')
    return f'{{"format":1,"report":"{report}","url":"{url}","body":"{quoted}"}}'


def _waiting(directory: Path, text: str, name: str = NAME) -> list[bytes]:
    directory.mkdir(exist_ok=True)
    (directory / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    found = Outbox(str(directory)).waiting(PERMITS, URL, 0)
    assert bool(found) == (directory / name).exists()
    return [waiting.body for waiting in found]


def test_an_entry_is_written_so(cli: Cli, collector: Collector) -> None:
    cli("on")
    collector.answer(503)
    cli("send", "--url", collector.url, "--product", "wordpress", "--product-version", "6.4.2-0")
    (file,) = (cli.state / "outbox").iterdir()
    body = collector.received[0].body.decode()
    assert file.read_text() == _entry(body, url=collector.url)
    assert file.name[10:] == f"-{json.loads(body)['report_id']}.json"


def test_what_another_client_wrote_is_read(tmp_path: Path) -> None:
    assert _waiting(tmp_path / "outbox", _entry()) == [BODY.encode()]


@pytest.mark.parametrize(
    "text",
    [
        _entry() + "\n",
        " " + _entry(),
        _entry().replace('","', '", "'),
        _entry().replace('"format":1', '"format":1.0'),
        _entry().replace('"format":1', '"format":true'),
        _entry().replace("format", "forma\\u0074"),
        _entry().replace("/1", "\\/1"),
        _entry().replace('"url":"https://telemetry.example.com",', ""),
        _entry()[:-1] + ',"more":1}',
        '{"report":"image-boot/1","format":1' + _entry()[34:],
        _entry(BODY.replace(":", ": ")),
        _entry(BODY.replace('"source":"vm","product":"wordpress"', '"product":"wordpress","source":"vm"')),
        _entry(BODY.replace('"vm"', '"\\u0076m"')),
        _entry(BODY.replace('"vm"', '"vm","source":"vm"')),
        _entry(BODY.replace(ID, "1b7e5c1a-58c2-4f0e-9d6c-3f2a9e1b7c44")),
        _entry(BODY.replace(f'"report_id":"{ID}",', "")),
        _entry(url=URL + "/"),
        _entry(url="http://telemetry.example.com"),
        _entry(url="HTTPS://telemetry.example.com"),
        _entry(report="image-boot/2"),
        _entry(BODY.replace('"vm"', '"vm\u00e4"')),
        _entry() + "\udcff",
    ],
)
def test_anything_else_is_deleted_and_not_sent(text: str, tmp_path: Path) -> None:
    assert _waiting(tmp_path / "outbox", text) == []


def test_a_licence_key_in_the_outbox_is_deleted_and_not_sent(tmp_path: Path) -> None:
    run = f'{{"report_id":"{ID}","product":"installbuilder","product_version":"23.1.0"}}'
    assert _waiting(tmp_path / "outbox", _entry(run, "installbuilder-run/1")) == [run.encode()]
    with_key = run.replace("}", ',"license_key":"EXAMPLE-0000-0000-0000"}')
    assert _waiting(tmp_path / "outbox", _entry(with_key, "installbuilder-run/1")) == []


def test_a_name_that_no_client_gives_is_not_touched(tmp_path: Path) -> None:
    directory = tmp_path / "outbox"
    directory.mkdir()
    (directory / f"17-{ID}.json").write_text(_entry())
    assert Outbox(str(directory)).waiting(PERMITS, URL, 0) == []
    assert len(list(directory.iterdir())) == 1
