"""Short ways to say what a camera saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from common.geometry import Box
from common.road_users import ROAD_USER_INDEX, ROAD_USERS, RoadUser
from edge.detect.detections import Detections

STARTED_AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

Seen = tuple[RoadUser, float, Box]
"""What a detector says of one box: class, score, place."""


def detections(at_s: float, seen: Iterable[Seen], *, camera_id: str = "cam") -> Detections:
    """The detections of one frame; every box scores for its own class alone."""
    rows = list(seen)
    scores = np.zeros((len(rows), len(ROAD_USERS)), dtype=np.float32)
    for row, (road_user, score, _) in enumerate(rows):
        scores[row, ROAD_USER_INDEX[road_user]] = score
    return Detections(
        camera_id=camera_id,
        captured_s=at_s,
        captured_at=STARTED_AT + timedelta(seconds=at_s),
        boxes_px=np.array([box for *_, box in rows], dtype=np.float32).reshape(-1, 4),
        scores=np.array([score for _, score, _ in rows], dtype=np.float32),
        classes=np.array([ROAD_USER_INDEX[user] for user, *_ in rows], dtype=np.int64),
        class_scores=scores,
    )


def box(foot_x: float, foot_y: float, *, width: float = 60, height: float = 40) -> Box:
    """A box that stands on (foot_x, foot_y)."""
    return Box(foot_x - width / 2, foot_y - height, foot_x + width / 2, foot_y)


def times_s(duration_s: float, *, fps: float = 20) -> Sequence[float]:
    """The moments of the frames of a stream."""
    return [frame / fps for frame in range(round(duration_s * fps) + 1)]
