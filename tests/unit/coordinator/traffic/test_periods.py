"""Bins of a range, and local days on the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from common.errors import ConfigError
from coordinator.traffic.periods import (
    Period,
    Width,
    bin_starts,
    local_day,
    whole_bins,
    zone_of,
)

pytestmark = pytest.mark.unit

VIENNA = ZoneInfo("Europe/Vienna")


@pytest.mark.parametrize(
    ("day", "hours"),
    [
        pytest.param(date(2026, 3, 28), 24, id="ordinary"),
        pytest.param(date(2026, 3, 29), 23, id="clocks go forward"),
        pytest.param(date(2026, 10, 25), 25, id="clocks go back"),
    ],
)
def test_a_local_day_is_as_long_as_its_clock_says(day: date, hours: int) -> None:
    period = local_day(day, VIENNA)

    assert period.seconds == hours * 3600
    assert len(bin_starts(period, Width.QUARTER_HOUR, VIENNA)) == 4 * hours
    assert bin_starts(period, Width.DAY, VIENNA) == [period.start]


def test_days_of_a_range_begin_at_local_midnight() -> None:
    starts = bin_starts(
        Period(datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC)),
        Width.DAY,
        VIENNA,
    )

    assert [start.isoformat() for start in starts] == [
        "2026-03-27T23:00:00+00:00",
        "2026-03-28T23:00:00+00:00",
        "2026-03-29T22:00:00+00:00",
    ]


def test_a_range_is_widened_to_whole_bins() -> None:
    period = whole_bins(
        Period(datetime(2026, 3, 2, 8, 7, tzinfo=UTC), datetime(2026, 3, 2, 8, 31, tzinfo=UTC)),
        Width.QUARTER_HOUR,
        VIENNA,
    )

    assert period.start == datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
    assert period.end == datetime(2026, 3, 2, 8, 45, tzinfo=UTC)


def test_an_empty_range_has_no_bins() -> None:
    now = datetime(2026, 3, 2, tzinfo=UTC)

    assert bin_starts(Period(now, now), Width.HOUR, VIENNA) == []


def test_a_midnight_that_does_not_exist_is_the_moment_of_the_change() -> None:
    period = local_day(date(2026, 9, 6), ZoneInfo("America/Santiago"))

    assert period.seconds == timedelta(hours=23).total_seconds()


@pytest.mark.parametrize("name", ["Europe/Atlantis", "../etc/passwd", ""])
def test_an_unknown_zone_is_a_fault_of_the_configuration(name: str) -> None:
    with pytest.raises(ConfigError, match="time zone"):
        zone_of(name)


def test_naive_moments_are_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        Period(datetime(2026, 3, 2), datetime(2026, 3, 3))  # noqa: DTZ001
