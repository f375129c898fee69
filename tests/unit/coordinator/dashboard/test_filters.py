"""How values are told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from coordinator.dashboard.filters import (
    FILTERS,
    ago,
    clock_time,
    day_time,
    duration,
    iso,
    long_day,
    number,
    percent,
    signed_percent,
    size,
    words,
)

pytestmark = pytest.mark.unit
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "name", ["number", "percent", "signed_percent", "size", "clock_time", "duration"]
)
def test_what_is_not_known_is_a_dash_and_never_a_zero(name: str) -> None:
    assert FILTERS[name](None) == "–"
    if name in ("number", "percent", "duration"):
        assert FILTERS[name](0).startswith("0")


@pytest.mark.parametrize(
    ("count", "told"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (724_000, "707.0 KiB"),
     (1_468_006, "1.4 MiB")],
)  # fmt: skip
def test_bytes_are_told_in_a_unit_that_leaves_something_to_read(count: int, told: str) -> None:
    assert size(count) == told


def test_abbreviations_stay_in_capitals() -> None:
    assert words("ml_engineer") == "ML engineer"
    assert words("") == ""


def test_thousands_are_told_apart() -> None:
    assert number(1234567) == "1\u202f234\u202f567"
    assert number(0.877, 2) == "0.88"


@pytest.mark.parametrize(
    ("share", "told"),
    [
        pytest.param(1.0, "100", id="whole"),
        pytest.param(0.9996, "99", id="not quite whole is not called whole"),
        pytest.param(0.004, "0", id="hardly any"),
    ],
)
def test_only_a_whole_share_is_a_hundred_per_cent(share: float, told: str) -> None:
    assert percent(share) == f"{told}\u202f%"


def test_changes_carry_their_sign() -> None:
    told = [signed_percent(share) for share in (0.124, -0.25, 0.001)]

    assert told == ["+12\u202f%", "−25\u202f%", "±0\u202f%"]


def test_times_are_those_of_the_site() -> None:
    assert clock_time(NOON, "Europe/Vienna") == "13:00"
    assert day_time(NOON, "Asia/Tokyo") == "2 Mar 2026, 21:00"
    assert iso(NOON) == "2026-03-02T12:00:00Z"
    assert long_day(date(2026, 3, 2)) == "Monday, 2 Mar 2026"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(40, "40 s"), (300, "5 min"), (7500, "2 h 05 min"), (180_000, "2 d 2 h")],
)
def test_a_duration_has_two_units_at_most(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_how_long_ago_is_told_from_now() -> None:
    assert ago(None, NOON) == "never"
    assert ago(NOON - timedelta(minutes=3), NOON) == "3 min ago"
    assert ago(NOON + timedelta(hours=2), NOON) == "in 2 h 00 min"
    assert ago(NOON - timedelta(seconds=5), NOON) == "just now"


def test_identifiers_become_words() -> None:
    assert words("stopped_vehicle") == "Stopped vehicle"
