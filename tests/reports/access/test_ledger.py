from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from collector.reports.access import hidden, sessions, tokens
from collector.reports.access.ledger import MIGRATIONS, Ledger, LedgerError, open_ledger
from collector.reports.access.secret import digest
from schemas.problems import ConfigurationError

WRITER = """
import sys, time
from pathlib import Path
from collector.reports.access import tokens
from collector.reports.access.ledger import open_ledger
path, name = Path(sys.argv[1]), sys.argv[2]
while not Path(f"{path}.go").exists():
    time.sleep(0.01)
with open_ledger(path) as ledger:
    for n in range(25):
        tokens.create(ledger, f"{name}{n}", "viewer", 1, n, "tests")
        try:
            tokens.create(ledger, f"shared{n}", "viewer", 1, n, "tests")
        except tokens.TokenError:
            pass
"""


def files(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}*"))


def test_all_files_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with open_ledger(tmp_path / "access.sqlite") as ledger:
            tokens.create(ledger, "alice", "viewer", 1, 0, "tests")
            found = files(tmp_path / "access.sqlite")
            assert [path.name for path in found] == ["access.sqlite", "access.sqlite-shm", "access.sqlite-wal"]
            assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    finally:
        os.umask(before)


def test_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite"
    for mode in (0o640, 0o604, 0o622):
        path.touch()
        path.chmod(mode)
        with pytest.raises(ConfigurationError, match="chmod 600"):
            Ledger(path)
        path.unlink()


def test_file_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite"
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="is not a plain file"):
        Ledger(path)
    assert not (tmp_path / "elsewhere").exists()
    path.unlink()
    path.mkdir()
    with pytest.raises(ConfigurationError, match="is not a plain file"):
        Ledger(path)
    with pytest.raises(ConfigurationError, match="cannot be made"):
        Ledger(tmp_path / "missing" / "access.sqlite")


def test_file_of_a_newer_version_or_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite"
    Ledger(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(ConfigurationError, match="newer version"):
        Ledger(path)
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(LedgerError, match="SQLITE_NOTADB"):
        Ledger(path)


def test_several_processes_make_and_write_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, name], stderr=subprocess.PIPE, text=True)
        for name in ("a", "b", "c")
    ]
    time.sleep(0.5)
    (tmp_path / "access.sqlite.go").touch()
    for writer in writers:
        assert writer.stderr is not None
        with writer.stderr:
            assert (writer.wait(timeout=60), writer.stderr.read()) == (0, "")
    with open_ledger(path) as ledger:
        names = [token.name for token in tokens.every(ledger)]
        assert sorted(names) == sorted(f"{name}{n}" for name in ("a", "b", "c", "shared") for n in range(25))
        assert ledger.rows("SELECT count() FROM audit") == [(100,)]


def test_what_another_process_revokes_is_revoked_here_at_once(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite"
    with open_ledger(path) as ours, open_ledger(path) as theirs:
        _, secret = tokens.create(theirs, "alice", "viewer", 1, 0, "tests")
        assert tokens.check(ours, secret, 0) is not None
        tokens.revoke(theirs, "alice", 0, "tests")
        assert tokens.check(ours, secret, 0) is None


def test_reading_does_not_wait_for_a_change_that_takes_long(ledger: Ledger) -> None:
    _, secret = tokens.create(ledger, "alice", "viewer", 1, 0, "tests")
    with ledger.writing() as writing:
        writing.execute("UPDATE token SET revoked_at = 0")
        assert tokens.check(ledger, secret, 0) is not None
    assert tokens.check(ledger, secret, 0) is None


def test_change_that_fails_is_undone_and_its_error_holds_no_value(ledger: Ledger) -> None:
    with contextlib.suppress(ZeroDivisionError), ledger.writing() as writing:
        writing.execute("INSERT INTO hidden VALUES (1, 'a', 'b', 'c', 'd', 'e', 'f')")
        raise ZeroDivisionError
    with pytest.raises(LedgerError) as caught, ledger.writing() as writing:
        writing.execute("INSERT INTO token VALUES (1, 'canary', 'root', x'00', 0, 0, NULL, NULL)")
    assert str(caught.value) == "SQLITE_CONSTRAINT_CHECK"
    assert caught.value.__cause__ is None
    assert ledger.rows("SELECT * FROM hidden") == ledger.rows("SELECT * FROM token") == []
    with pytest.raises(LedgerError, match="READONLY"):
        ledger.rows("DELETE FROM token")


def test_no_token_or_cookie_is_in_the_files(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite"
    with open_ledger(path) as ledger:
        token, secret = tokens.create(ledger, "alice", "viewer", 9, 0, "tests")
        cookie = sessions.begin(ledger, token, None, 0)
        assert sessions.check(ledger, cookie, 0) is not None
        content = b"".join(found.read_bytes() for found in files(path))
        assert b"alice" in content
        assert digest(secret) in content
        assert digest(cookie) in content
        for given in (secret, secret.removeprefix("ptel_"), cookie):
            assert given.encode() not in content
            assert given.encode()[:24] not in content
        for raw in (bytes.fromhex(secret.removeprefix("ptel_")), bytes.fromhex(cookie)):
            assert raw not in content


def test_value_that_is_shown_again_is_gone_from_the_files(tmp_path: Path) -> None:
    path = tmp_path / "access.sqlite"
    value = "6.4-canary-of-jane"
    with open_ledger(path) as ledger:
        hidden.hide(ledger, "wordpress", "product_version", value, by="tests", reason="", now=0)
        assert any(value.encode() in found.read_bytes() for found in files(path))
        hidden.unhide(ledger, "wordpress", "product_version", value, by="tests", now=0)
        assert not any(value.encode() in found.read_bytes() for found in files(path))
        assert ledger.rows("SELECT count() FROM audit") == [(2,)]
