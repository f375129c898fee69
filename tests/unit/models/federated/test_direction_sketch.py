"""A sketch keeps directions, and a median direction does not follow the loud."""

from __future__ import annotations

import numpy as np
import pytest

from models.federated.direction_sketch import SKETCH_SIZE, bearings, sketch
from models.federated.parameters import F32

pytestmark = pytest.mark.unit

VALUES = 300_000


def cosine_of(one: F32, other: F32) -> float:
    return float(sketch(one, 7).astype(float) @ sketch(other, 7).astype(float))


@pytest.mark.parametrize("cosine", [-0.8, 0.0, 0.3, 0.95])
def test_cosines_of_sketches_are_those_of_the_vectors(cosine: float) -> None:
    rng = np.random.default_rng(0)
    one = rng.standard_normal(VALUES)
    other = cosine * one + (1 - cosine**2) ** 0.5 * rng.standard_normal(VALUES)

    found = cosine_of(one.astype(np.float32), other.astype(np.float32))

    assert found == pytest.approx(cosine, abs=4 / SKETCH_SIZE**0.5)


def test_values_that_repeat_at_powers_of_two_do_not_fold_onto_each_other() -> None:
    one, other = np.zeros((2, VALUES), np.float32)
    one[::4096] = 1
    other[1::4096] = 1

    assert abs(cosine_of(one, other)) < 0.1


def test_the_length_of_a_vector_does_not_show_even_when_its_square_would_overflow() -> None:
    vector = np.random.default_rng(0).standard_normal(1000).astype(np.float32)

    np.testing.assert_allclose(sketch(vector * np.float32(1e30), 7), sketch(vector, 7), atol=1e-4)


def test_nothing_has_no_direction() -> None:
    assert not sketch(np.zeros(1000, np.float32), 7).any()


def test_another_seed_gives_another_sketch() -> None:
    vector = np.ones(VALUES, np.float32)

    assert not np.allclose(sketch(vector, 7), sketch(vector, 8))


@pytest.mark.parametrize("clients", [2, 3, 4, 5, 8, 9])
def test_the_median_of_the_others_leaves_the_client_itself_out(clients: int) -> None:
    rng = np.random.default_rng(clients)
    rows = rng.standard_normal((clients, SKETCH_SIZE)).astype(np.float32)
    rows[:, :50] = np.round(rows[:, :50])  # ties
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)

    found = bearings(rows)

    for index, one in enumerate(found):
        others = np.median(np.delete(rows, index, axis=0).astype(np.float64), axis=0)
        expected = rows[index].astype(float) @ others / np.linalg.norm(others)
        assert one.cosine == pytest.approx(expected, abs=1e-3)


def test_chance_is_small_for_spread_values_and_large_for_few() -> None:
    rng = np.random.default_rng(0)
    spread = rng.standard_normal((2, SKETCH_SIZE))
    few = np.zeros((2, SKETCH_SIZE))
    few[:, :4] = 1

    by_spread = bearings((spread / np.linalg.norm(spread, axis=1)[:, None]).astype(np.float16))
    by_few = bearings((few / 2).astype(np.float16))

    assert by_spread[0].chance == pytest.approx(1 / SKETCH_SIZE**0.5, rel=0.1)
    assert by_few[0].chance == pytest.approx(1 / 4**0.5)


def test_one_client_has_nobody_to_be_compared_with() -> None:
    with pytest.raises(ValueError, match="at least two"):
        bearings(np.ones((1, SKETCH_SIZE), np.float16))
