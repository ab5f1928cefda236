from __future__ import annotations

import json
import subprocess
import sys

import pytest

from collector.capacity.costs import read_file
from collector.capacity.page import EXAMPLES, PAGE, Example
from tests.conftest import PROJECT, collector

ASKED = ("--reports-per-day", "50M", "--products", "200", "--retention", "40d")


def test_answer_begins_with_a_verdict_and_says_how_each_number_follows() -> None:
    text = collector("capacity", *ASKED).stdout
    assert "busy at the peak." in " ".join(text.split())
    for said in ("50 million a day / 86,400", "200 products", "for 40 days", "Measured on", "closing at night"):
        assert said in text, said


def test_small_fleet_is_one_box() -> None:
    text = collector("capacity", "--reports-per-day", "100k").stdout
    assert text.startswith("One box of 2 cores and ")


def test_json_is_the_same_for_programs() -> None:
    told = json.loads(collector("capacity", *ASKED, "--format", "json").stdout)
    assert told["asked"]["reports_per_day"] == 50_000_000
    assert told["asked"]["shares"] == {"new-tls": 1.0}
    assert told["needs"]["boxes"] >= 1
    assert told["needs"]["steady"]["private"] > told["needs"]["first_day"]["private"]
    assert told["measured"]["costs"]["worker_tls_us"]["source"]
    assert told["verdict"] in " ".join(collector("capacity", *ASKED).stdout.split())


def test_retention_and_products_follow_from_policy_settings_and_catalogue() -> None:
    told = json.loads(collector("capacity", "--reports-per-day", "1M", "--format", "json").stdout)["asked"]
    assert told["retention_days"] == 31 + 10
    assert told["products"] > 40
    shorter = ("capacity", "--reports-per-day", "1M", "--keep-after-release-days", "5", "--format", "json")
    assert json.loads(collector(*shorter).stdout)["asked"]["retention_days"] == 31 + 5


@pytest.mark.parametrize(
    ("option", "value", "teaches"),
    [
        ("--reports-per-day", "kanari", "write a number such as 50M, 2k, 1_000_000 or 5e6"),
        ("--retention", "99d", "must be from 1d to 60d: the policy permits that a report is kept for 60 days"),
        ("--share-batch", "kanari", "write a share from 0 to 1, as 0.3 or 30%"),
    ],
)
def test_bad_value_is_one_line_that_names_the_option_and_not_the_value(option: str, value: str, teaches: str) -> None:
    result = collector("capacity", "--reports-per-day", "1M", option, value, check=False)
    assert result.returncode == 2
    assert result.stderr == f"collector: {option}: {teaches}\n"
    assert result.stdout == ""


def test_answer_needs_no_engine() -> None:
    program = (
        "import sys; sys.argv = ['collector', 'capacity', '--reports-per-day', '1M']\n"
        "from collector.__main__ import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "sys.exit(bool({'chdb', 'aiohttp', 'clickhouse_connect'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_command_on_the_page_answers_what_the_page_says(example: Example) -> None:
    command = example.command(read_file().figures())
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    told = json.loads(collector(*command.split()[1:], "--format", "json").stdout)
    assert command in page
    assert told["verdict"] in page


def test_pages_for_operators_lead_to_it() -> None:
    for page in ("README.md", "deploy/OPERATING.md", "deploy/CLUSTER.md"):
        assert "CAPACITY.md" in (PROJECT / page).read_text(encoding="utf-8"), page
