from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.track.association import assign, overlap

pytestmark = pytest.mark.unit

LEAST = 0.3


def best_total(likeness: NDArray[np.float64]) -> float:
    """What the best pairing is worth above leaving everybody alone, by trying all of them."""
    worth = np.maximum(likeness - LEAST, 0)
    if worth.shape[0] > worth.shape[1]:
        worth = worth.T
    rows, columns = worth.shape
    return float(max(worth[range(rows), list(p)].sum() for p in permutations(range(columns), rows)))


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0], ids=["few meet", "some compete", "crowd"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (5, 3), (4, 4)])
def test_no_other_pairing_is_worth_more(shape: tuple[int, int], share: float) -> None:
    chance = np.random.default_rng(shape[0] * 10 + shape[1])
    for _ in range(50):
        likeness = chance.random(shape) * (chance.random(shape) < share)

        pairs = assign(likeness, least=LEAST)

        made = likeness[pairs[:, 0], pairs[:, 1]]
        assert (made >= LEAST).all()
        assert len(set(pairs[:, 0].tolist())) == len(set(pairs[:, 1].tolist())) == len(pairs)
        assert (made - LEAST).sum() == pytest.approx(best_total(likeness), abs=1e-9)


def test_pairs_come_in_the_order_of_the_rows() -> None:
    likeness = np.array([[0.0, 0.9, 0.0], [0.8, 0.0, 0.0], [0.0, 0.0, 0.7]])

    assert assign(likeness, least=LEAST).tolist() == [[0, 1], [1, 0], [2, 2]]


@pytest.mark.parametrize(
    ("buffer", "expected"),
    [
        pytest.param(0.0, 1 / 3, id="half of each"),
        # 10 x 10 grown to 20 x 20; 15 x 20 shared of 800 - 300.
        pytest.param(0.5, 300 / 500, id="grown by half on every side"),
    ],
)
def test_overlap_is_the_shared_part_of_both(buffer: float, expected: float) -> None:
    box, other = np.array([[0.0, 0, 10, 10]]), np.array([[5.0, 0, 15, 10]])

    assert overlap(box, other, buffer=buffer)[0, 0] == pytest.approx(expected)


def test_each_row_may_have_a_buffer_of_its_own() -> None:
    boxes, other = np.array([[0.0, 0, 10, 10]] * 2), np.array([[5.0, 0, 15, 10]])

    both = overlap(boxes, other, buffer=np.array([0.0, 0.5]))

    assert both[:, 0].tolist() == pytest.approx([1 / 3, 300 / 500])


def test_boxes_that_only_touch_share_nothing() -> None:
    box, other = np.array([[0.0, 0, 10, 10]]), np.array([[10.0, 0, 20, 10]])

    assert overlap(box, other)[0, 0] == 0
