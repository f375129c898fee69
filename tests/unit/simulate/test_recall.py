"""Detections against truth: found, rightly named, or too small to ask for."""

from __future__ import annotations

import numpy as np
import pytest

from common.geometry import Box
from common.road_users import ROAD_USER_INDEX, RoadUser
from edge.simulate.frame_truth import FrameUser
from edge.simulate.recall import Recall, recall_by_class

pytestmark = pytest.mark.unit

CAR = FrameUser(
    id=1,
    road_user=RoadUser.CAR,
    box_px=Box(100, 100, 200, 150),
    rider_px=None,
    cycle_px=None,
    visible=1.0,
    is_cut=False,
    speed_kmh=30.0,
)
CYCLIST = FrameUser(
    id=2,
    road_user=RoadUser.BICYCLE,
    box_px=Box(300, 100, 340, 180),
    rider_px=Box(305, 100, 335, 160),
    cycle_px=Box(300, 140, 340, 180),
    visible=1.0,
    is_cut=False,
    speed_kmh=15.0,
)


@pytest.mark.parametrize(
    ("user", "box", "name", "expected"),
    [
        pytest.param(CAR, (100, 100, 200, 150), RoadUser.CAR, Recall(1, 1, 1), id="right"),
        pytest.param(CAR, (100, 100, 200, 150), RoadUser.TRUCK, Recall(1, 1, 0), id="wrong name"),
        pytest.param(CAR, (300, 100, 400, 150), RoadUser.CAR, Recall(1, 0, 0), id="elsewhere"),
        pytest.param(CYCLIST, (300, 140, 340, 180), RoadUser.BICYCLE, Recall(1, 1, 1), id="cycle"),
        pytest.param(
            CYCLIST, (300, 140, 340, 180), RoadUser.PERSON, Recall(1, 0, 0), id="rider only"
        ),
    ],
)
def test_a_detection_is_compared_with_the_truth(
    user: FrameUser, box: tuple[float, ...], name: RoadUser, expected: Recall
) -> None:
    boxes = np.array([box], dtype=np.float32)
    classes = np.array([ROAD_USER_INDEX[name]])

    outcome = recall_by_class([((user,), boxes, classes)])

    assert outcome == {user.road_user: expected}


def test_no_detection_is_a_miss_and_small_ones_do_not_count() -> None:
    nothing = np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.int64)

    strict = recall_by_class([((CAR,), *nothing)])
    lenient = recall_by_class([((CAR,), *nothing)], least_height_px=60)

    assert strict == {RoadUser.CAR: Recall(1, 0, 0)}
    assert lenient == {}
