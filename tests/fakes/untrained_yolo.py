"""A seed → a detector of road users that knows nothing, and pictures with a box or two."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

import cv2
import numpy as np

from common.road_users import ROAD_USERS
from common.samples import LabelSource, Region, Sample, SampleBox
from models.detector import keep_road_users
from models.runtime import prepare


@cache
def untrained_yolo(seed: int = 0) -> Any:
    """YOLO11n with our six classes and random weights; built once, so leave it as it is."""
    prepare()
    import torch  # noqa: PLC0415 - absent without the train extra
    from ultralytics import YOLO  # noqa: PLC0415 - reads its settings when imported

    torch.manual_seed(seed)
    model = YOLO("yolo11n.yaml", task="detect")
    keep_road_users(model.model)
    model.model.eval()
    return model


def picture_sample(
    number: int = 0,
    *,
    size: tuple[int, int] = (64, 64),
    camera: str = "north",
    ignore: tuple[Region, ...] = (),
) -> Sample:
    """A grey picture with one blue car in its middle.

    Args:
        number: Makes pictures, times and places differ.
        size: Height and width.
    """
    height, width = size
    picture = np.full((height, width, 3), 90 + number, dtype=np.uint8)
    left, top = width * 3 // 8, height * 3 // 8
    cv2.rectangle(picture, (left, top), (left + width // 4, top + height // 4), (200, 60, 60), -1)
    _, jpeg = cv2.imencode(".jpg", picture)
    return Sample(
        id=f"{number:016x}",
        camera=camera,
        taken_at=datetime.fromtimestamp(number, UTC),
        source=LabelSource.TECHNICIAN,
        boxes=(SampleBox(road_user=ROAD_USERS[2], cx=0.5, cy=0.5, w=0.25, h=0.25),),
        ignore=ignore,
        jpeg=jpeg.tobytes(),
    )
