from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from common.messages import LostBins
from edge.deliver.losses_told import untold
from edge.keeping.stored import Loss

pytestmark = pytest.mark.unit

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
TEN = NINE + timedelta(hours=1)


def old(bins: int, last_at: datetime) -> Loss:
    return Loss(camera_id="north", reason="too_old", bins=bins, first_at=NINE, last_at=last_at)


def lost(bins: int, first_at: datetime, last_at: datetime) -> LostBins:
    return LostBins(camera="north", reason="too_old", bins=bins, first_at=first_at, last_at=last_at)


def test_a_sum_is_told_once_and_then_only_what_came_on_top() -> None:
    first, told = untold([old(5, NINE)], "")
    again, told = untold([old(5, NINE)], told)
    more, _ = untold([old(7, TEN)], told)

    assert (first, again, more) == ([lost(5, NINE, NINE)], [], [lost(2, NINE, TEN)])


def test_a_smaller_sum_is_that_of_another_file_and_told_as_a_whole() -> None:
    _, told = untold([old(5, NINE)], "")

    assert untold([old(2, TEN)], told)[0] == [lost(2, NINE, TEN)]


def test_a_damaged_file_is_told_once_with_a_number_that_nobody_knows() -> None:
    damage = Loss(camera_id="", reason="file_damaged", bins=None, detail="moved to x")

    first, told = untold([damage], "")

    assert first == [LostBins(camera=None, reason="file_damaged", bins=None)]
    assert untold([damage], told)[0] == []
