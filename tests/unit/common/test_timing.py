from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.timing import SystemClock, bin_start

pytestmark = pytest.mark.unit

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("at", "width", "start"),
    [
        pytest.param(
            datetime(2026, 5, 4, 8, 30, 59, 999999, UTC),
            MINUTE,
            datetime(2026, 5, 4, 8, 30, tzinfo=UTC),
            id="end of a minute",
        ),
        pytest.param(
            datetime(2026, 5, 4, 8, 30, tzinfo=UTC),
            MINUTE,
            datetime(2026, 5, 4, 8, 30, tzinfo=UTC),
            id="start of a minute belongs to it",
        ),
        pytest.param(
            datetime(2026, 5, 4, 8, 44, tzinfo=UTC),
            timedelta(minutes=15),
            datetime(2026, 5, 4, 8, 30, tzinfo=UTC),
            id="quarter of an hour",
        ),
        pytest.param(
            datetime(1969, 12, 31, 23, 59, 30, tzinfo=UTC),
            MINUTE,
            datetime(1969, 12, 31, 23, 59, tzinfo=UTC),
            id="before the epoch",
        ),
        pytest.param(
            datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=0),
            HOUR,
            datetime(2026, 10, 25, 0, tzinfo=UTC),
            id="half past two in summer time",
        ),
        pytest.param(
            datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
            HOUR,
            datetime(2026, 10, 25, 1, tzinfo=UTC),
            id="half past two again in winter time",
        ),
    ],
)
def test_a_bin_starts_on_the_utc_grid(at: datetime, width: timedelta, start: datetime) -> None:
    found = bin_start(at, width)

    assert found == start
    assert found.tzinfo is UTC


@given(
    at=st.datetimes(
        min_value=datetime(1960, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
        max_value=datetime(2100, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    width_s=st.integers(1, 86_400),
)
def test_a_bin_holds_its_moment_and_starts_itself(at: datetime, width_s: int) -> None:
    width = timedelta(seconds=width_s)

    start = bin_start(at, width)

    assert start <= at < start + width
    assert bin_start(start, width) == start


@pytest.mark.parametrize(
    ("at", "width", "message"),
    [
        pytest.param(datetime(2026, 5, 4), MINUTE, "naive datetime", id="naive"),  # noqa: DTZ001
        pytest.param(datetime(2026, 5, 4, tzinfo=UTC), timedelta(0), "bin width", id="no width"),
        pytest.param(datetime(2026, 5, 4, tzinfo=UTC), -MINUTE, "bin width", id="negative width"),
    ],
)
def test_a_wrong_argument_is_refused(at: datetime, width: timedelta, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bin_start(at, width)


def test_the_system_clock_is_aware_and_steady() -> None:
    clock = SystemClock()

    first, second = clock.monotonic_s(), clock.monotonic_s()

    assert clock.now().utcoffset() == timedelta(0)
    assert second >= first
