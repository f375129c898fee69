"""One-minute bins: nothing seen is 0, nothing watched is None, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.geometry import Direction, Point
from common.road_users import ROAD_USERS, RoadUser
from edge.measure.bins import MinuteBin, Quality, added
from edge.measure.events import Crossing, Speed
from edge.measure.filling import FillBins, FrameAccount
from edge.measure.headway import Spacing
from edge.measure.tally import Layout

pytestmark = pytest.mark.unit

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LAYOUT = Layout(camera_id="cam", lines=("north", "south"), flows=("N-S",))
NOTHING = (0,) * len(ROAD_USERS)


def account(at_s: float, **changes: object) -> FrameAccount:
    plain = FrameAccount(captured_s=at_s, captured_at=NOON + timedelta(seconds=at_s))
    return replace(plain, **changes)


def crossing(at_s: float, **changes: object) -> Crossing:
    plain = Crossing(
        section="north",
        direction=Direction.RIGHT,
        road_user=RoadUser.CAR,
        track_id=1,
        at_s=at_s,
        at=NOON + timedelta(seconds=at_s),
        foot_px=Point(1, 1),
    )
    return replace(plain, **changes)


def watched(bins: FillBins, from_s: int, until_s: int) -> None:
    for at_s in range(from_s, until_s):
        bins.see(account(at_s))


def cars(minute: MinuteBin) -> int | None:
    counts = minute.sections[0].counts
    return None if counts is None else counts[ROAD_USERS.index(RoadUser.CAR)]


def total(minutes: Iterable[MinuteBin]) -> int:
    return sum(sum(s.counts or ()) for minute in minutes for s in minute.sections)


def test_a_watched_minute_without_traffic_has_zeros() -> None:
    bins = FillBins(LAYOUT)

    watched(bins, 0, 70)
    (minute,) = bins.ready()

    assert minute.start == NOON
    assert minute.quality is Quality.GOOD
    assert {(s.section, s.direction, s.counts) for s in minute.sections} == {
        (name, direction, NOTHING) for name in LAYOUT.lines for direction in Direction
    }
    assert minute.flows[0].counts == NOTHING
    assert minute.incidents == (
        ("stopped_vehicle", 0),
        ("wrong_way", 0),
        ("pedestrian_on_carriageway", 0),
    )


def test_an_unwatched_minute_has_none_and_no_zero() -> None:
    bins = FillBins(LAYOUT)

    watched(bins, 0, 60)
    watched(bins, 200, 260)
    minutes = bins.ready() + bins.finish()

    assert [cars(m) for m in minutes] == [0, None, None, 0, 0]
    assert [m.quality for m in minutes[1:3]] == [Quality.NO_DATA] * 2
    assert minutes[1].gaps == ((0.0, 60.0),)
    assert minutes[1].incidents is None
    assert minutes[1].to_dict()["sections"][0]["counts"] is None


def test_a_blind_camera_counts_as_not_watching() -> None:
    bins = FillBins(LAYOUT)

    for at_s in range(70):
        bins.see(account(at_s, is_usable=False, flags=("too_dark",), brightness=4.0))
    (minute,) = bins.ready()

    assert (cars(minute), minute.coverage_s, minute.frames_seen) == (None, 0.0, 60)
    assert minute.quality is Quality.NO_DATA
    assert "too_dark" in minute.flags


def test_coverage_is_the_time_between_frames_split_at_the_minute() -> None:
    bins = FillBins(LAYOUT)

    for at_s in (58.5, 59.5, 60.5, 61.5, 65.0, 66.0):
        bins.see(account(at_s))
    first, second = bins.finish()

    assert first.coverage_s == pytest.approx(1.5)
    assert second.coverage_s == pytest.approx(2.5)
    assert second.gaps == ((pytest.approx(1.5), pytest.approx(5.0)),)


def test_frames_quality_and_drops_are_accounted() -> None:
    bins = FillBins(LAYOUT)

    bins.see(account(0, brightness=100.0, detected=8, unassigned=1))
    bins.see(account(1, brightness=120.0, detected=2, unassigned=1, dropped=24))
    (minute,) = bins.finish()

    assert (minute.frames_seen, minute.frames_dropped) == (2, 24)
    assert minute.unassigned_share == pytest.approx(0.2)
    assert minute.brightness == pytest.approx(110)
    assert minute.quality is Quality.PARTIAL


def test_a_minute_waits_five_seconds_for_held_events() -> None:
    bins = FillBins(LAYOUT)

    watched(bins, 0, 64)
    early = bins.ready()
    bins.add_crossing(crossing(59.9))
    watched(bins, 64, 66)
    (minute,) = bins.ready()

    assert early == []
    assert cars(minute) == 1


def test_an_event_after_its_minute_was_handed_on_opens_a_second_part() -> None:
    bins = FillBins(LAYOUT)

    watched(bins, 0, 90)
    bins.add_crossing(crossing(30))
    minutes = bins.ready() + bins.finish()

    assert [(m.start.minute, m.part, cars(m)) for m in minutes] == [(0, 0, 0), (0, 1, 1), (1, 0, 0)]
    assert minutes[1].flags == ("late_part",)


def test_a_wall_clock_set_back_gives_parts_that_differ() -> None:
    bins = FillBins(LAYOUT)

    watched(bins, 0, 150)
    for at_s in range(150, 200):
        bins.see(account(at_s, captured_at=NOON + timedelta(seconds=at_s - 120)))
    bins.add_crossing(crossing(190, at=NOON + timedelta(seconds=70)))
    minutes = bins.ready() + bins.finish()

    keys = [(m.start.minute, m.part) for m in minutes]
    assert keys == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1)]
    assert sum(m.coverage_s for m in minutes) == pytest.approx(199, abs=1.1)
    assert cars(minutes[-1]) == 1


def test_a_clock_that_jumps_a_year_does_not_fill_the_memory() -> None:
    bins = FillBins(LAYOUT)

    watched(bins, 0, 10)
    bins.see(account(11, captured_at=NOON + timedelta(days=365)))
    minutes = bins.ready() + bins.finish()

    assert len(minutes) == 2
    assert "clock_step" in minutes[1].flags


def test_minutes_close_although_no_frame_comes() -> None:
    bins = FillBins(LAYOUT)
    watched(bins, 0, 30)

    bins.advance(NOON + timedelta(seconds=190))
    minutes = bins.ready()

    assert [cars(m) for m in minutes] == [0, None, None]


def test_the_change_to_summer_time_is_no_event() -> None:
    # Clocks in Berlin jump at 01:00 UTC on this day; UTC does not.
    before = datetime(2026, 3, 29, 0, 58, tzinfo=UTC)
    bins = FillBins(LAYOUT)

    for at_s in range(240):
        bins.see(account(at_s, captured_at=before + timedelta(seconds=at_s)))
    minutes = bins.ready() + bins.finish()

    assert [m.start - before for m in minutes] == [timedelta(minutes=i) for i in range(4)]
    assert all(m.flags in ((), ("low_coverage",)) for m in minutes)


@settings(max_examples=50, deadline=None)
@given(times=st.lists(st.floats(0, 299), max_size=40))
def test_bins_sum_to_the_events_in_any_order(times: list[float]) -> None:
    bins = FillBins(LAYOUT)

    for at_s in range(300):
        bins.see(account(at_s))
        for event_s in times[at_s :: 300 // 3]:
            bins.add_crossing(crossing(event_s))
    minutes = bins.ready() + bins.finish()

    expected = sum(len(times[at_s :: 300 // 3]) for at_s in range(300))
    assert total(minutes) == expected
    assert len({(m.start, m.part) for m in minutes}) == len(minutes)


def test_speeds_and_headways_are_summed_up() -> None:
    bins = FillBins(LAYOUT)
    bins.see(account(0))

    bins.add_crossing(crossing(1, speed=Speed(kmh=42, error_kmh=2)))
    bins.add_crossing(
        crossing(4, speed=Speed(kmh=48, error_kmh=2)), spacing=Spacing(headway_s=3.0, gap_s=2.5)
    )
    (minute,) = bins.finish()
    north = minute.sections[0]

    assert north.speeds == ((40, 1), (45, 1))
    assert north.speed_mean_kmh == pytest.approx(45)
    assert (north.headways, north.headway_least_s) == (1, 3.0)
    assert north.to_dict()["time_gap_mean_s"] == 2.5


def test_a_bin_is_plain_json() -> None:
    bins = FillBins(LAYOUT)
    watched(bins, 0, 61)

    first, _ = bins.finish()
    record = json.loads(json.dumps(first.to_dict()))

    assert record["start"] == "2026-03-01T12:00:00Z"
    assert record["sections"][0]["counts"]["car"] == 0


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param(None, None, None, id="nothing known"),
        pytest.param(None, (1, 2), (1, 2), id="one unknown"),
        pytest.param((1, 2), (3, 4), (4, 6), id="both known"),
    ],
)
def test_unknown_adds_nothing(
    a: tuple[int, ...] | None, b: tuple[int, ...] | None, expected: tuple[int, ...] | None
) -> None:
    assert added(a, b) == expected


def test_a_naive_start_is_refused() -> None:
    bins = FillBins(LAYOUT)
    bins.see(account(0))
    (minute,) = bins.finish()

    with pytest.raises(ValueError, match="naive bin start"):
        replace(minute, start=datetime(2026, 3, 1))  # noqa: DTZ001
