"""Our letterbox, decoding and suppression against Ultralytics' own, on real frames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from common.errors import NotFoundError
from common.road_users import ROAD_USER_INDEX, ROAD_USERS, RoadUser
from edge.detect.decode import Thresholds, overlaps
from edge.detect.engine import InferenceEngine
from edge.detect.models import ModelFile, find_model
from edge.detect.onnx_backend import OnnxBackend
from tests.fakes.frames import make_frame

pytestmark = [
    pytest.mark.ml,
    pytest.mark.slow,
    # Warnings of a library that only this comparison runs.
    pytest.mark.filterwarnings("ignore"),
]

SCORE = 0.25
IOU = 0.7
FRAMES = (10, 70, 150)
CLIPS = (
    "ahmetozlu_input.mp4",  # 640x352: no resizing
    "degirum_Traffic.mp4",  # 960x540: scaled down, padded
    "otgt_13-11-00.mp4",  # 800x600: another shape
    "tfl_625_201709281047.mp4",  # 352x288: scaled up, padded
    "tfl_625_201709042126_night.mp4",
)


@pytest.fixture(scope="module")
def model() -> ModelFile:
    try:
        return find_model()
    except NotFoundError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def reference(model: ModelFile) -> Any:
    pytest.importorskip("ultralytics")
    from models.runtime import prepare  # noqa: PLC0415 - absent without the train extra

    prepare(offline=True)
    from ultralytics import YOLO  # noqa: PLC0415 - reads its settings when imported

    return YOLO(str(model.path), task="detect")


@pytest.fixture(scope="module")
def engine(model: ModelFile) -> InferenceEngine:
    # Ultralytics has no suppression between classes; 1 switches ours off.
    thresholds = Thresholds(floor=SCORE, same_class_iou=IOU, cross_class_iou=1)
    backend = OnnxBackend(model.path)
    return InferenceEngine(backend, thresholds=thresholds, model=model)


@pytest.mark.parametrize("clip", CLIPS)
def test_same_boxes_within_one_pixel_and_a_hundredth_of_score(
    shared_data: Path, engine: InferenceEngine, reference: Any, clip: str
) -> None:
    compared = 0
    for image in frames_of(shared_data / "clips" / clip):
        size = (image.shape[1], image.shape[0])
        (expected,) = reference.predict(
            image, conf=SCORE, iou=IOU, imgsz=640, rect=True, device="cpu", verbose=False
        )
        ours = engine.detect(make_frame(image=image), frame_size=size)

        expected = expected[[expected.names[int(i)] in ROAD_USERS for i in expected.boxes.cls]]
        boxes = expected.boxes.xyxy.numpy()
        classes = np.array([class_of(expected.names[int(i)]) for i in expected.boxes.cls])
        partner = partners(boxes, classes, ours.boxes_px, ours.classes)
        assert len(ours) == len(boxes)
        assert sorted(partner) == list(range(len(ours)))
        np.testing.assert_allclose(ours.boxes_px[partner], boxes, atol=1.0)
        np.testing.assert_allclose(ours.scores[partner], expected.boxes.conf.numpy(), atol=0.01)
        compared += len(boxes)

    assert compared > 0


def frames_of(clip: Path) -> Iterator[NDArray[np.uint8]]:
    capture = cv2.VideoCapture(str(clip))
    try:
        for index in range(max(FRAMES) + 1):
            image = capture.read()[1]
            if index in FRAMES:
                yield np.asarray(image, dtype=np.uint8)
    finally:
        capture.release()


def class_of(name: str) -> int:
    return ROAD_USER_INDEX[RoadUser(name)]


def partners(
    boxes: NDArray[np.float32],
    classes: NDArray[np.int64],
    our_boxes: NDArray[np.float32],
    our_classes: NDArray[np.int64],
) -> list[int]:
    """For each expected box our box of the same class that overlaps it most."""
    if not len(boxes):
        return []
    shared = overlaps(boxes, our_boxes) * (classes[:, None] == our_classes[None, :])
    return [int(best) for best in shared.argmax(axis=1)]
