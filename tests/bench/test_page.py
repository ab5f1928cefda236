"""The page about speed is what its results say, and nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bench import names
from tests.bench import page as pages
from tests.bench.plot import plot
from tests.bench.results import Results
from tests.bench.row import row
from tests.bench.test_promises import measured, results


@pytest.fixture
def made_up() -> Results:
    return results(
        measured(names.KEEP_ALIVE, names.INGEST, 7_000, names.WORKER, 80),
        measured(names.KEEP_ALIVE, names.BARE, 10_000, names.HANDLER, 40, sender_bound=True),
        validation={"rows": [row("validate one report to its row", [2.0, 3.0, 4.0], "us")]},
    )


def test_it_tells_measurements_parts_and_promises(made_up: Results) -> None:
    text = pages.page(made_up)
    assert "| collector, ingest | 7,000 | 80 | 80 | worker 70 | on disk | answering took 80% of a core" in text
    assert "sender-bound: the rate is a lower bound" in text
    assert "| validate one report to its row | 3 (2 to 4) | us |  |" in text
    assert "| at least 0.75 x | 0.5 x | NO | by CPU per report" in text
    assert "- OpenTelemetry Collector, fsync: npm is missing" in text


def test_a_full_run_makes_the_page_its_picture_and_its_data(
    made_up: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up.write(tmp_path / "results.json")
    monkeypatch.setattr("sys.argv", ["page", str(tmp_path / "results.json")])
    monkeypatch.setattr(pages, "DIRECTORY", tmp_path)
    pages.main()
    assert (tmp_path / pages.PAGE).read_text() == pages.page(made_up)
    assert Results.read(tmp_path / pages.DATA) == made_up
    drawn = "".join(ET.fromstring((tmp_path / pages.PICTURE).read_bytes()).itertext())  # noqa: S314 - drawn here
    assert names.KEEP_ALIVE in drawn
    assert names.INGEST in drawn
    assert names.BARE in drawn


def test_rough_figures_make_no_page(made_up: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Results(made_up.content | {"quick": True}).write(tmp_path / "results.json")
    monkeypatch.setattr("sys.argv", ["page", str(tmp_path / "results.json")])
    monkeypatch.setattr(pages, "DIRECTORY", tmp_path)
    with pytest.raises(SystemExit, match="rough"):
        pages.main()
    assert not (tmp_path / pages.PAGE).exists()


@pytest.mark.parametrize(
    ("file", "made"), [(pages.PAGE, lambda found: pages.page(found).encode()), (pages.PICTURE, plot)]
)
def test_what_is_in_the_repository_is_what_its_results_make(file: str, made: Callable[[Results], bytes]) -> None:
    data = pages.DIRECTORY / pages.DATA
    if not data.exists():
        pytest.skip("no full run was kept: make bench, then python -m tests.bench.page bench-results/full.json")
    assert (pages.DIRECTORY / file).read_bytes() == made(Results.read(data))
