"""A simulated fleet, published, against its own exact counts."""

from __future__ import annotations

import contextlib
import csv
import datetime as dt
import io
import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from collector.configuration import Configuration
from collector.layout import Layout
from collector.publish.menu import load_menu
from collector.publish.release import DIMENSIONS
from collector.publish.released import Released
from collector.simulate.fleet import Fleet
from collector.simulate.traffic import Traffic
from collector.store.engine import open_embedded
from schemas.policy import load_policy
from tests.conftest import BIN, collector
from tests.sample_days import DAY

REPORTS, DAYS, UNTIL = 60_000, 31, "2026-10-31"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("simulated")
    options = ["--days", str(DAYS), "--reports", str(REPORTS), "--seed", "7", "--until", UNTIL]
    result = collector(
        "simulate", "--data", str(directory / "data"), *options, "--truth", str(directory / "truth.json")
    )
    assert f"over {DAYS} days" in result.stdout
    return directory


def test_released_month_cells_lie_within_their_stated_error(simulated: Path) -> None:
    truth = {
        (cell["measure"], cell["breakdown"], *(cell[d] for d in DIMENSIONS if d in cell)): cell["value"]
        for cell in json.loads((simulated / "truth.json").read_text())["cells"]
        if cell["grain"] == "month"
    }
    inside = released = 0
    october = dt.date(2026, 10, 1)
    engine = open_embedded(Layout(simulated / "data").engine)
    for table in load_menu(load_policy()).of("month"):
        for cell in Released(engine).cells(table.measure, table.fields, "month", october, october, None):
            true_value = truth[table.measure, table.breakdown, *cell.values.values()]
            assert true_value >= 10
            released += 1
            inside += abs(cell.value - true_value) <= cell.error
    engine.close()
    assert released > 500
    assert inside / released >= 0.93


def test_usage_in_all_formats_tells_the_same(simulated: Path) -> None:
    options = ["usage", "--data", str(simulated / "data"), "--product", "wordpress", "--by", "product_version"]
    answer = json.loads(collector(*options, "--format", "json").stdout)
    rows = list(csv.DictReader(io.StringIO(collector(*options, "--format", "csv").stdout)))
    assert [(r["product_version"], int(r["value"])) for r in rows] == [
        (c["product_version"], c["value"]) for c in answer["cells"]
    ]
    table = collector(*options).stdout
    for cell in answer["cells"]:
        assert f"{cell['value']:,}" in table
    assert "± 10" in table
    assert "not installations" in table
    assert "MADE-UP DATA" in table
    assert "wordpress: boots by product version" in table
    assert all(line == line.rstrip() for line in table.splitlines())
    plain = collector(*options, PYTHONIOENCODING="ascii").stdout
    assert "+- 10" in plain
    assert plain.isascii()


@pytest.mark.parametrize("columns", [50, 60, 80, 120])
def test_no_number_is_cut_off_in_a_narrow_terminal(simulated: Path, columns: int) -> None:
    """A pseudo-terminal of this width, as a person would see it."""
    options = [
        "usage",
        "--data",
        str(simulated / "data"),
        "--product",
        "wordpress",
        "--by",
        "product_version,instance_type",
    ]
    answer = json.loads(collector(*options, "--format", "json").stdout)
    primary, secondary = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm"}
    process = subprocess.Popen([BIN / "collector", *options], stdout=secondary, env=environment)
    os.close(secondary)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal is gone when the program has ended
        while chunk := os.read(primary, 65536):
            shown += chunk
    os.close(primary)
    assert process.wait() == 0
    for cell in answer["cells"][:10]:
        assert f" {cell['value']:,} ".encode() in shown


def test_mistyped_product_is_pointed_out_beside_the_answer(simulated: Path) -> None:
    result = collector("usage", "--data", str(simulated / "data"), "--product", "wordpres")
    assert "did you mean wordpress?" in result.stderr
    assert "No value is shown" in result.stdout


@pytest.mark.parametrize(("product", "said"), [("[/x]", "[/x]: boots"), ("x" * 9000, "no parameter has more than 200")])
def test_odd_product_names_are_only_names(simulated: Path, product: str, said: str) -> None:
    result = collector("usage", "--data", str(simulated / "data"), "--product", product, check=False)
    assert said in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


def test_time_without_releases_names_the_time_with_them(simulated: Path) -> None:
    options = ["--grain", "day", "--from", "2020-01-01", "--to", "2020-01-02"]
    result = collector("usage", "--data", str(simulated / "data"), *options)
    assert "released are 2026-10-01 to 2026-10-31" in result.stdout


def test_status_adds_up_and_says_that_the_reports_are_made_up(simulated: Path) -> None:
    state = json.loads(collector("status", "--data", str(simulated / "data"), "--format", "json").stdout)
    assert state["accepted"] == state["loaded"] == pytest.approx(REPORTS * 0.97, abs=DAYS)
    assert state["simulated"]
    assert state["last_closed"] == UNTIL


def test_second_fleet_in_the_same_directory_is_refused(simulated: Path) -> None:
    result = collector("simulate", "--data", str(simulated / "data"), check=False)
    assert result.returncode == 2
    assert "already holds reports" in result.stderr


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--until", "2999-01-01"], "--until must be before today"),
        (["--until", "1975-01-02"], "rows so old expire while they are loaded"),
        (["--until", "0001-01-02"], "rows so old expire while they are loaded"),
        (["--truth", "/dev/null/nowhere/truth.json"], "--truth: there is no directory /dev/null/nowhere"),
        (["--days", "0"], "Invalid value for '--days'"),
    ],
)
def test_what_cannot_be_simulated_is_said_before_anything_is_made(
    tmp_path: Path, options: list[str], problem: str
) -> None:
    result = collector("simulate", "--data", str(tmp_path / "data"), *options, check=False)
    assert result.returncode == 2
    assert problem in result.stderr
    assert not (tmp_path / "data").exists()


def test_releases_of_one_directory_keep_their_protection(simulated: Path) -> None:
    result = collector("publish", "--data", str(simulated / "data"), "--profile", "strict", check=False)
    assert result.returncode == 2
    assert "the last release was made with profile standard" in result.stderr
    assert "--change-protection" in result.stderr


def test_no_licence_key_is_anywhere_in_the_directory(simulated: Path) -> None:
    for path in (simulated / "data").rglob("*"):
        if path.is_file():
            assert b"SIMULATED-0" not in path.read_bytes(), path


def test_same_seed_makes_the_same_traffic(configuration: Configuration) -> None:
    def bodies(seed: int) -> list[bytes]:
        fleet = Fleet(configuration.catalogue, DAY, 2, 2000, seed)
        return [sent.body for day in fleet.days for sent in Traffic(fleet, seed).on(day)]

    assert bodies(7) == bodies(7)
    assert len(bodies(7)) == 2000
    assert bodies(7) != bodies(8)


def test_fleet_is_believable(configuration: Configuration) -> None:
    fleet = Fleet(configuration.catalogue, DAY, 28, 100_000, 7)
    assert sum(fleet.reports_on.values()) == 100_000
    weekend = [n for day, n in fleet.reports_on.items() if day.weekday() >= 5]
    assert max(weekend) < min(n for day, n in fleet.reports_on.items() if day.weekday() < 4)
    old, new = (fleet.lines[0].version_mix(day) for day in (fleet.days[0], fleet.days[-1]))
    assert old.choices != new.choices or old.cumulative != new.cumulative
