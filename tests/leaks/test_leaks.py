"""Nothing that a client sent, no licence key and no secret is where it does not belong, whatever happens."""

from __future__ import annotations

import re
import shutil
from importlib.metadata import version

import pytest
from prometheus_client.parser import text_string_to_metric_families

from collector import metrics
from collector.ingest.values import FIELDS
from collector.publish.periods import GRAINS
from schemas.catalogue import load_catalogue
from schemas.outcomes import Outcome
from schemas.policy import load_policy
from schemas.reports import REPORTS
from tests.leaks import a_day, planted
from tests.leaks.a_day import Day

pytestmark = pytest.mark.timeout(300)  # of the day; alone it takes half a minute, beside other suites longer
# Where an accepted value lies until its month is released.
TIMES = ("while rows wait", "while serving", "at the end")
STORED = ("table: private.", "while rows wait: data/spool/", *(f"{time}: data/engine/" for time in TIMES))
LABELS = {
    "report": {*REPORTS, "none"},
    "outcome": {outcome.value for outcome in Outcome},
    "field": set(FIELDS),
    "reason": {"too_many", "unread"},
    "result": {"done", "refused", "failed"},
    "place": {"spool", "quarantine", "late", "uncounted"},
    "grain": set(GRAINS),
    "version": {version("product-telemetry")},  # the program's own
}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    directory = tmp_path_factory.mktemp("leaks")
    day = a_day.live(directory)
    shutil.rmtree(directory)
    return day


def test_the_day_was_as_eventful_as_it_should_be(day: Day) -> None:
    sent = [
        *planted.accepted(),
        planted.a_flood(),
        planted.over_the_budget(),
        planted.withdrawn(),
        *planted.everything(),
    ]
    wrong = {
        one.place: day.answers[one.place] for one in sent if one.outcome and day.answers[one.place] != one.outcome.value
    }
    assert wrong == {}
    assert {"process_ended", "segment_quarantined", "reloaded", "day_closed", "library"} <= day.events
    counted = r'^telemetry_values_replaced_total{field="product_version"} ([0-9.]+)$'
    replaced = re.search(counted, day.exposition, re.MULTILINE)
    # The flood's own values are among them where its guard looks in the middle of it.
    assert replaced
    assert float(replaced[1]) >= 1
    assert 'telemetry_releases_total{grain="month"} 1.0' in day.exposition
    assert all(answer.startswith(b"HTTP/1.1 ") for answer in day.loopback.values())
    assert all(day.loopback[f"reports {path}"].startswith(b"HTTP/1.1 200 ") for path in ("/v1/usage?", "/v1/releases"))
    licences = day.loopback["reports /v1/usage?product=installbuilder&by=product_version"]
    assert b"25.7.0" in licences, "the month was released, licences included"


def test_the_search_finds_what_is_there(day: Day) -> None:
    found = day.evidence.found
    assert {"table: private.counted", "table: private.reports"} <= set(day.evidence.seen)
    assert "table: private.counted" in found["pseudonym"]
    assert "table: private.counted" in found["rare value"]
    assert any(place.startswith("while rows wait: data/spool/") for place in found["pseudonym"])
    assert any(place.startswith("while rows wait: data/spool/") for place in found["rare value"])
    assert any(place.startswith("at the end: data/quarantine/") for place in found["set aside"])
    assert {"planted: data/engine/store/planted", "planted: tmp/planted"} <= day.control


def test_licence_key_is_nowhere(day: Day) -> None:
    assert day.evidence.outside("licence key") == {}


def test_nothing_of_a_body_a_head_or_a_path_is_anywhere(day: Day) -> None:
    assert day.evidence.outside("marker") == {}


def test_client_address_is_nowhere(day: Day) -> None:
    assert day.evidence.outside("address") == {}


def test_pepper_is_in_its_own_file_alone(day: Day) -> None:
    peppers = [name for name in day.evidence.found if name.startswith("pepper-")]
    assert peppers
    for name in peppers:
        own = {f"{when}: data/secrets/{name}" for when in TIMES}
        assert set(day.evidence.found[name]) == own


def test_what_a_reader_asked_is_in_the_audit_alone(day: Day) -> None:
    assert day.evidence.outside("question", *(f"{time}: data/access.sqlite" for time in TIMES)) == {}


def test_token_of_a_reader_is_nowhere(day: Day) -> None:
    assert day.evidence.outside("token") == {}


def test_pseudonyms_and_rare_values_stay_in_the_private_room(day: Day) -> None:
    assert day.evidence.outside("pseudonym", *STORED) == {}
    assert day.evidence.outside("rare value", *STORED) == {}


def test_what_the_store_could_not_read_stays_in_quarantine(day: Day) -> None:
    where = [f"{when}: data/{room}/" for when in TIMES for room in ("quarantine", "spool/w9")]
    assert day.evidence.outside("set aside", *where) == {}


def test_process_that_crashes_leaves_no_memory_behind(day: Day) -> None:
    """Where the system lets processes dump core: pepper and keys would be in it."""
    assert day.cores == []


def test_labels_of_metrics_come_from_closed_lists(day: Day) -> None:
    declared = {label for name in vars(metrics) for label in getattr(getattr(metrics, name), "_labelnames", ())}
    assert declared == set(LABELS), "a label needs its closed list here"
    catalogue = load_catalogue(load_policy()).products
    for family in text_string_to_metric_families(day.exposition):
        for sample in family.samples:
            for label, value in sample.labels.items():
                if label == "le":
                    float(value)
                else:
                    assert value in LABELS[label], (sample.name, label, value)
                assert value not in catalogue
    assert not {value for values in LABELS.values() for value in values} & set(catalogue)
