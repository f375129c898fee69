"""Two models and a calibration set → the gate's figures, with the backend that will count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from common.release.calibration import CalibrationSet, FrameBoxes, read_calibration
from common.release_state import GateFigures
from common.road_users import ROAD_USER_INDEX, RoadUser
from edge.capture.frames import Frame
from edge.capture.pixels import Bgr
from edge.detect.detections import Detections
from edge.update.gate import f1, match_share
from edge.update.gate_process import GateOrder, ModelToMeasure

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_CAMERA = "calibration"


class Looker(Protocol):
    """What finds road users; ``InferenceEngine`` does."""

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        """Boxes in pixels of ``frame_size``."""
        ...


OpenLooker = Callable[[ModelToMeasure], Looker]


def measured(
    order: GateOrder, *, open_looker: OpenLooker, on_built: Callable[[], object]
) -> GateFigures:
    """Look at every frame with both models.

    Raises:
        ConfigError: A model cannot be run.
        TrustError: The calibration set is none.
    """
    calibration = read_calibration(order.calibration)
    candidate = open_looker(order.candidate)
    on_built()
    truth = [_as_counted(frame, order.classes) for frame in calibration.truth]
    reference = [_as_counted(frame, order.classes) for frame in calibration.reference]
    found = _found(candidate, calibration)
    del candidate  # a small GPU holds one of them at a time
    active = _found(open_looker(order.active), calibration)
    return GateFigures(
        match=match_share(found, reference), f1=f1(found, truth), active_f1=f1(active, truth)
    )


def _found(looker: Looker, calibration: CalibrationSet) -> list[FrameBoxes]:
    found = []
    for index, image in enumerate(calibration.frames):
        height, width = image.shape[:2]
        frame = Frame(
            camera_id=_CAMERA,
            index=index,
            captured_s=float(index),
            captured_at=_EPOCH,
            pixels=Bgr(image),
            native_size=(width, height),
        )
        seen = looker.detect(frame, frame_size=(width, height))
        found.append(FrameBoxes(boxes_px=seen.boxes_px, classes=seen.classes, scores=seen.scores))
    return found


def _as_counted(frame: FrameBoxes, classes: Sequence[RoadUser]) -> FrameBoxes:
    """Classes as the engine numbers them; an index beyond the list fits no road user."""
    ours = np.array([*(ROAD_USER_INDEX[each] for each in classes), -1], dtype=np.int64)
    known = (frame.classes >= 0) & (frame.classes < len(classes))
    return FrameBoxes(
        boxes_px=frame.boxes_px,
        classes=ours[np.where(known, frame.classes, len(classes))],
        scores=frame.scores,
    )
