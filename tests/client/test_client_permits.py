"""The published permits bind the client: example bodies pass or fail here as they do at the collector."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import telemetry_client
from telemetry_client.permits import load_permits

PROJECT = Path(__file__).parents[2]
EXAMPLES = PROJECT / "schemas" / "examples"
PERMITS = load_permits()
# What only the collector can know, or what happens before there is a body, is not judged here.
JUDGED = {
    "invalid_format",
    "unknown_field",
    "field_not_permitted",
    "missing_field",
    "wrong_type",
    "product_not_permitted",
}


def _report_id(path: Path) -> str:
    name, _, version = path.parent.name.rpartition("-")
    return f"{name}/{version}"


PASSING = sorted(EXAMPLES.glob("*/*.pass.json"))


def _is_judged_here(example: dict[str, Any]) -> bool:
    body = example.get("body")
    if not isinstance(body, dict) or example["outcome"] not in JUDGED:
        return False
    # Which source a product runs on is in the catalogue; that InstallBuilder is apart is known here.
    return example["outcome"] != "product_not_permitted" or body.get("product") == "installbuilder"


FAILING = [
    path
    for path in sorted(EXAMPLES.glob("*/*.fail.json"))
    if _is_judged_here(json.loads(path.read_text(encoding="utf-8")))
]


@pytest.mark.skipif(not PASSING, reason="schemas/examples is empty")
@pytest.mark.parametrize("path", PASSING, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_passing_examples_may_be_sent(path: Path) -> None:
    assert PERMITS.problem_with(_report_id(path), json.loads(path.read_text(encoding="utf-8"))) is None


@pytest.mark.skipif(not FAILING, reason="schemas/examples is empty")
@pytest.mark.parametrize("path", FAILING, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_failing_examples_may_not_be_sent(path: Path) -> None:
    example = json.loads(path.read_text(encoding="utf-8"))
    problem = PERMITS.problem_with(_report_id(path), example["body"])
    assert problem is not None
    assert (problem.outcome, problem.field) == (example["outcome"], example["field"])


def test_an_unknown_report_may_not_be_sent() -> None:
    problem = PERMITS.problem_with("image-boot/99", {})
    assert problem is not None
    assert problem.outcome == "unknown_schema"


def test_a_trailing_newline_is_not_part_of_any_format() -> None:
    assert not PERMITS.reports["image-boot/1"].fields["product"].admits("wordpress\n")


def test_the_embedded_permits_are_the_published_ones() -> None:
    published = (PROJECT / "schemas/published/permits.json").read_text(encoding="utf-8")
    embedded = (Path(telemetry_client.__file__).parent / "permits.json").read_text(encoding="utf-8")
    assert json.loads(embedded) == json.loads(published)


def test_the_package_works_from_a_zip(tmp_path: Path) -> None:
    package = Path(telemetry_client.__file__).parent
    archive = tmp_path / "client.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for file in package.iterdir():
            if file.is_file():
                zipped.write(file, f"telemetry_client/{file.name}")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "telemetry_client",
            "show",
            "--product",
            "wordpress",
            "--product-version",
            "6.4.2-0",
        ],
        env={"PYTHONPATH": str(archive), "TELEMETRY_STATE_DIR": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "6.4.2-0" in done.stdout
