"""The place with nobody in it."""

from __future__ import annotations

import numpy as np
import pytest

from edge.capture.background import BackgroundPlate

pytestmark = pytest.mark.unit


def road(car_at: int | None = None) -> np.ndarray:
    image = np.full((4, 40, 3), 90, dtype=np.uint8)
    if car_at is not None:
        image[:, car_at : car_at + 4] = 250
    return image


def test_cars_that_drive_through_are_not_on_the_plate() -> None:
    plate = BackgroundPlate()
    for position in range(0, 36, 4):
        plate.add(road(car_at=position))

    assert np.array_equal(plate.median(), road())


def test_memory_is_bounded_and_samples_cover_all_time() -> None:
    plate = BackgroundPlate(most_samples=8)
    sizes = set()
    for level in range(200):
        plate.add(np.full((1, 1), level, dtype=np.uint8))
        sizes.add(len(plate))

    assert max(sizes) < 8
    assert plate.median()[0, 0] == pytest.approx(100, abs=20)


def test_a_sample_is_a_copy() -> None:
    plate = BackgroundPlate()
    image = road()
    for _ in range(3):
        plate.add(image)
    image[:] = 0

    assert np.array_equal(plate.median(), road())


def test_too_few_pictures_are_refused() -> None:
    plate = BackgroundPlate()
    plate.add(road())

    assert not plate.is_learned
    with pytest.raises(ValueError, match="1 pictures, expected 3 or more"):
        plate.median()


def test_a_picture_of_another_shape_is_refused() -> None:
    plate = BackgroundPlate()
    plate.add(road())

    with pytest.raises(ValueError, match="expected \\(4, 40, 3\\)"):
        plate.add(np.zeros((2, 2, 3), dtype=np.uint8))
