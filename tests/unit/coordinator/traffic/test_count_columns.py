from __future__ import annotations

import pytest

from common.road_users import RoadUser
from coordinator.traffic.count_columns import CountColumns, add_columns
from coordinator.traffic.coverage import State, Watched

pytestmark = pytest.mark.unit

# In the order of ROAD_USERS: person, bicycle, car, motorcycle, bus, truck.
BUSY = (5, 1, 30, 0, 1, 2)
EMPTY = (0, 0, 0, 0, 0, 0)
THROUGHOUT = Watched(wanted_s=900, watched_s=900, good_s=900, reported_bins=15)
BLIND = Watched(wanted_s=900, reported_bins=15)
SILENT = Watched(wanted_s=900)


def columns(
    *cells: tuple[int, ...] | None, withheld: tuple[int, ...] | None = None
) -> CountColumns:
    return CountColumns(
        cells=cells, bins=[15] * len(cells), withheld_bins=withheld or (0,) * len(cells)
    )


def test_zero_withheld_unwatched_and_unreported_are_told_apart() -> None:
    found = columns(EMPTY, None, None, None, withheld=(0, 15, 0, 0))

    states = found.states([THROUGHOUT, THROUGHOUT, BLIND, SILENT])

    assert states == [State.MEASURED, State.WITHHELD, State.NOT_WATCHED, State.NOT_REPORTED]
    assert found.of(RoadUser.CAR) == [0, None, None, None]
    assert found.withheld_shares == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("road_users", "total"),
    [
        pytest.param(tuple(RoadUser), [39, None], id="all"),
        pytest.param((RoadUser.CAR, RoadUser.TRUCK), [32, None], id="two classes"),
        pytest.param((RoadUser.PERSON,), [5, None], id="people"),
    ],
)
def test_totals_are_of_the_asked_classes(
    road_users: tuple[RoadUser, ...], total: list[int | None]
) -> None:
    assert columns(BUSY, None).total(road_users) == total


def test_a_sum_of_series_is_open_where_one_of_them_is() -> None:
    both = add_columns([columns(BUSY, BUSY), columns(BUSY, None, withheld=(0, 3))])

    assert both.total(tuple(RoadUser)) == [78, None]
    assert both.withheld_shares == [0.0, 0.1]
