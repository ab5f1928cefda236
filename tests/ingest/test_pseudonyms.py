from __future__ import annotations

import datetime as dt
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from collector.ingest.pseudonyms import PepperError, Peppers, quarter

DAY = dt.date(2026, 9, 14)
KEY = "CANARY-0000-KEY"


def test_same_key_has_the_same_pseudonym_within_a_quarter_and_another_in_the_next(tmp_path: Path) -> None:
    peppers = Peppers(tmp_path)
    first = peppers.pseudonym(KEY, DAY)
    assert peppers.pseudonym(KEY, dt.date(2026, 7, 1)) == first
    assert Peppers(tmp_path).pseudonym(KEY, DAY) == first
    assert peppers.pseudonym(KEY, dt.date(2026, 10, 1)) != first
    assert peppers.pseudonym(KEY + "1", DAY) != first


def test_another_installation_gives_another_pseudonym(tmp_path: Path) -> None:
    assert Peppers(tmp_path / "a").pseudonym(KEY, DAY) != Peppers(tmp_path / "b").pseudonym(KEY, DAY)


def test_pepper_is_random_and_for_its_owner_alone(tmp_path: Path) -> None:
    Peppers(tmp_path).prepare(DAY)
    (pepper,) = tmp_path.iterdir()
    assert pepper.name == "pepper-2026Q3"
    assert stat.S_IMODE(pepper.stat().st_mode) == 0o600
    assert len(set(pepper.read_bytes())) > 8


def test_pepper_that_others_can_read_is_refused_without_its_content(tmp_path: Path) -> None:
    Peppers(tmp_path).prepare(DAY)
    (pepper,) = tmp_path.iterdir()
    pepper.chmod(0o640)
    with pytest.raises(PepperError, match="lets others read it; run: chmod 600") as caught:
        Peppers(tmp_path).prepare(DAY)
    assert pepper.read_bytes().hex() not in str(caught.value)


def test_cut_off_pepper_is_refused(tmp_path: Path) -> None:
    Peppers(tmp_path).prepare(DAY)
    (pepper,) = tmp_path.iterdir()
    pepper.write_bytes(b"short")
    with pytest.raises(PepperError, match="is not 32 bytes long"):
        Peppers(tmp_path).prepare(DAY)


def test_processes_that_start_together_agree_on_one_pepper(tmp_path: Path) -> None:
    program = (
        "import sys, datetime, pathlib; from collector.ingest.pseudonyms import Peppers; "
        "print(Peppers(pathlib.Path(sys.argv[1])).pseudonym('CANARY-0000-KEY', datetime.date(2026, 9, 14)))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    assert len({process.communicate()[0] for process in started}) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["pepper-2026Q3"]


@pytest.mark.parametrize(("month", "name"), [(1, "2026Q1"), (3, "2026Q1"), (4, "2026Q2"), (12, "2026Q4")])
def test_quarter(month: int, name: str) -> None:
    assert quarter(dt.date(2026, month, 1)) == name
