"""A picture with one white rectangle → one car there; enough to count real pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.road_users import ROAD_USER_INDEX, ROAD_USERS, RoadUser
from edge.capture.frames import Frame
from edge.detect.detections import Detections
from edge.detect.engine import EngineInfo, Request

WHITE = 235
LEAST_PX = 150


class WhiteCarEngine:
    """Stands for ``InferenceEngine``; raises what it is told to."""

    info = EngineInfo(name="white", version="1", backend="none", sha256="", input="none")
    lanes = 1

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.failing_camera = ""

    def close(self) -> None:
        """Nothing runs between two calls."""

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        return self.detect_batch([Request(frame=frame, frame_size=frame_size)])[0]

    def detect_batch(self, requests: Sequence[Request]) -> list[Detections]:
        for request in requests:
            if self.error is not None and request.frame.camera_id == self.failing_camera:
                error, self.error = self.error, None
                raise error
        return [_seen(request) for request in requests]


def _seen(request: Request) -> Detections:
    frame = request.frame
    rows, columns = np.nonzero(frame.image.min(axis=2) > WHITE)
    boxes = []
    if len(rows) >= LEAST_PX:
        boxes.append((columns.min(), rows.min(), columns.max(), rows.max()))
    car = ROAD_USER_INDEX[RoadUser.CAR]
    class_scores = np.full((len(boxes), len(ROAD_USERS)), 0.01, dtype=np.float32)
    class_scores[:, car] = 0.9
    return Detections(
        camera_id=frame.camera_id,
        captured_s=frame.captured_s,
        captured_at=frame.captured_at,
        boxes_px=np.asarray(boxes, dtype=np.float32).reshape(-1, 4),
        scores=np.full(len(boxes), 0.9, dtype=np.float32),
        classes=np.full(len(boxes), car, dtype=np.int64),
        class_scores=class_scores,
    )
