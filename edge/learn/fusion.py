"""Boxes of several looks at one picture → one box per road user, with how many agreed.

Weighted boxes fusion (Solovyev, Wang, Gabruseva: "Weighted boxes fusion: Ensembling boxes from
different object detection models", 2021): places are averaged by score, and what only some of
the looks saw is as much less sure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from common.geometry import Box
from common.road_users import HAS_CAB, ROAD_USERS
from edge.detect.detections import Detections
from edge.learn.marks import Mark, iou

SAME_IOU = 0.55
"""The value of the paper; two looks at one road user overlap more, neighbours hardly ever."""


@dataclass(slots=True)
class _Cluster:
    class_index: int
    best_of_look: dict[int, float] = field(default_factory=dict)
    weight: float = 0.0
    corners: NDArray[np.float64] = field(default_factory=lambda: np.zeros(4))
    class_scores: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(ROAD_USERS)))

    @property
    def box(self) -> Box:
        return Box(*(self.corners / self.weight).tolist())

    def add(self, look: int, row: _Row) -> None:
        self.best_of_look[look] = max(self.best_of_look.get(look, 0.0), row.score)
        self.weight += row.score
        self.corners += np.asarray(row.box) * row.score
        self.class_scores += row.class_scores


@dataclass(frozen=True, slots=True)
class _Row:
    box: Box
    score: float
    class_index: int
    class_scores: NDArray[np.float64]


def fuse(looks: Sequence[Detections]) -> tuple[Mark, ...]:
    """Road users that the looks saw together, surest first.

    Args:
        looks: Of one picture, in pixels of one frame size.

    Returns:
        Marks whose score is the mean over all looks, 0 for a look that did not see it.
    """
    rows = sorted(
        ((look, row) for look, seen in enumerate(looks) for row in _rows(seen)),
        key=lambda item: -item[1].score,
    )
    clusters: list[_Cluster] = []
    for look, row in rows:
        cluster = _nearest(clusters, row)
        if cluster is None:
            cluster = _Cluster(row.class_index)
            clusters.append(cluster)
        cluster.add(look, row)
    marks = [
        Mark(
            box_px=cluster.box,
            road_user=ROAD_USERS[int(cluster.class_scores.argmax())],
            score=sum(cluster.best_of_look.values()) / len(looks),
        )
        for cluster in clusters
    ]
    return tuple(sorted(marks, key=lambda mark: -mark.score))


def mirrored_back(seen: Detections, width_px: int) -> Detections:
    """Boxes that were seen in the mirrored picture, in the picture as it is."""
    boxes = seen.boxes_px.copy()
    boxes[:, 0] = width_px - seen.boxes_px[:, 2]
    boxes[:, 2] = width_px - seen.boxes_px[:, 0]
    return Detections(
        camera_id=seen.camera_id,
        captured_s=seen.captured_s,
        captured_at=seen.captured_at,
        boxes_px=boxes,
        scores=seen.scores,
        classes=seen.classes,
        class_scores=seen.class_scores,
    )


def are_alike(one: int, other: int) -> bool:
    """Whether a detector may take two classes for each other: cars, buses and trucks."""
    return one == other or bool(HAS_CAB[one] and HAS_CAB[other])


def _rows(seen: Detections) -> Iterable[_Row]:
    for box, score, class_index, class_scores in zip(
        seen.boxes_px.tolist(),
        seen.scores.tolist(),
        seen.classes.tolist(),
        seen.class_scores,
        strict=True,
    ):
        yield _Row(Box(*box), score, class_index, class_scores.astype(np.float64))


def _nearest(clusters: Iterable[_Cluster], row: _Row) -> _Cluster | None:
    """The cluster that this box belongs to, None for a new one."""
    best, nearest = SAME_IOU, None
    for cluster in clusters:
        if not are_alike(cluster.class_index, row.class_index):
            continue
        overlap = iou(cluster.box, row.box)
        if overlap > best:
            best, nearest = overlap, cluster
    return nearest
