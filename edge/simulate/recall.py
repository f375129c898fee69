"""Exact frame truth and a detector's boxes → how many road users it finds and names rightly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.geometry import Box
from common.road_users import ROAD_USERS, RoadUser
from edge.simulate.frame_truth import FrameUser

LEAST_OVERLAP = 0.45


@dataclass(slots=True)
class Recall:
    """Outcome for one class.

    Attributes:
        shown: Road users that could be seen well.
        found: Of those, under a box of any class that fits.
        right: Of those, with the right class.
    """

    shown: int = 0
    found: int = 0
    right: int = 0


def recall_by_class(
    frames: Iterable[tuple[tuple[FrameUser, ...], NDArray[np.float32], NDArray[np.int64]]],
    *,
    least_height_px: float = 30.0,
    least_visible: float = 0.9,
) -> dict[RoadUser, Recall]:
    """Compare detections with the truth.

    A cycle is looked for without its rider, who is a box of its own (COCO's convention).

    Args:
        frames: For each frame everybody in it, boxes of shape (n, 4) as x1 y1 x2 y2 in the
            same pixels, and classes of shape (n,), index into ``ROAD_USERS``.
        least_height_px: Smaller road users do not count.
        least_visible: Neither do those with less of them visible, nor any cut by the frame.

    Returns:
        Class to its outcome, for the classes that were shown.
    """
    outcome: dict[RoadUser, Recall] = {}
    for users, boxes, classes in frames:
        for user in users:
            box = user.cycle_px or user.box_px
            if user.is_cut or user.visible < least_visible or box.height < least_height_px:
                continue
            names = _names_over(user.road_user, box, boxes, classes)
            recall = outcome.setdefault(user.road_user, Recall())
            recall.shown += 1
            recall.found += bool(names)
            recall.right += bool(names) and names[0] is user.road_user
    return outcome


def _names_over(
    road_user: RoadUser, box: Box, boxes: NDArray[np.float32], classes: NDArray[np.int64]
) -> list[RoadUser]:
    """Classes of the boxes that fit, best fit first."""
    if not len(boxes):
        return []
    low = np.maximum(boxes[:, :2], box[:2])
    high = np.minimum(boxes[:, 2:], box[2:])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    overlap = common / (areas + box.area - common)
    fitting = [
        (float(overlap[i]), ROAD_USERS[int(classes[i])])
        for i in np.flatnonzero(overlap > LEAST_OVERLAP)
    ]
    if road_user.is_ridden:
        fitting = [f for f in fitting if f[1] is not RoadUser.PERSON]
    return [name for _, name in sorted(fitting, key=lambda f: -f[0])]
