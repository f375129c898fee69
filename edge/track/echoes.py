"""Several boxes on one road user → the best of them.

A detector that is asked for its unsure boxes too gives a lorry a second box for the
cab, a car a second one with its shadow. Each echo would become a track and a false
count. Two road users are told from an echo by the ground under them: whoever stands
behind another touches the road higher up in the picture.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from common.road_users import HAS_CAB, ROAD_USER_INDEX, RoadUser
from edge.detect.detections import Detections

_PERSON = ROAD_USER_INDEX[RoadUser.PERSON]
# Two vehicles that share this much of the picture would share the road too.
_SAME_PLACE = 0.7
# With the bottoms at one height less is enough, and lying inside the other is enough.
_SAME_GROUND_PLACE = 0.45
_INSIDE = 0.75
# A box around the upper body has its middle above the middle of the whole body.
_IN_LINE = 0.25
# Bottoms this close, in heights of the smaller box, touch the road at one distance.
_SAME_GROUND = 0.2
# A box about as sure as its neighbour speaks for itself.
_MUCH_LESS_SURE = 0.7


def echo_of(
    boxes: NDArray[np.floating],
    others: NDArray[np.floating],
    *,
    has_cab: NDArray[np.bool_],
    others_have_cab: NDArray[np.bool_],
    maybe: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Whether each box is on the same road user as each other box.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2 in pixels.
        others: Shape (m, 4), likewise.
        has_cab: Shape (n,), True for car, bus and truck.
        others_have_cab: Shape (m,), likewise.
        maybe: Shape (n, m), the pairs that are asked about; the others are no echoes.

    Returns:
        Shape (n, m).
    """
    sides = np.minimum(boxes[:, None, 2:], others[:, 2:])
    sides -= np.maximum(boxes[:, None, :2], others[:, :2])
    # Few pairs of a frame share any ground; only those are looked at closely.
    echoes = maybe & (sides > 0).all(axis=2) & (has_cab[:, None] == others_have_cab)
    rows, columns = np.nonzero(echoes)
    if len(rows):
        pair_sides = sides[rows, columns]
        echoes[rows, columns] = _are_echoes(
            boxes[rows], others[columns], pair_sides[:, 0] * pair_sides[:, 1], has_cab[rows]
        )
    return np.asarray(echoes)


def _are_echoes(
    boxes: NDArray[np.floating],
    others: NDArray[np.floating],
    shared: NDArray[np.floating],
    has_cab: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """For k pairs of one kind that share an area: which are on one road user, shape (k,)."""
    size, other_size = boxes[:, 2:] - boxes[:, :2], others[:, 2:] - others[:, :2]
    least_size = np.minimum(size, other_size)
    area, other_area = size[:, 0] * size[:, 1], other_size[:, 0] * other_size[:, 1]
    place = shared / np.maximum(area + other_area - shared, 1e-9)
    inside = shared / np.maximum(np.minimum(area, other_area), 1e-9)
    same_ground = np.abs(boxes[:, 3] - others[:, 3]) <= _SAME_GROUND * least_size[:, 1]
    near = (place >= _SAME_GROUND_PLACE) | (inside >= _INSIDE)
    middle, other_middle = boxes[:, 0] + boxes[:, 2], others[:, 0] + others[:, 2]
    in_line = np.abs(middle - other_middle) / 2 <= _IN_LINE * least_size[:, 0]
    upright = ~has_cab & in_line & (inside >= _INSIDE)
    return np.asarray((place >= _SAME_PLACE) | (same_ground & near) | upright)


def drop_echoes(detections: Detections) -> Detections:
    """Keep the best box of each road user; the others of its kind are dropped."""
    count = len(detections)
    if count < 2:
        return detections
    order = np.argsort(-detections.scores, kind="stable")
    boxes, scores = detections.boxes_px[order], detections.scores[order]
    has_cab = HAS_CAB[detections.classes[order]]
    is_surer = scores[:, None] > scores * (1 / _MUCH_LESS_SURE)
    # A person on a cycle looks like an echo of it; the two are merged later, not dropped.
    is_person = detections.classes[order] == _PERSON
    is_surer &= has_cab[:, None] | (is_person[:, None] == is_person)
    echoes = echo_of(boxes, boxes, has_cab=has_cab, others_have_cab=has_cab, maybe=is_surer)
    if not echoes.any():
        return detections
    keep = np.ones(count, dtype=bool)
    for better in range(count):
        if keep[better]:
            worse = echoes[better]
            worse[: better + 1] = False
            keep &= ~worse
    kept = np.sort(order[keep])
    return replace(
        detections,
        boxes_px=detections.boxes_px[kept],
        scores=detections.scores[kept],
        classes=detections.classes[kept],
        class_scores=detections.class_scores[kept],
    )
