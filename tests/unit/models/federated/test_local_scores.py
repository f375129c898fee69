"""mAP50 in memory: the numbers that the rules of COCO give, on pictures one can check by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.federated.local_scores import map50_of

pytestmark = pytest.mark.unit

CAR, TRUCK = 2, 5


def drawn(*centres: float, kind: int = CAR) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.asarray([(kind, x, 0.5, 0.1, 0.1) for x in centres]).reshape(-1, 5)


def found(
    *boxes: tuple[float, float], kind: int = CAR
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.asarray([(kind, x, 0.5, 0.1, 0.1, score) for x, score in boxes]).reshape(-1, 6)


@pytest.mark.parametrize(
    ("boxes", "precision"),
    [
        pytest.param([(0.2, 0.9), (0.7, 0.8)], 1.0, id="both, and nothing else"),
        pytest.param([], 0.0, id="nothing"),
        # recall reaches a half: 51 of 101 points
        pytest.param([(0.2, 0.9)], 51 / 101, id="one of two"),
        pytest.param([(0.2, 0.9), (0.2, 0.8)], 51 / 101, id="one of them twice"),
        # precision is 1 up to a half and 2/3 from there
        pytest.param(
            [(0.2, 0.9), (0.45, 0.8), (0.7, 0.7)], (51 + 50 * 2 / 3) / 101, id="one invented"
        ),
        pytest.param(
            [(0.2, 0.9), (0.7, 0.8), (0.45, 0.1)], 1.0, id="one invented below all others"
        ),
        pytest.param([(0.26, 0.9), (0.76, 0.8)], 0.0, id="too far away"),
    ],
)
def test_average_precision_of_two_cars(boxes: list[tuple[float, float]], precision: float) -> None:
    result = map50_of([(drawn(0.2, 0.7), found(*boxes))])

    assert result == {CAR: pytest.approx(precision)}


def test_each_class_that_is_drawn_is_scored_over_all_pictures() -> None:
    pairs = [
        (drawn(0.2), found((0.2, 0.9))),
        (drawn(0.2, kind=TRUCK), found((0.2, 0.9))),
    ]

    result = map50_of(pairs)

    # the car is found at 0.9, and so is one that is a truck: the order of equal scores stays
    assert result == {CAR: pytest.approx(1.0), TRUCK: 0.0}


def test_nothing_drawn_is_nothing_scored() -> None:
    assert map50_of([]) == {}
    assert map50_of([(drawn(), found((0.2, 0.9)))]) == {}
