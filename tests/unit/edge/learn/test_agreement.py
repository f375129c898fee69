"""What tracks say and several looks see → what is taught and what is ignored."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from common.geometry import Box
from common.road_users import ROAD_USER_INDEX, ROAD_USERS, RoadUser
from edge.detect.detections import Detections
from edge.learn.agreement import agree
from edge.learn.fusion import fuse, mirrored_back
from edge.learn.label_quality import Truth, score
from edge.learn.marks import Mark, Marks

pytestmark = pytest.mark.unit

CAR, TRUCK, PERSON, BICYCLE = RoadUser.CAR, RoadUser.TRUCK, RoadUser.PERSON, RoadUser.BICYCLE
PLACE = Box(100, 100, 200, 160)
ELSEWHERE = Box(400, 100, 500, 160)


def mark(
    likely: float, box: Box = PLACE, road_user: RoadUser = CAR, *, is_seen: bool = True
) -> Mark:
    return Mark(box_px=box, road_user=road_user, score=likely, is_seen=is_seen)


def looked(*seen: tuple[RoadUser, float, Box]) -> Detections:
    class_scores = np.zeros((len(seen), len(ROAD_USERS)), dtype=np.float32)
    for row, (road_user, likely, _) in enumerate(seen):
        class_scores[row, ROAD_USER_INDEX[road_user]] = likely
    return Detections(
        camera_id="cam",
        captured_s=0.0,
        captured_at=datetime(2026, 1, 1, tzinfo=UTC),
        boxes_px=np.array([box for *_, box in seen], dtype=np.float32).reshape(-1, 4),
        scores=class_scores.max(axis=1) if seen else np.zeros(0, dtype=np.float32),
        classes=class_scores.argmax(axis=1) if seen else np.zeros(0, dtype=np.int64),
        class_scores=class_scores,
    )


def test_looks_that_agree_are_averaged_by_score() -> None:
    moved = Box(110, 100, 210, 160)

    (fused,) = fuse([looked((CAR, 0.6, PLACE)), looked((CAR, 0.2, moved))])

    assert fused.score == pytest.approx(0.4)
    assert fused.box_px == pytest.approx(Box(102.5, 100, 202.5, 160))


def test_what_one_of_four_looks_saw_is_a_quarter_as_sure() -> None:
    (fused,) = fuse([looked((CAR, 0.8, PLACE)), looked(), looked(), looked()])

    assert fused.score == pytest.approx(0.2)


def test_a_car_here_and_a_truck_there_is_one_vehicle_of_the_likelier_class() -> None:
    (fused,) = fuse([looked((TRUCK, 0.5, PLACE)), looked((CAR, 0.6, PLACE))])

    assert fused.road_user is CAR


def test_a_person_before_a_car_stays_a_person() -> None:
    fused = fuse([looked((PERSON, 0.5, PLACE), (CAR, 0.6, PLACE))])

    assert {one.road_user for one in fused} == {CAR, PERSON}


def test_the_mirror_image_is_turned_back() -> None:
    seen = mirrored_back(looked((CAR, 0.5, PLACE)), 640)

    assert seen.boxes_px.tolist() == [[440, 100, 540, 160]]


@pytest.mark.parametrize(
    ("tracks", "seen", "taught", "ignored"),
    [
        pytest.param(Marks(), [mark(0.6)], 1, 0, id="a sure look alone"),
        pytest.param(Marks(), [mark(0.3)], 0, 1, id="an unsure look alone"),
        pytest.param(Marks(), [mark(0.08)], 0, 0, id="hardly anything"),
        pytest.param(Marks(sure=(mark(0.5),)), [mark(0.12)], 1, 0, id="a track and a hint"),
        pytest.param(Marks(sure=(mark(0.5),)), [], 1, 0, id="a track seen in this picture"),
        pytest.param(
            Marks(sure=(mark(0.5, is_seen=False),)), [], 0, 1, id="a track nobody sees here"
        ),
        pytest.param(Marks(unsure=(mark(0.3),)), [mark(0.3)], 1, 0, id="doubts that agree"),
        pytest.param(Marks(unsure=(mark(0.3),)), [], 0, 1, id="a doubt alone"),
        pytest.param(
            Marks(unsure=(mark(0.3),)), [mark(0.3, ELSEWHERE)], 0, 2, id="doubts that differ"
        ),
    ],
)
def test_one_that_is_sure_or_two_that_agree_teach(
    tracks: Marks, seen: list[Mark], taught: int, ignored: int
) -> None:
    marks = agree(tracks, seen)

    assert (len(marks.sure), len(marks.unsure)) == (taught, ignored)


def test_the_track_says_what_it_is_and_the_look_says_where() -> None:
    better = Box(104, 100, 204, 160)

    (taught,) = agree(Marks(sure=(mark(0.5, road_user=TRUCK),)), [mark(0.7, better)]).sure

    assert (taught.road_user, taught.box_px, taught.score) == (TRUCK, better, 0.7)


def test_rider_and_cycle_inside_a_riders_track_are_two_labels() -> None:
    track = mark(0.6, Box(100, 100, 160, 200), BICYCLE)
    person, cycle = Box(110, 100, 150, 170), Box(100, 140, 160, 200)

    marks = agree(Marks(unsure=(track,)), [mark(0.4, person, PERSON), mark(0.3, cycle, BICYCLE)])

    assert [one.road_user for one in marks.sure] == [PERSON, BICYCLE]
    assert marks.unsure == ()


def test_labels_are_scored_like_a_detector_and_ignored_places_are_told_apart() -> None:
    truth = [
        Truth(box_px=PLACE, road_user=CAR, must_be_found=True),
        Truth(box_px=ELSEWHERE, road_user=CAR, must_be_found=True),
        Truth(box_px=Box(0, 0, 50, 50), road_user=CAR, must_be_found=True),
        Truth(box_px=Box(600, 0, 620, 20), road_user=PERSON, must_be_found=False),
    ]
    labels = Marks(
        sure=(
            mark(0.9),
            mark(0.8, Box(300, 300, 350, 350)),
            mark(0.7, Box(600, 0, 620, 20), PERSON),
        ),
        unsure=(mark(0.2, ELSEWHERE),),
    )

    result = score(labels, truth)

    assert (result.right, result.wrong, result.ignored, result.missed) == (1, 1, 1, 1)
