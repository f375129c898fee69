"""Frames of a camera → small pictures in which no road user and no face is left.

Covered is covered: a box is filled with one grey, because mosaics and blurs of a face can be
undone (McPherson, Shokri and Shmatikov 2016, *Defeating image obfuscation with deep learning*).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError
from edge.capture.frames import Frame
from edge.detect.detections import Detections

SCORE_FLOOR = 0.05
"""Far below what counts: a wrong box costs a grey patch, a missing one shows somebody. On an
indoor clip with people cut by the picture's edge, 0.05 covers them in 270 of 273 pictures,
0.25 in 267; with the neighbours below, in all."""

FACE_FLOOR = 0.3
"""Of YuNet, far below what is usual, too: in a crowd it covers every face of which more than
the hair is seen, but for one in the distance."""

LARGE_FACE_SHARE, LARGE_FACE_FLOOR = 0.02, 0.7
"""A face that fills more of the picture than this is seen clearly or is none: at 0.3 to 0.4 YuNet
takes a third of an empty street for one. Whoever is that close is also found as a person."""

LONGEST_SIDE_PX = 640
"""Of what is shown. The network sees the picture at this size, so what it cannot find is small
in what is shown, too: a vehicle of 40 pixels has a number plate of about ten."""

REMEMBERED = timedelta(seconds=1.5)
"""Boxes of so much earlier cover as well: a detector that blinks uncovers nobody."""

MOSAIC_COLUMNS = 32
"""Fields over the width of a picture without face finder; a face then is a field or two."""

_FACE_SIDE_PX = 1280
MARGIN_SHARE, FACE_MARGIN_SHARE = 0.1, 0.3
"""Of the longer side of a road user's box, and of a face's, that are covered around it."""

_LEAST_MARGIN_PX = 6.0
_GREY = (128, 128, 128)
_JPEG_QUALITY = 80

Boxes = NDArray[np.float64]
"""Shape (n, 4), x1 y1 x2 y2 in pixels."""


class Detector(Protocol):
    """What finds road users: an ``InferenceEngine`` with the floor ``SCORE_FLOOR``."""

    def detect(self, frame: Frame, *, frame_size: tuple[int, int]) -> Detections:
        """Boxes in pixels of ``frame_size`` (width, height)."""
        ...


class Faces(Protocol):
    """What finds faces."""

    def find(self, image: NDArray[np.uint8]) -> Boxes:
        """Boxes in pixels of the image, shape (h, w, 3), uint8, BGR."""
        ...


class FaceFinder:
    """Faces by YuNet (Wu et al. 2023, *YuNet: a tiny millisecond-level face detector*)."""

    def __init__(self, model: Path) -> None:
        """Load the model and try it.

        Raises:
            ConfigError: The file is missing or is no such model.
        """
        try:
            self._model = cv2.FaceDetectorYN.create(
                str(model), "", (320, 320), FACE_FLOOR, 0.3, 5000
            )
            self.find(np.zeros((64, 64, 3), dtype=np.uint8))
        except cv2.error as error:
            raise ConfigError(
                f"face_model {model} cannot be used, expected a YuNet face detector (.onnx)",
                hint="take face_detection_yunet_2023mar.onnx of the OpenCV model zoo",
            ) from error

    def find(self, image: NDArray[np.uint8]) -> Boxes:
        """Boxes of faces.

        Args:
            image: Shape (h, w, 3), uint8, BGR.

        Returns:
            Boxes in pixels of the image.
        """
        large, scale = scaled(image, long_side=_FACE_SIDE_PX)
        self._model.setInputSize((large.shape[1], large.shape[0]))
        _, found = self._model.detect(large)
        if found is None:
            return np.zeros((0, 4))
        areas = found[:, 2] * found[:, 3] / (large.shape[0] * large.shape[1])
        found = found[(areas <= LARGE_FACE_SHARE) | (found[:, 14] >= LARGE_FACE_FLOOR)]
        corners = np.hstack([found[:, :2], found[:, :2] + found[:, 2:4]])
        return np.asarray(corners / scale, dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Redacted:
    """A picture that may be shown on the box.

    Attributes:
        image: Shape (h, w, 3), uint8, BGR, its longer side at most ``LONGEST_SIDE_PX``.
        captured_at: When it was taken, aware UTC.
        covered: How many boxes are filled.
        is_mosaic: True when no face finder was there and all of it became a mosaic.
    """

    image: NDArray[np.uint8]
    captured_at: datetime
    covered: int
    is_mosaic: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    image: NDArray[np.uint8]
    captured_at: datetime
    boxes: Boxes


class Redactor:
    """Covers whole road users, with whatever they carry, and every face.

    Pictures come out one late: whoever enters is covered already where the next picture finds
    them. Without a face finder the whole picture is a coarse mosaic as well, since a face
    behind a window belongs to no road user that a detector sees: good enough to see
    where the road runs, not who is on it.
    """

    def __init__(self, detector: Detector, *, faces: Faces | None) -> None:
        self._detector = detector
        self._faces = faces
        self._seen: deque[_Seen] = deque()

    def add(self, frame: Frame) -> Redacted | None:
        """Take the newest picture and give the one before it, or None at first."""
        newest = self._looked_at(frame)
        if self._seen and self._seen[-1].image.shape != newest.image.shape:
            self._seen.clear()
        shown = self._seen[-1] if self._seen else None
        self._seen.append(newest)
        if shown is None:
            return None
        while self._seen[0].captured_at < shown.captured_at - REMEMBERED:
            self._seen.popleft()
        return self._redacted(shown)

    def _looked_at(self, frame: Frame) -> _Seen:
        image, scale = scaled(frame.image, long_side=LONGEST_SIDE_PX, enlarge=False)
        height, width = image.shape[:2]
        users = self._detector.detect(frame, frame_size=(width, height)).boxes_px
        covers = [grown(users, share=MARGIN_SHARE)]
        if self._faces is not None:
            covers.append(grown(self._faces.find(frame.image) * scale, share=FACE_MARGIN_SHARE))
        return _Seen(image, frame.captured_at, np.vstack(covers))

    def _redacted(self, shown: _Seen) -> Redacted:
        image = shown.image.copy() if self._faces is not None else _mosaic(shown.image)
        covered = 0
        for seen in self._seen:
            covered += len(seen.boxes)
            fill(image, seen.boxes)
        return Redacted(
            image=image,
            captured_at=shown.captured_at,
            covered=covered,
            is_mosaic=self._faces is None,
        )


def to_jpeg(image: NDArray[np.uint8]) -> bytes:
    """The picture as a JPEG file."""
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return bytes(encoded)


def scaled(
    image: NDArray[np.uint8], *, long_side: int, enlarge: bool = True
) -> tuple[NDArray[np.uint8], float]:
    """The image with its longer side at ``long_side`` pixels, and by how much it was scaled."""
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    if scale == 1 or (scale > 1 and not enlarge):
        return image, 1.0
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=how), dtype=np.uint8), scale


def grown(boxes: NDArray[np.floating], *, share: float) -> Boxes:
    """Boxes with a margin on every side, a share of their longer one."""
    sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    margins = np.maximum(share * sides, _LEAST_MARGIN_PX)[:, None]
    return np.hstack([boxes[:, :2] - margins, boxes[:, 2:] + margins]).astype(np.float64)


def fill(image: NDArray[np.uint8], boxes: Iterable[NDArray[np.float64]]) -> None:
    """Cover each box with one grey."""
    height, width = image.shape[:2]
    for x1, y1, x2, y2 in boxes:
        left, top = max(int(x1), 0), max(int(y1), 0)
        right, bottom = min(int(np.ceil(x2)), width), min(int(np.ceil(y2)), height)
        image[top : max(bottom, top), left : max(right, left)] = _GREY


def _mosaic(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = image.shape[:2]
    rows = max(round(MOSAIC_COLUMNS * height / width), 1)
    small = cv2.resize(image, (MOSAIC_COLUMNS, rows), interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(large, dtype=np.uint8)
