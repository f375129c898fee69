"""Names of series, and the keys that they are looked up by."""

from __future__ import annotations

from datetime import UTC, datetime

from common.geometry import Direction
from common.messages import AreaFigures, FlowCounts, SectionCounts
from coordinator.traffic.intake_rows import (
    BinOwner,
    BinRows,
    add_series_rows,
    series_keys,
    series_names,
)
from tests.fakes.boxes import box

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
ONES = (1,) * 6

BIN = box().minute(
    NOON,
    sections=(
        SectionCounts(section="Elm", direction=Direction.LEFT, counts=ONES),
        SectionCounts(section="Elm", direction=Direction.RIGHT, counts=None, speeds=((30, 2),)),
    ),
    flows=(FlowCounts(flow="north-south", counts=ONES),),
    areas=(AreaFigures(section="zebra", walks=3),),
)


def test_a_key_finds_what_a_name_stands_for() -> None:
    ids = {name: number for number, name in enumerate(series_names(BIN))}

    assert [ids[key] for key in series_keys(BIN)] == [0, 1, 2, 3]


def test_every_row_of_a_bin_gets_the_number_of_its_series() -> None:
    ids = {key: number for number, key in enumerate(series_keys(BIN), start=10)}
    rows = BinRows()

    add_series_rows(rows, BIN, BinOwner(tenant="town", device="box-1", camera_id=1), ids)

    assert [(row[0], row[6]) for row in rows.counts] == [(10, 1), (11, None), (12, 1)]
    assert [(row[0], row[4], row[6]) for row in rows.speeds] == [(11, 30, 2)]
    assert [(row[0], row[-1]) for row in rows.areas] == [(13, 3)]
