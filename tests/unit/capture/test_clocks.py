"""Clocks of recordings, live streams and the wall."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from edge.capture.clocks import LiveClock, StreamClock, WallClock

pytestmark = pytest.mark.unit

NOON = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)


class SetClock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.wall = NOON
        self.steady_s = 1000.0

    def now(self) -> datetime:
        return self.wall

    def monotonic_s(self) -> float:
        return self.steady_s

    def pass_s(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady_s += seconds


@pytest.mark.parametrize(
    ("pts_s", "placed_s"),
    [
        pytest.param([5.0, 5.04, 5.08], [0.0, 0.04, 0.08], id="starts anywhere"),
        pytest.param([0.0, 0.1, 3.0, 3.1], [0.0, 0.1, 3.0, 3.1], id="keeps a pause"),
        pytest.param([0.0, 0.2, 0.1, 0.3], [0.0, 0.2, None, 0.3], id="out of order has no place"),
        pytest.param([0.0, 0.2, 0.2, 0.3], [0.0, 0.2, None, 0.3], id="same time twice"),
        pytest.param([0.0, None, None, 0.3], [0.0, 0.1, 0.2, 0.3], id="missing takes usual step"),
        pytest.param([None, None, 7.0, 7.1], [0.0, 0.1, 0.2, 0.3], id="missing at the start"),
        pytest.param([90.0, 90.1, 0.0, 0.1], [0.0, 0.1, 0.2, 0.3], id="counter reset"),
        pytest.param([0.0, 0.1, 95443.7, 95443.8], [0.0, 0.1, 0.2, 0.3], id="counter wrapped"),
    ],
)
def test_recordings_get_a_clock_from_zero_that_only_rises(
    pts_s: list[float | None], placed_s: list[float | None]
) -> None:
    clock = StreamClock(usual_step_s=0.1)

    assert [clock.place(pts) for pts in pts_s] == pytest.approx(placed_s)


def test_network_jitter_does_not_reach_the_live_clock() -> None:
    clock = LiveClock(opened_s=100.0)
    late_s = [0.0, 0.03, 0.01, 0.05, 0.0]

    placed = [
        clock.place(i * 0.04, arrived_s=100.0 + i * 0.04 + late) for i, late in enumerate(late_s)
    ]

    assert placed == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16], abs=1e-4)


def test_a_camera_with_a_fast_crystal_does_not_drift_away() -> None:
    clock = LiveClock(opened_s=0.0)
    seconds = 86_400

    for s in range(seconds):
        placed_s = clock.place(s * 1.0001, arrived_s=float(s))

    assert placed_s == pytest.approx(seconds - 1, abs=0.01)


@pytest.mark.parametrize(
    "pts_s",
    [
        pytest.param([0.0, 0.0, 0.0, 0.0], id="times stand still"),
        pytest.param([None, None, None, None], id="no times"),
        pytest.param([9.0, 6.0, 3.0, 0.0], id="times run backwards"),
        pytest.param([0.0, 5000.0, 10000.0, 15000.0], id="times race"),
    ],
)
def test_a_camera_without_a_usable_clock_is_timed_by_arrival(pts_s: list[float | None]) -> None:
    clock = LiveClock(opened_s=50.0)

    placed = [clock.place(pts, arrived_s=50.0 + i) for i, pts in enumerate(pts_s)]

    assert placed == pytest.approx([0.0, 1.0, 2.0, 3.0])


def test_a_burst_after_a_pause_stays_in_order() -> None:
    clock = LiveClock(opened_s=0.0)
    arrivals_s = [0.0, 4.0, 4.0, 4.0]

    placed = [clock.place(None, arrived_s=at) for at in arrivals_s]

    assert placed == pytest.approx([0.0, 4.0, 4.001, 4.002])


def test_wall_times_follow_the_stream() -> None:
    clock = SetClock()
    wall = WallClock(clock)
    clock.pass_s(10)

    assert wall.now_s() == 10
    assert wall.at(10.0) == NOON + timedelta(seconds=10)


def test_a_box_that_learns_the_time_late_jumps_to_it() -> None:
    clock = SetClock()
    wall = WallClock(clock)
    clock.pass_s(10)
    clock.wall += timedelta(days=365)

    assert wall.at(10.0) == NOON + timedelta(days=365, seconds=10)


def test_a_step_back_of_the_wall_clock_breaks_no_order() -> None:
    clock = SetClock()
    wall = WallClock(clock)
    moments = []
    for second in range(1, 121):
        clock.pass_s(1)
        if second == 60:
            clock.wall -= timedelta(seconds=2)
        moments.append(wall.at(float(second)))

    assert moments == sorted(set(moments))
    assert moments[-1] == pytest.approx(clock.wall, abs=timedelta(seconds=1))


def test_asking_again_for_an_earlier_moment_is_allowed() -> None:
    wall = WallClock(SetClock())

    later, earlier = wall.at(9.0), wall.at(4.0)

    assert later - earlier == timedelta(seconds=5)
