from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from common.release.calibration import CalibrationSet, calibration_bytes, frame_boxes
from common.road_users import ROAD_USER_INDEX, ROAD_USERS, RoadUser
from edge.capture.frames import Frame
from edge.detect.detections import Detections
from edge.update.gate_process import GateOrder, ModelToMeasure
from edge.update.measuring import measured

pytestmark = pytest.mark.unit

BOX = (10.0, 10.0, 50.0, 40.0)


class SeesOne:
    """Finds one road user of a class, always at the same place."""

    def __init__(self, road_user: RoadUser) -> None:
        self._class = ROAD_USER_INDEX[road_user]

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        assert frame_size == frame.size
        return Detections(
            camera_id=frame.camera_id,
            captured_s=frame.captured_s,
            captured_at=datetime(2026, 1, 1, tzinfo=UTC),
            boxes_px=np.array([BOX], dtype=np.float32),
            scores=np.array([0.9], dtype=np.float32),
            classes=np.array([self._class], dtype=np.int64),
            class_scores=np.zeros((1, len(ROAD_USERS)), dtype=np.float32),
        )


def test_classes_are_compared_by_name_and_not_by_the_number_they_have_in_the_release(
    tmp_path: Path,
) -> None:
    classes = (RoadUser.TRUCK, RoadUser.CAR)
    car, unknown = frame_boxes([(BOX, 1, 1.0)]), frame_boxes([(BOX, 7, 1.0)])
    file = tmp_path / "calibration.npz"
    pictures = np.zeros((2, 60, 80, 3), dtype=np.uint8)
    file.write_bytes(
        calibration_bytes(
            CalibrationSet(frames=pictures, truth=(car, car), reference=(car, unknown))
        )
    )
    models = {Path("new.onnx"): RoadUser.CAR, Path("old.onnx"): RoadUser.TRUCK}
    order = GateOrder(
        backend="onnx",
        engine_cache=tmp_path,
        candidate=ModelToMeasure(path=Path("new.onnx"), input_long_side=640),
        active=ModelToMeasure(path=Path("old.onnx"), input_long_side=640),
        calibration=file,
        classes=classes,
    )

    figures = measured(
        order, open_looker=lambda model: SeesOne(models[model.path]), on_built=lambda: None
    )

    assert (figures.match, figures.f1, figures.active_f1) == (0.5, 1.0, 0.0)
