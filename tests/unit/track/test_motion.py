from __future__ import annotations

import numpy as np
import pytest

from edge.track.association import assign, overlap
from edge.track.motion import BoxMotion, to_boxes, to_states


@pytest.mark.unit
def test_states_and_boxes_are_two_ways_to_say_the_same() -> None:
    boxes = np.array([[10.0, 20, 50, 100], [0, 0, 8, 4]])

    assert to_states(boxes)[0].tolist() == [30, 100, 40, 80]
    assert np.allclose(to_boxes(to_states(boxes)), boxes)


@pytest.mark.unit
@pytest.mark.parametrize("fps", [5, 25, 100])
def test_the_velocity_is_learned_in_pixels_per_second_at_every_frame_rate(fps: int) -> None:
    motion = BoxMotion()
    for frame in range(2 * fps):
        box = np.array([[100.0 * frame / fps, 0, 100.0 * frame / fps + 40, 40]])
        if frame == 0:
            motion.add(box)
            continue
        motion.predict(1 / fps)
        motion.correct(np.array([0]), box, np.array([0.9]))

    assert motion.velocity[0, 0] == pytest.approx(100, rel=0.05)
    assert motion.pace()[0] == pytest.approx(100 / 40, rel=0.05)


@pytest.mark.unit
def test_a_hidden_box_moves_on_but_keeps_its_size() -> None:
    motion = BoxMotion()
    motion.add(np.array([[0.0, 0, 40, 40]]))
    motion.velocity[0] = [100, 0, -30, -30]

    for _ in range(20):
        motion.predict(0.1)

    assert motion.position[0, 0] == pytest.approx(20 + 200)
    assert motion.position[0, 2] > 20


@pytest.mark.unit
def test_overlap_is_that_of_the_grown_boxes() -> None:
    left, right = np.array([[0.0, 0, 10, 10]]), np.array([[10.0, 0, 20, 10]])

    assert overlap(left, right)[0, 0] == 0
    # Grown by half: 20 wide each, 10 of it shared, 20 high.
    assert overlap(left, right, buffer=0.5)[0, 0] == pytest.approx(1 / 3)


@pytest.mark.unit
def test_the_assignment_prefers_the_best_sum_over_the_best_pair() -> None:
    likeness = np.array([[0.9, 0.8], [0.8, 0.1]])

    assert assign(likeness, least=0.2).tolist() == [[0, 1], [1, 0]]


@pytest.mark.unit
def test_pairs_below_the_least_likeness_are_not_made() -> None:
    assert assign(np.array([[0.1, 0.15]]), least=0.2).tolist() == []
    assert assign(np.empty((0, 3)), least=0.2).tolist() == []
