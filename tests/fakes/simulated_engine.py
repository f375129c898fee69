"""A simulated scene → an engine that sees what is really there, without looking."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from common.road_users import ROAD_USER_INDEX, ROAD_USERS
from edge.capture.frames import Frame
from edge.detect.detections import Detections
from edge.detect.engine import EngineInfo, Request
from edge.simulate.config import SceneConfig
from edge.simulate.world import World

SMALLEST_PX = 3.0


class SimulatedEngine:
    """Stands for ``InferenceEngine``; keeps a world per camera in step with its frames."""

    info = EngineInfo(name="truth", version="1", backend="none", sha256="", input="none")
    lanes = 1

    def __init__(self, scenes: dict[str, SceneConfig]) -> None:
        self._scenes = scenes
        self._worlds: dict[str, World] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Nothing runs between two calls."""

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        return self.detect_batch([Request(frame=frame, frame_size=frame_size)])[0]

    def detect_batch(self, requests: Sequence[Request]) -> list[Detections]:
        with self._lock:
            return [self._seen(request) for request in requests]

    def _seen(self, request: Request) -> Detections:
        frame = request.frame
        world = self._worlds.get(frame.camera_id)
        if world is None or frame.index == 0:
            world = self._worlds[frame.camera_id] = World(self._scenes[frame.camera_id])
        camera = world.camera_at(frame.captured_s)
        width, height = request.frame_size
        boxes, classes = [], []
        for user in world.at(frame.captured_s):
            box = user.box(camera)
            if box is None:
                continue
            inside = (max(box.x1, 0), max(box.y1, 0), min(box.x2, width), min(box.y2, height))
            if min(inside[2] - inside[0], inside[3] - inside[1]) >= SMALLEST_PX:
                boxes.append(inside)
                classes.append(ROAD_USER_INDEX[user.road_user])
        class_scores = np.full((len(boxes), len(ROAD_USERS)), 0.01, dtype=np.float32)
        class_scores[np.arange(len(boxes)), classes] = 0.9
        return Detections(
            camera_id=frame.camera_id,
            captured_s=frame.captured_s,
            captured_at=frame.captured_at,
            boxes_px=np.asarray(boxes, dtype=np.float32).reshape(-1, 4),
            scores=np.full(len(boxes), 0.9, dtype=np.float32),
            classes=np.asarray(classes, dtype=np.int64),
            class_scores=class_scores,
        )
