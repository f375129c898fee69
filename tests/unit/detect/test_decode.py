from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from common.errors import ConfigError
from common.road_users import ROAD_USERS
from edge.detect.decode import MAX_BOXES, ClassMap, Thresholds, decode, overlaps

pytestmark = pytest.mark.unit

PERSON, BICYCLE, CAR, MOTORCYCLE, BUS, TRUCK = range(6)
OURS = ClassMap.by_name(ROAD_USERS)
Anchor = tuple[tuple[float, float, float, float], dict[int, float]]


def predictions(*anchors: Anchor, rows: int = 6) -> NDArray[np.float32]:
    """One column per anchor: corners turned into centre and size, then class scores."""
    raw = np.zeros((4 + rows, len(anchors)), dtype=np.float32)
    for column, ((x1, y1, x2, y2), scores) in enumerate(anchors):
        raw[:4, column] = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        for row, score in scores.items():
            raw[4 + row, column] = score
    return raw


HERE = (100, 100, 200, 200)
SHIFTED_5 = (105, 100, 205, 200)  # IoU 95 / 105 = 0.905
SHIFTED_20 = (120, 100, 220, 200)  # IoU 80 / 120 = 0.667
FAR = (400, 100, 500, 200)


def test_boxes_come_best_first_with_every_class_score() -> None:
    raw = predictions((HERE, {CAR: 0.5, TRUCK: 0.25}), (FAR, {BUS: 0.75}))

    found = decode(raw, OURS, Thresholds(floor=0.1))

    np.testing.assert_array_equal(found.boxes_px, [FAR, HERE])
    np.testing.assert_array_equal(found.classes, [BUS, CAR])
    np.testing.assert_array_equal(found.scores, [0.75, 0.5])
    np.testing.assert_array_equal(
        found.class_scores, [[0, 0, 0, 0, 0.75, 0], [0, 0, 0.5, 0, 0, 0.25]]
    )


@pytest.mark.parametrize(
    ("first", "second", "classes"),
    [
        pytest.param((HERE, {CAR: 0.9}), (SHIFTED_5, {CAR: 0.8}), [CAR], id="one car twice"),
        pytest.param(
            (HERE, {CAR: 0.9}), (SHIFTED_20, {CAR: 0.8}), [CAR, CAR], id="cars side by side"
        ),
        pytest.param(
            (HERE, {BUS: 0.6}), (SHIFTED_5, {TRUCK: 0.8}), [TRUCK], id="a lorry called bus"
        ),
        pytest.param(
            (HERE, {BUS: 0.6}), (SHIFTED_20, {TRUCK: 0.8}), [TRUCK, BUS], id="bus behind a lorry"
        ),
        pytest.param(
            (HERE, {PERSON: 0.9}),
            (SHIFTED_5, {MOTORCYCLE: 0.5}),
            [PERSON, MOTORCYCLE],
            id="rider on a motorcycle",
        ),
        pytest.param(
            (HERE, {BICYCLE: 0.9}),
            (SHIFTED_5, {PERSON: 0.5}),
            [BICYCLE, PERSON],
            id="rider on a bicycle",
        ),
        pytest.param(
            (HERE, {BICYCLE: 0.4}),
            (SHIFTED_5, {MOTORCYCLE: 0.5}),
            [MOTORCYCLE],
            id="one cycle of two kinds",
        ),
    ],
)
def test_one_box_stays_per_road_user(first: Anchor, second: Anchor, classes: list[int]) -> None:
    found = decode(predictions(first, second), OURS, Thresholds(floor=0.1))

    assert found.classes.tolist() == classes


def test_a_suppressed_box_suppresses_nothing() -> None:
    # The middle one overlaps both neighbours by 0.818, the outer two overlap by 0.667.
    row = [
        ((100 + shift, 100, 200 + shift, 200), {CAR: 0.9 - shift / 100}) for shift in (0, 10, 20)
    ]

    found = decode(predictions(*row), OURS, Thresholds(floor=0.1))

    assert found.boxes_px[:, 0].tolist() == [100, 120]


@pytest.mark.parametrize(
    ("score", "kept"),
    [
        pytest.param(0.09, 0, id="below the floor"),
        pytest.param(0.11, 1, id="above the floor"),
    ],
)
def test_the_floor_decides_what_is_handed_on(score: float, kept: int) -> None:
    found = decode(predictions((HERE, {CAR: score})), OURS, Thresholds(floor=0.1))

    assert len(found.scores) == kept


def test_an_empty_road_gives_empty_arrays_of_the_right_shape() -> None:
    found = decode(np.zeros((10, 5040), dtype=np.float32), OURS, Thresholds(floor=0.1))

    assert found.boxes_px.shape == (0, 4)
    assert found.class_scores.shape == (0, 6)
    assert (found.boxes_px.dtype, found.classes.dtype) == (np.float32, np.int64)


def test_no_more_than_300_boxes_leave() -> None:
    crowd = [((20.0 * i, 0, 20.0 * i + 10, 10), {PERSON: 0.5}) for i in range(400)]

    found = decode(predictions(*crowd), OURS, Thresholds(floor=0.1))

    assert len(found.scores) == MAX_BOXES


def test_classes_are_matched_by_name_and_others_never_read() -> None:
    names = ["truck", "boat", "Person"]
    raw = predictions((HERE, {1: 0.9, 0: 0.3}), (FAR, {2: 0.4}), rows=3)

    found = decode(raw, ClassMap.by_name(names), Thresholds(floor=0.1))

    assert found.classes.tolist() == [PERSON, TRUCK]
    np.testing.assert_allclose(found.scores, [0.4, 0.3], atol=1e-6)
    np.testing.assert_allclose(found.class_scores[1], [0, 0, 0, 0, 0, 0.3], atol=1e-6)


def test_a_model_without_road_users_is_refused() -> None:
    with pytest.raises(ConfigError, match="classes are cat, dog, expected some of person"):
        ClassMap.by_name(["cat", "dog"])


def test_overlap_is_intersection_over_union() -> None:
    first = np.array([[0, 0, 10, 10]], dtype=np.float32)
    second = np.array(
        [[0, 0, 10, 10], [5, 0, 15, 10], [20, 0, 30, 10], [0, 0, 0, 0]], dtype=np.float32
    )

    np.testing.assert_allclose(overlaps(first, second), [[1, 1 / 3, 0, 0]])


def test_a_threshold_outside_0_to_1_is_refused() -> None:
    with pytest.raises(ValueError, match=r"floor is 1\.5, expected 0 to 1"):
        Thresholds(floor=1.5)
