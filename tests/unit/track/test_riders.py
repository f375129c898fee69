from __future__ import annotations

import pytest

from common.geometry import Box
from common.road_users import ROAD_USERS, RoadUser
from edge.track.riders import merge_riders
from edge.track.tracker import Tracker
from tests.builders import Seen, detections, times_s

CYCLE = Box(100, 140, 160, 200)
RIDER = Box(110, 100, 150, 185)
PERSON, BICYCLE, MOTORCYCLE = RoadUser.PERSON, RoadUser.BICYCLE, RoadUser.MOTORCYCLE


def classes(seen: list[Seen]) -> list[RoadUser]:
    return [ROAD_USERS[index] for index in merge_riders(detections(0, seen)).classes]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("person", "expected"),
    [
        pytest.param(RIDER, [BICYCLE], id="sits on it"),
        pytest.param(Box(200, 100, 240, 205), [BICYCLE, PERSON], id="stands beside it"),
        pytest.param(Box(110, 60, 150, 120), [BICYCLE, PERSON], id="stands behind it"),
        pytest.param(Box(110, 150, 150, 290), [BICYCLE, PERSON], id="stands before it"),
    ],
)
def test_a_person_is_merged_only_with_the_cycle_they_ride(
    person: Box, expected: list[RoadUser]
) -> None:
    assert classes([(BICYCLE, 0.6, CYCLE), (PERSON, 0.8, person)]) == expected


@pytest.mark.unit
def test_the_pair_has_the_box_around_both_and_the_better_score() -> None:
    merged = merge_riders(detections(0, [(BICYCLE, 0.4, CYCLE), (PERSON, 0.8, RIDER)]))

    assert merged.boxes_px.tolist() == [[100, 100, 160, 200]]
    assert merged.scores.tolist() == pytest.approx([0.8])


@pytest.mark.unit
def test_a_torso_and_a_wheel_inside_the_pair_are_not_further_road_users() -> None:
    torso, wheel = Box(112, 100, 148, 140), Box(105, 165, 135, 198)
    seen: list[Seen] = [
        (MOTORCYCLE, 0.6, CYCLE),
        (PERSON, 0.8, RIDER),
        (PERSON, 0.3, torso),
        (BICYCLE, 0.2, wheel),
    ]

    assert classes(seen) == [MOTORCYCLE]


@pytest.mark.unit
def test_a_rider_whose_cycle_is_seen_only_now_and_then_is_one_cyclist() -> None:
    tracker = Tracker()
    points = []
    for frame, at_s in enumerate(times_s(4)):
        moved = 80 * at_s
        rider = Box(RIDER.x1 + moved, RIDER.y1, RIDER.x2 + moved, RIDER.y2)
        cycle = Box(CYCLE.x1 + moved, CYCLE.y1, CYCLE.x2 + moved, CYCLE.y2)
        seen: list[Seen] = [(PERSON, 0.7, rider)]
        if frame % 3 == 0:
            seen.append((BICYCLE, 0.3, cycle))
        points += tracker.update(detections(at_s, seen)).points

    assert {point.track_id for point in points} == {1}
    assert points[-1].road_user is BICYCLE


@pytest.mark.unit
def test_somebody_too_fast_to_be_on_foot_is_a_rider() -> None:
    tracker = Tracker()
    points = []
    for at_s in times_s(2):
        moved = 600 * at_s
        seen: list[Seen] = [(PERSON, 0.7, Box(100 + moved, 100, 140 + moved, 185))]
        points += tracker.update(detections(at_s, seen)).points

    assert points[-1].road_user is MOTORCYCLE
