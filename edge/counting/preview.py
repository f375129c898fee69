"""A source and its site file → one picture with the lines on it and nobody in it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError
from common.site import Camera
from edge.capture.background import BackgroundPlate
from edge.capture.frames import Frame
from edge.capture.ingestion import CapturedFrame, CaptureSettings
from edge.capture.pixels import Bgr
from edge.container import EdgeContainer
from edge.counting.drawing import draw_sections, save_picture
from edge.pipeline import Detector

_EVERY_S = 0.5
_LONGEST_S = 60.0
# Whoever stood still all the time is still on the median; a mosaic of this many fields hides
# a face or a plate and keeps the road readable.
_MOSAIC_FIELDS = 4
_MARGIN_SHARE = 0.1


def site_preview(container: EdgeContainer, camera: Camera, output: Path) -> int:
    """Write the counting lines over the empty scene; returns how many road users were hidden.

    Raises:
        ConfigError: Too few pictures for an empty scene, or the file cannot be written.
    """
    plate = empty_scene(container, camera)
    hidden = hide_road_users(plate, camera, container.engine())
    draw_sections(plate, camera)
    save_picture(plate, output)
    return hidden


def empty_scene(container: EdgeContainer, camera: Camera) -> NDArray[np.uint8]:
    """The temporal median of up to a minute, shape (h, w, 3), BGR.

    Raises:
        ConfigError: The source ended after too few pictures.
    """
    background = BackgroundPlate()
    next_s = 0.0
    for item in container.capture(camera, settings=CaptureSettings(keeps_trying=False)):
        at_s = item.frame.captured_s if isinstance(item, CapturedFrame) else item.until_s
        if isinstance(item, CapturedFrame) and at_s >= next_s:
            background.add(item.frame.image)
            next_s = at_s + _EVERY_S
        if at_s >= _LONGEST_S:
            container.stop().set()
    if not background.is_learned:
        raise ConfigError(
            f"camera {camera.id!r} gave {len(background)} pictures half a second apart, "
            "expected 3 or more",
            hint="use a longer clip",
        )
    return background.median()


def hide_road_users(plate: NDArray[np.uint8], camera: Camera, detector: Detector) -> int:
    """Turn every road user that is left on the plate into a mosaic; returns how many."""
    height, width = plate.shape[:2]
    frame = Frame(
        camera_id=camera.id,
        index=0,
        captured_s=0.0,
        captured_at=datetime.now(UTC),
        pixels=Bgr(plate),
        native_size=(width, height),
    )
    boxes = detector.detect(frame, frame_size=(width, height)).boxes_px
    for x1, y1, x2, y2 in boxes:
        margin = _MARGIN_SHARE * max(x2 - x1, y2 - y1)
        left, top = max(int(x1 - margin), 0), max(int(y1 - margin), 0)
        right, bottom = min(int(x2 + margin) + 1, width), min(int(y2 + margin) + 1, height)
        part = plate[top:bottom, left:right]
        fields = (_MOSAIC_FIELDS, _MOSAIC_FIELDS)
        small = cv2.resize(part, fields, interpolation=cv2.INTER_AREA)
        size = (right - left, bottom - top)
        plate[top:bottom, left:right] = cv2.resize(small, size, interpolation=cv2.INTER_NEAREST)
    return len(boxes)
