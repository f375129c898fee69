from __future__ import annotations

import pytest

from common.road_users import RoadUser
from edge.track.tracker import Tracker
from edge.track.tracks import TrackedFrame, TrackPoint
from tests.builders import Seen, box, detections, times_s

CAR, PERSON, TRUCK = RoadUser.CAR, RoadUser.PERSON, RoadUser.TRUCK


def follow(frames: dict[float, list[Seen]]) -> list[TrackedFrame]:
    tracker = Tracker()
    return [tracker.update(detections(at_s, seen)) for at_s, seen in frames.items()]


def points_of(tracked: list[TrackedFrame]) -> list[TrackPoint]:
    return [point for frame in tracked for point in frame.points]


def ids(tracked: list[TrackedFrame]) -> set[int]:
    return {point.track_id for point in points_of(tracked)}


def driving(at_s: float, *, speed_px: float = 100, y: float = 200, score: float = 0.8) -> Seen:
    return (CAR, score, box(100 + speed_px * at_s, y))


@pytest.mark.unit
def test_one_car_is_one_track_with_a_point_for_every_frame_from_the_first() -> None:
    tracked = follow({t: [driving(t)] for t in times_s(2)})

    assert ids(tracked) == {1}
    assert [point.at_s for point in points_of(tracked)] == list(times_s(2))


@pytest.mark.unit
def test_a_flicker_of_two_frames_never_becomes_a_track() -> None:
    tracked = follow({t: [driving(t)] if t < 0.1 else [] for t in times_s(2)})

    assert points_of(tracked) == []


@pytest.mark.unit
def test_an_unsure_box_that_stays_where_it_is_never_becomes_a_track() -> None:
    tracked = follow({t: [(CAR, 0.18, box(300, 200))] for t in times_s(10)})

    assert points_of(tracked) == []


@pytest.mark.unit
def test_an_unsure_box_that_travels_becomes_a_track_with_all_its_past() -> None:
    tracked = follow({t: [driving(t, score=0.18)] for t in times_s(2)})

    assert ids(tracked) == {1}
    assert points_of(tracked)[0].at_s == 0


@pytest.mark.unit
@pytest.mark.parametrize("fps", [pytest.param(f, id=f"{f} fps") for f in (5, 10, 25, 60)])
def test_the_frame_rate_does_not_change_who_is_who(fps: int) -> None:
    two_lanes = {t: [driving(t), (CAR, 0.8, box(500 - 100 * t, 300))] for t in times_s(4, fps=fps)}

    assert len(ids(follow(two_lanes))) == 2


@pytest.mark.unit
def test_a_car_hidden_for_a_second_keeps_its_track() -> None:
    tracked = follow({t: [] if 1 < t < 2 else [driving(t)] for t in times_s(3)})

    assert ids(tracked) == {1}


@pytest.mark.unit
def test_a_car_in_glare_is_carried_on_by_unsure_boxes() -> None:
    tracked = follow({t: [driving(t, score=0.12 if 1 < t < 4 else 0.8)] for t in times_s(5)})

    assert ids(tracked) == {1}
    assert len(points_of(tracked)) == len(times_s(5))


@pytest.mark.unit
def test_a_standing_car_waits_longer_for_its_next_sighting_than_a_moving_one() -> None:
    def seen(at_s: float, speed_px: float) -> list[Seen]:
        return [] if 3 < at_s < 6 else [driving(min(at_s, 3), speed_px=speed_px)]

    standing = follow({t: seen(t, 0) for t in times_s(8)})
    moving = follow({t: seen(t, 100) for t in times_s(8)})

    assert len(ids(standing)) == 1
    assert len(ids(moving)) == 2


@pytest.mark.unit
def test_a_second_box_on_a_lorry_is_not_a_second_track() -> None:
    def lorry(at_s: float) -> list[Seen]:
        x = 100 + 60 * at_s
        whole = (TRUCK, 0.7, box(x, 300, width=160, height=90))
        cab = (CAR, 0.3, box(x + 45, 298, width=60, height=70))
        return [whole, cab]

    tracked = follow({t: lorry(t) for t in times_s(3)})

    assert {point.road_user for point in points_of(tracked)} == {TRUCK}
    assert len(ids(tracked)) == 1


@pytest.mark.unit
def test_two_cars_side_by_side_are_two_tracks() -> None:
    tracked = follow({t: [driving(t, y=200), driving(t, y=230)] for t in times_s(3)})

    assert len(ids(tracked)) == 2


@pytest.mark.unit
def test_the_class_is_what_most_of_the_passage_looked_like() -> None:
    def seen(at_s: float) -> list[Seen]:
        road_user = RoadUser.BUS if at_s < 0.5 else TRUCK
        return [(road_user, 0.6, box(100 + 100 * at_s, 300, width=120, height=80))]

    tracked = follow({t: seen(t) for t in times_s(3)})

    assert points_of(tracked)[-1].road_user is TRUCK


@pytest.mark.unit
def test_a_track_that_is_over_is_said_to_have_ended_once() -> None:
    tracked = follow({t: [driving(t)] if t <= 1 else [] for t in times_s(6)})

    assert [track_id for frame in tracked for track_id in frame.ended] == [1]


@pytest.mark.unit
def test_confident_boxes_without_a_confirmed_track_are_counted_as_unassigned() -> None:
    tracked = follow({0.0: [driving(0)], 0.05: [driving(0.05)], 0.1: [driving(0.1)]})

    assert [frame.unassigned for frame in tracked] == [1, 1, 0]


@pytest.mark.unit
def test_a_frame_that_is_not_later_is_refused() -> None:
    tracker = Tracker()
    tracker.update(detections(1.0, []))

    with pytest.raises(ValueError, match=r"frame at 1\.0 s after one at 1\.0 s, expected later"):
        tracker.update(detections(1.0, []))


@pytest.mark.unit
def test_a_day_of_flicker_leaves_nothing_in_memory() -> None:
    tracker = Tracker()
    for frame in range(3000):
        tracker.update(detections(frame * 0.5, [(CAR, 0.4, box(37 * frame % 640, 200))]))

    assert len(tracker) <= 5


@pytest.mark.unit
def test_finishing_ends_the_confirmed_tracks() -> None:
    tracker = Tracker()
    for t in times_s(1):
        tracker.update(detections(t, [driving(t)]))

    assert tracker.finish() == (1,)
    assert tracker.finish() == ()
