"""Boxes that are known beforehand → a detector that finds them in every frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.road_users import ROAD_USERS
from edge.capture.frames import Frame
from edge.detect.detections import Detections


class FixedDetector:
    """Finds what it is told to, as shares of the picture; change ``boxes`` at any time."""

    def __init__(self, *boxes: tuple[float, float, float, float]) -> None:
        self.boxes: Sequence[tuple[float, float, float, float]] = boxes

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        number = len(self.boxes)
        shares = np.array(self.boxes, dtype=np.float32).reshape(number, 4)
        return Detections(
            camera_id=frame.camera_id,
            captured_s=frame.captured_s,
            captured_at=frame.captured_at,
            boxes_px=shares * np.array([*frame_size, *frame_size], dtype=np.float32),
            scores=np.ones(number, dtype=np.float32),
            classes=np.zeros(number, dtype=np.int64),
            class_scores=np.zeros((number, len(ROAD_USERS)), dtype=np.float32),
        )
