"""Clean frames become the frames of bad cameras, reproducibly and without touching labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.degrade import as_low_resolution, as_night, as_noisy, degrade
from models.recipe import Recipe

pytestmark = pytest.mark.unit

CAR_IN_THE_MIDDLE = np.asarray([[2, 0.5, 0.5, 0.5, 0.5]])
NOBODY = np.empty((0, 5))


def stripes() -> np.ndarray:
    image = np.zeros((96, 128, 3), dtype=np.uint8)
    image[:, ::2] = 255
    return image


def grey(level: int) -> np.ndarray:
    return np.full((96, 128, 3), level, dtype=np.uint8)


def test_low_resolution_keeps_the_size_and_loses_the_detail() -> None:
    image = stripes()

    small = as_low_resolution(image, share=0.4, jpeg_quality=30)

    assert small.shape == image.shape
    assert small.std() < image.std() / 3


def test_night_is_dark_but_for_the_lamps_of_a_vehicle() -> None:
    rng = np.random.default_rng(1)  # its first draws give this car lamps

    empty = as_night(grey(150), NOBODY, rng=np.random.default_rng(1))
    lit = as_night(grey(150), CAR_IN_THE_MIDDLE, rng=rng)

    assert empty.max() < 100
    assert lit.max() > 150


def test_a_person_has_no_lamps() -> None:
    person = CAR_IN_THE_MIDDLE * [0, 1, 1, 1, 1]

    assert as_night(grey(150), person, rng=np.random.default_rng(1)).max() < 100


@pytest.mark.parametrize("seed", range(6))
def test_noise_keeps_shape_and_type(seed: int) -> None:
    image = np.random.default_rng(0).integers(60, 190, size=(96, 128, 3), dtype=np.uint8)

    noisy = as_noisy(image, rng=np.random.default_rng(seed))

    assert (noisy.shape, noisy.dtype) == (image.shape, image.dtype)
    assert (noisy != image).any()


def test_nothing_happens_at_probability_zero() -> None:
    recipe = replace(Recipe(), low_resolution=0.0, night=0.0, noise=0.0)
    image = stripes()

    same = degrade(image, NOBODY, recipe=recipe, rng=np.random.default_rng(0))

    np.testing.assert_array_equal(same, image)


def test_a_night_frame_is_not_darkened_again() -> None:
    recipe = replace(Recipe(), low_resolution=0.0, night=1.0, noise=0.0)

    rng = np.random.default_rng(0)

    np.testing.assert_array_equal(degrade(grey(20), NOBODY, recipe=recipe, rng=rng), grey(20))
    assert degrade(grey(120), NOBODY, recipe=recipe, rng=rng).mean() < 80


def test_the_same_seed_degrades_the_same_way() -> None:
    recipe = replace(Recipe(), low_resolution=0.5, night=0.5, noise=0.5)

    runs = []
    for seed in (7, 7, 8):
        rng = np.random.default_rng(seed)
        runs.append(
            np.stack([degrade(stripes(), NOBODY, recipe=recipe, rng=rng) for _ in range(8)])
        )

    np.testing.assert_array_equal(runs[0], runs[1])
    assert (runs[0] != runs[2]).any()
