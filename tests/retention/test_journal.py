"""Whatever changes something is a line of the audit trail; the lists of verbs and events are closed."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from collector.cli.main import VERBS
from collector.journal import Journal
from collector.reports.access import audit
from collector.reports.access.ledger import open_ledger
from tests.conftest import PROJECT, collector, running
from tests.sample_days import row

# Verb -> the lines that it, or the process it starts or asks, writes; none where it changes nothing.
VERBS_AND_LINES: dict[str, set[str]] = {
    "serve": {"configuration_taken", "store_migrated", "period_released", "protection_changed", "pepper_made"},
    "ingest": {"configuration_taken", "pepper_destroyed", "reports_expired"},
    "reports": {"configuration_taken"},
    "migrate status": set(),
    "migrate plan": set(),
    "migrate apply": {"store_migrated"},
    "move": {"store_moved"},
    "backup": {"backup_taken", "backup_removed"},
    "restore": {"backup_restored", "period_withheld"},
    "nodes list": set(),
    "nodes forget": {"node_forgotten"},
    "pepper make": {"pepper_made"},
    "pepper list": set(),
    "pepper lost": {"pepper_lost"},
    "status": set(),
    "usage": set(),
    "export-trends": set(),
    "publish": {"period_released", "period_withheld", "protection_changed"},
    "privacy": set(),
    "releases": set(),
    "simulate": {"simulated"},
    "reload": {"configuration_taken"},
    "products list": set(),
    "products add": {"product_added"},
    "products remove": {"product_removed"},
    "token create": {"token_created"},
    "token list": set(),
    "token revoke": {"token_revoked"},
    "hide add": {"value_hidden"},
    "hide list": set(),
    "hide remove": {"value_shown"},
    "audit": set(),
    "quarantine list": set(),
    "quarantine retry": {"quarantine_retried"},
    "quarantine drop": {"quarantine_dropped"},
    "forget": {"key_forgotten"},
    "subject-report": set(),
    "policy diff": set(),
    "policy show": set(),
    "policy purge": {"field_purged"},
    "retention status": set(),
    "doctor": set(),
    "capacity": set(),
    "check": set(),
}


def leaves() -> Iterator[tuple[str, Path]]:
    """Every verb, with the module it is in."""
    for verb in VERBS:
        module = importlib.import_module(f"collector.cli.{verb.replace('-', '_')}")
        assert module.__file__ is not None
        if isinstance(module.command, click.Group):
            yield from ((f"{verb} {name}", Path(module.__file__)) for name in module.command.commands)
        else:
            yield verb, Path(module.__file__)


def test_every_verb_is_in_the_list() -> None:
    assert {verb for verb, _ in leaves()} == set(VERBS_AND_LINES), "say which lines of the audit trail it writes"


def test_every_change_is_written_by_something_and_every_line_of_a_verb_is_a_change() -> None:
    texts = [
        path.read_text(encoding="utf-8")
        for path in (PROJECT / "collector").rglob("*.py")
        if path.name != "audit.py" or path.parent.name != "access"
    ]
    written = {event for event in audit.CHANGES if any(f'"{event}"' in text for text in texts)}
    assert written == set(audit.CHANGES)
    assert set().union(*VERBS_AND_LINES.values()) == set(audit.CHANGES)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("simulated") / "data"
    collector("simulate", "--data", str(data), "--days", "2", "--reports", "500")
    return data


def test_commands_and_the_collector_write_what_they_did(simulated: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(simulated, data, symlinks=True)
    today = dt.datetime.now(dt.UTC).date()
    old = data / "quarantine" / f"w0.{today}.1f2e3d4c-000000.ndjson"
    old.write_text(json.dumps(row(today, language="canary-value"), default=str) + "\n")
    with running(data):
        for verb in (
            ("products", "add", "acme-cms", "--title", "Acme", "--source", "vm"),
            ("backup", "--to", str(tmp_path / "backups")),
            ("quarantine", "drop", "--all", "--yes"),
            ("token", "create", "alice"),
        ):
            collector(*verb, "--data", str(data))
    collector("pepper", "make", "2031Q1", "--data", str(data))
    lines = trail(data, "--what", "changes")
    by_collector = [one["event"] for one in lines if one["how"] == "collector"]
    assert by_collector.count("configuration_taken") == 2, "at the start, and with the new product"
    by_user = [one["event"] for one in lines if one["how"] == "command"]
    assert set(by_user) == {
        *("store_migrated", "period_released", "simulated", "product_added", "backup_taken"),
        *("quarantine_dropped", "token_created", "pepper_made"),
    }
    assert {one["role"] for one in lines} == {"owner"}
    assert "canary" not in str(lines)
    assert trail(data, "--what", "backup_taken")[0]["about"].startswith(str(tmp_path / "backups" / "collector-"))
    assert {one["event"] for one in trail(data, "--what", "simulated", "--what", "token_created")} == {
        *("simulated", "token_created"),
    }
    assert trail(data, "--what", "reading") == []
    assert {one["who"] for one in trail(data, "--who", "collector")} == {"collector"}
    assert trail(data, "--since", (today + dt.timedelta(days=1)).isoformat()) == []
    wrong = collector("audit", "--data", str(data), "--what", "backups", check=False)
    assert wrong.returncode == 2
    assert "there is no event backups; there are: reading, changes, viewed" in wrong.stderr


def test_other_protection_is_a_line(simulated: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(simulated, data, symlinks=True)
    collector("publish", "--data", str(data), "--profile", "strict", "--change-protection")
    (line,) = trail(data, "--what", "protection_changed")
    assert line["about"].startswith("from profile standard, menu ")
    assert " to profile strict, menu " in line["about"]


def test_backup_that_would_be_kept_too_long_is_refused(simulated: Path, tmp_path: Path) -> None:
    refused = collector(
        *("backup", "--data", str(simulated), "--to", str(tmp_path / "backups"), "--keep-days", "20"), check=False
    )
    assert refused.returncode == 2
    assert "older than the policy allows; the longest is 19 days" in refused.stderr


def test_configuration_is_a_line_only_when_it_changes(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "access.sqlite")
    for about in ("policy 1", "policy 1", "policy 2", "policy 1"):
        journal.note_if_changed("configuration_taken", about)
    journal.close()
    with open_ledger(tmp_path / "access.sqlite") as ledger:
        assert [line.about for line in audit.lines(ledger, dt.date(2020, 1, 1))] == ["policy 1", "policy 2", "policy 1"]


def test_what_cannot_be_written_down_is_said_and_does_not_undo_what_was_done(tmp_path: Path, capsys) -> None:
    (tmp_path / "access.sqlite").mkdir()
    journal = Journal(tmp_path / "access.sqlite")
    assert not journal.note("key_forgotten", "1 key")
    assert "audit_not_written" in "".join(capsys.readouterr())
    with pytest.raises(ValueError, match="forgotten"):
        journal.note_named("forgotten", "")
    (tmp_path / "data" / "spool").mkdir(parents=True)
    (tmp_path / "data" / "access.sqlite").write_text("")
    (tmp_path / "data" / "access.sqlite").chmod(0o644)
    made = collector("pepper", "make", "--data", str(tmp_path / "data"))
    assert "it is done, but could not be written to the audit trail" in made.stderr
    assert list((tmp_path / "data" / "secrets").iterdir())


def trail(data: Path, *options: str) -> list[dict[str, str]]:
    found = collector("audit", "--data", str(data), "--format", "json", *options).stdout
    lines: list[dict[str, str]] = json.loads(found)["lines"]
    return lines
