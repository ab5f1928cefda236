from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.capacity import model
from collector.capacity.costs import Costs, read_file
from collector.capacity.fleet import Box, Fleet, Way
from collector.capacity.model import Needs, closing_seconds, memory_of_a_box, most_reports, needs
from collector.capacity.words import verdict
from collector.publish import closing
from collector.settings import Settings

# Round figures, so that every sum can be made by hand.
ROUND = Costs(
    **dict.fromkeys(Costs.model_fields, 1.0)
    | {
        "worker_tls_us": 1000,
        "worker_new_us": 200,
        "worker_keepalive_us": 100,
        "worker_batch_us": 10,
        "store_load_us": 10,
        "closing_day_us": 10,
        "closing_growth_us": 5,
        "closing_month_us": 1,
        "worker_mib": 86,
        "supervisor_mib": 50,
        "store_idle_mib": 400,
        "closing_mib": 100,
        "closing_mib_per_million": 10,
        "wire_tls_bytes": 5000,
        "spool_bytes": 200,
        "received_bytes": 30,
        "counted_bytes": 20,
        "cell_bytes": 6,
        "backup_report_bytes": 50,
        "backup_cell_bytes": 10,
        "cells_per_product_day": 10,
    }
)
DAY = 864_000  # ten a second
SHIPPED = read_file().figures()


def fleet(reports_per_day: float = DAY, **changed: object) -> Fleet:
    asked = {"products": 100, "retention_days": 40, "peak_factor": 2, "shares": {Way.TLS: 1.0}}
    return Fleet(reports_per_day, **asked | changed)


def test_one_box_by_hand() -> None:
    found = needs(fleet(), Box(2, 0.5), ROUND)
    assert (found.mean_per_second, found.peak_per_second) == (10, 20)
    assert found.worker_cores == pytest.approx(0.02)
    assert found.loading_cores == pytest.approx(0.0002)
    assert (found.boxes, found.workers, found.shards, found.ingest_boxes) == (1, 1, 0, 1)
    assert found.busiest == pytest.approx(0.0101)
    # 10 us for each report, and 5 more for each million of the day.
    assert found.closing_seconds == pytest.approx(0.864 * (10 + 0.864 * 5))
    assert found.month_end_seconds == pytest.approx(found.closing_seconds + 0.864 * 31)
    assert found.is_out_in_time
    assert found.ingest_mib == 50 + 86 + 64
    assert found.store_mib == pytest.approx(400 + 100 + 8.64)
    # 2 * (300 + 200 + 508.64) MiB are a little less than 2 GiB.
    assert found.memory_gib == 2
    assert found.peak_megabits == pytest.approx(20 * 5000 * 8 / 1e6)
    assert found.cells_a_year == 100 * 365 * 10
    assert verdict(Box(2, 0.5), found) == "One box of 2 cores and 2 GB carries this, 1 % busy at the peak."


def test_disk_by_hand() -> None:
    found = needs(fleet(1_000_000), Box(2, 0.5), ROUND)
    first, steady, year = found.first_day, found.steady, found.year
    assert first.spool == steady.spool == year.spool == 200e6
    assert first.private == 1e6 * (30 + 20) * 1.5
    assert steady.private == year.private == 1e6 * (2 * 30 + 40 * 20) * 1.5
    assert year.public == 100 * 365 * 10 * 6 * 1.5
    assert steady.backups == 8 * (40e6 * 50 + 100 * 40 * 10 * 10)
    assert first.backups == 1 * (1e6 * 50 + 100 * 10 * 10)
    assert steady.total == pytest.approx((steady.spool + steady.private + steady.public + steady.backups) / 0.95)


def test_several_boxes_by_hand() -> None:
    # 2,000 a second at the peak: 2 cores of workers, of which a box gives one, and 0.02 cores of loading.
    found = needs(fleet(100 * DAY), Box(2, 0.5), ROUND.model_copy(update={"closing_growth_us": 0}))
    assert (found.ingest_boxes, found.shards, found.boxes) == (3, 1, 5)
    assert found.workers == 4
    assert found.busiest == pytest.approx(0.5)
    told = verdict(Box(2, 0.5), found)
    assert told.startswith("5 boxes of 2 cores and ")
    assert "3 take reports (one of them may be away), 1 ClickHouse server, 1 publishes" in told
    assert told.endswith("the busiest is 50 % busy at the peak.")


def test_shards_divide_what_grows_with_the_square() -> None:
    box = Box(4, 0.5)
    one, two, four = (closing_seconds(100_000_000, shards, box, ROUND) for shards in (1, 2, 4))
    counting = 100 * 10 / 2
    assert one - counting == pytest.approx(2 * (two - counting))
    assert one - counting == pytest.approx(4 * (four - counting))


def test_closing_that_no_number_of_servers_makes_short_is_said() -> None:
    found = needs(fleet(10**10), Box(2, 0.5), ROUND)
    assert not found.is_out_in_time
    assert "take servers with more cores" in verdict(Box(2, 0.5), found)


def test_mix_of_ways_is_their_mean() -> None:
    shares = {Way.TLS: 0.5, Way.NEW: 0.25, Way.KEEPALIVE: 0.25, Way.BATCH: 0.0}
    assert needs(fleet(shares=shares), Box(2, 0.5), ROUND).worker_us == 500 + 50 + 25


def test_memory_of_a_box_is_the_next_usual_size() -> None:
    assert [memory_of_a_box(mib) for mib in (0, 212, 213, 724, 725)] == [1, 1, 2, 2, 4]


def in_all(found: Needs) -> dict[str, float]:
    """What never gets less when there is more to do."""
    told = {name: getattr(found, name) for name in ("peak_per_second", "worker_cores", "workers", "loading_cores")}
    told |= {name: getattr(found, name) for name in ("boxes", "ingest_boxes", "shards", "cells_a_year")}
    told |= {name: getattr(found, name) for name in ("peak_megabits", "network_bytes_a_day")}
    for disk in ("first_day", "steady", "year"):
        told |= {f"{disk} {name}": value for name, value in dataclasses.asdict(getattr(found, disk)).items()}
    return told


FLEETS = st.builds(
    Fleet,
    reports_per_day=st.floats(1, 1e11),
    products=st.integers(1, 10_000),
    retention_days=st.integers(1, 60),
    peak_factor=st.floats(1, 100),
    shares=st.floats(0, 1).map(lambda share: {Way.TLS: share, Way.KEEPALIVE: 1 - share}),
)
BOXES = st.builds(Box, cores=st.integers(1, 128), target_utilisation=st.floats(0.05, 1))


@pytest.mark.parametrize("costs", [SHIPPED, ROUND], ids=["shipped", "round"])
@given(asked=FLEETS, box=BOXES, more=st.floats(1, 100))
def test_more_to_do_never_needs_less(costs: Costs, asked: Fleet, box: Box, more: float) -> None:
    larger = (
        dataclasses.replace(asked, reports_per_day=asked.reports_per_day * more),
        dataclasses.replace(asked, products=int(asked.products * more)),
        dataclasses.replace(asked, retention_days=int(asked.retention_days * more)),
        dataclasses.replace(asked, peak_factor=asked.peak_factor * more),
        dataclasses.replace(asked, shares={Way.TLS: 1.0}),
    )
    least = in_all(needs(asked, box, costs))
    for fleet in larger:
        for name, value in in_all(needs(fleet, box, costs)).items():
            assert value >= least[name] * (1 - 1e-9), name


@given(asked=FLEETS, box=BOXES, more=st.integers(1, 16))
def test_larger_boxes_are_never_more(asked: Fleet, box: Box, more: int) -> None:
    larger = Box(box.cores * more, box.target_utilisation)
    few, many = needs(asked, larger, SHIPPED), needs(asked, box, SHIPPED)
    assert few.boxes <= many.boxes


@given(asked=FLEETS, box=BOXES)
def test_plan_keeps_what_it_promises(asked: Fleet, box: Box) -> None:
    found = needs(asked, box, SHIPPED)
    assert found.busiest <= box.target_utilisation * (1 + 1e-9)
    assert found.workers * box.target_utilisation >= found.worker_cores * (1 - 1e-9)
    counting = asked.reports_per_day * SHIPPED.closing_day_us / 1e6 / box.usable_cores
    if 2 * counting <= model.CLOSING_SECONDS * 0.9:
        assert found.is_out_in_time


@given(reports=st.floats(1, 1e11), more=st.floats(1, 10))
def test_closing_grows_with_the_day(reports: float, more: float) -> None:
    box = Box(2, 0.5)
    assert closing_seconds(reports, 1, box, SHIPPED) <= closing_seconds(reports * more, 1, box, SHIPPED)


@given(asked=FLEETS, box=BOXES, boxes=st.sampled_from([1, 4, 10, 30]))
def test_most_reports_are_carried_and_one_step_more_are_not(asked: Fleet, box: Box, boxes: int) -> None:
    most = most_reports(asked, box, boxes, SHIPPED)
    assert needs(dataclasses.replace(asked, reports_per_day=most), box, SHIPPED).boxes <= boxes
    assert needs(dataclasses.replace(asked, reports_per_day=most * 1.011), box, SHIPPED).boxes > boxes


def test_rules_are_those_of_the_program() -> None:
    shipped = Settings()
    assert shipped.reserve_percent == 100 * model.DISK_RESERVE
    assert shipped.max_in_flight_bytes == model.IN_FLIGHT_MIB * 2**20
    assert closing._HASHES_AT_ONCE == model.REPORTS_A_PASS
    assert (120 - shipped.publish_after_minutes) * 60 == model.CLOSING_SECONDS
