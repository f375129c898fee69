"""Raw predictions of one image → few boxes, one per road user.

Greedy non-maximum suppression as in Ultralytics (per class, IoU above a limit), plus
one step against a known fault: the same lorry boxed once as truck and once as bus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError
from common.road_users import ROAD_USER_INDEX, ROAD_USERS, RoadUser

MAX_CANDIDATES = 600
"""Best-scored anchors that enter suppression; a crowd at a low floor has about 500."""

MAX_BOXES = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What is kept of the predictions.

    Attributes:
        floor: Lowest score, in [0, 1]. Low (0.05-0.1), because the tracker associates
            weak boxes with tracks that it already has.
        same_class_iou: Overlap above which the weaker of two boxes of one class goes.
        cross_class_iou: The same between classes; 1 keeps both. A person and the
            cycle under them always both stay.
    """

    floor: float
    same_class_iou: float = 0.7
    cross_class_iou: float = 0.8

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        for name in ("floor", "same_class_iou", "cross_class_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, expected 0 to 1")


@dataclass(frozen=True, slots=True, eq=False)
class ClassMap:
    """Which output rows of a model are road users.

    Attributes:
        rows: Shape (k,), int64, score rows of the model that we read.
        classes: Shape (k,), int64, index into ``ROAD_USERS`` for each of them.
        model_classes: How many classes the model has.
    """

    rows: NDArray[np.int64]
    classes: NDArray[np.int64]
    model_classes: int

    @classmethod
    def by_name(cls, class_names: Sequence[str]) -> ClassMap:
        """Match the names in a model file; classes that are not ours are never read.

        Raises:
            ConfigError: The model knows no road user.
        """
        found = [
            (row, ROAD_USER_INDEX[road_user])
            for row, name in enumerate(class_names)
            if (road_user := _road_user(name)) is not None
        ]
        if not found:
            shown = ", ".join(class_names[:6]) or "none"
            raise ConfigError(
                f"the model's classes are {shown}, expected some of {', '.join(ROAD_USERS)}",
                hint="use the packaged model, or one whose metadata names road users",
            )
        rows, classes = np.array(found, dtype=np.int64).T
        return cls(rows, classes, len(class_names))

    def scores(self, predictions: NDArray[np.float32]) -> NDArray[np.float32]:
        """The score rows of the road users; a view where the model has no others."""
        if len(self.rows) == self.model_classes:
            return predictions[4:]
        return predictions[4 + self.rows]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Boxes:
    """What survived in one image, best first.

    Attributes:
        boxes_px: Shape (n, 4), float32, x1 y1 x2 y2 in input pixels.
        scores: Shape (n,), float32, the best class score of each box.
        classes: Shape (n,), int64, index into ``ROAD_USERS``.
        class_scores: Shape (n, 6), float32, in the order of ``ROAD_USERS``; 0 for a
            class the model does not have.
    """

    boxes_px: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    class_scores: NDArray[np.float32]


def decode(predictions: NDArray[np.float32], class_map: ClassMap, thresholds: Thresholds) -> Boxes:
    """Keep one box per road user.

    Args:
        predictions: Shape (4 + classes, anchors) as ``Backend.infer`` gives for one image.
        class_map: Which score rows count.
        thresholds: What to keep.
    """
    scores = class_map.scores(predictions)
    best = scores.max(axis=0)
    # Few anchors in a thousand matter; the rest is dropped before any real work.
    anchors = np.flatnonzero(best > thresholds.floor)
    anchors = anchors[np.argsort(-best[anchors], kind="stable")[:MAX_CANDIDATES]]
    candidates = scores[:, anchors]
    classes = class_map.classes[candidates.argmax(axis=0)]
    centre, half = predictions[:2, anchors], predictions[2:4, anchors] * np.float32(0.5)
    boxes = np.concatenate((centre - half, centre + half)).T
    keep = suppress(boxes, classes, thresholds)[:MAX_BOXES]
    class_scores = np.zeros((len(keep), len(ROAD_USERS)), dtype=np.float32)
    class_scores[:, class_map.classes] = candidates[:, keep].T
    return Boxes(
        boxes_px=np.ascontiguousarray(boxes[keep]),
        scores=best[anchors[keep]],
        classes=classes[keep],
        class_scores=class_scores,
    )


def suppress(
    boxes: NDArray[np.float32], classes: NDArray[np.int64], thresholds: Thresholds
) -> NDArray[np.int64]:
    """Indices of the boxes that survive; ``boxes`` come best first."""
    if len(boxes) < 2:
        return np.arange(len(boxes))
    limits = _limits(thresholds)[classes[:, None], classes[None, :]]
    loses = overlaps(boxes, boxes) > limits
    alive = np.ones(len(boxes), dtype=np.bool_)
    for winner in np.flatnonzero(np.triu(loses, 1).any(axis=1)):
        if alive[winner]:
            alive[winner + 1 :] &= ~loses[winner, winner + 1 :]
    return np.flatnonzero(alive)


def overlaps(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Intersection over union of every pair.

    Args:
        first: Shape (n, 4), x1 y1 x2 y2.
        second: Shape (m, 4), x1 y1 x2 y2.

    Returns:
        Shape (n, m), in [0, 1]; 0 where both boxes are empty.
    """
    sides = np.minimum(first[:, None, 2:], second[:, 2:])
    sides -= np.maximum(first[:, None, :2], second[:, :2])
    np.maximum(sides, 0, out=sides)
    shared = sides[..., 0] * sides[..., 1]
    size, other = first[:, 2:] - first[:, :2], second[:, 2:] - second[:, :2]
    union = (size[:, 0] * size[:, 1])[:, None] + other[:, 0] * other[:, 1] - shared
    share: NDArray[np.float32] = shared / np.maximum(union, np.float32(1e-9))
    return share


@lru_cache(maxsize=8)
def _limits(thresholds: Thresholds) -> NDArray[np.float32]:
    kinds = len(ROAD_USERS)
    limits = np.full((kinds, kinds), thresholds.cross_class_iou, dtype=np.float32)
    np.fill_diagonal(limits, thresholds.same_class_iou)
    person = ROAD_USER_INDEX[RoadUser.PERSON]
    for road_user in ROAD_USERS:
        if road_user.is_ridden:
            cycle = ROAD_USER_INDEX[road_user]
            limits[person, cycle] = limits[cycle, person] = 1
    return limits


def _road_user(name: str) -> RoadUser | None:
    name = name.strip().lower()
    return RoadUser(name) if name in ROAD_USERS else None
