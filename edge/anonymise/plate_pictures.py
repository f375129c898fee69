"""The median of a camera's pictures → a small file in which no road user and no face is left.

The median alone shows whoever stood still all the time. What the detector finds in it is
covered whole, looked for in the picture and in four overlapping quarters of it, so that
what is small in the one is large in the other; and so is every face.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from common.plates import LEAST_PLATE_SIDE_PX, MOST_PLATE_BYTES, MOST_PLATE_SIDE_PX
from edge.anonymise.redaction import (
    FACE_MARGIN_SHARE,
    MARGIN_SHARE,
    Boxes,
    Detector,
    Faces,
    fill,
    grown,
    scaled,
)
from edge.capture.frames import Frame
from edge.capture.pixels import Bgr

_QUARTER_SHARE = 0.6
"""Of each side: quarters overlap by a fifth of the picture, or a car on the seam is in none."""

_QUALITIES = (80, 65, 50, 35)
_SHRINK = 0.75
_MOST_SIZES = 6


class TooBigPictureError(ValueError):
    """Internal: even a tiny and coarse file was too big."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedPlate:
    """A picture that may leave.

    Attributes:
        webp: The file, at most ``MOST_PLATE_BYTES``.
        covered: How many boxes were filled.
    """

    webp: bytes
    covered: int


class PlatePainter:
    """Covers what should not be on a plate, and makes a file of it."""

    def __init__(self, detector: Detector, *, faces: Faces) -> None:
        self._detector = detector
        self._faces = faces

    def paint(self, plate: NDArray[np.uint8], *, camera_id: str, at: datetime) -> PaintedPlate:
        """Cover and pack.

        Args:
            plate: Shape (h, w, 3), uint8, BGR; left as it is.
            camera_id: Whose plate it is.
            at: When it was taken.

        Raises:
            TooBigPictureError: No file of it is small enough.
        """
        image = plate.copy()
        boxes = np.vstack([*self._road_users(plate, camera_id, at), self._found_faces(plate)])
        fill(image, boxes)
        return PaintedPlate(webp=to_webp(image), covered=len(boxes))

    def _road_users(self, plate: NDArray[np.uint8], camera: str, at: datetime) -> Iterator[Boxes]:
        for index, (left, top, right, bottom) in enumerate(_windows(plate)):
            part = np.ascontiguousarray(plate[top:bottom, left:right])
            size = (right - left, bottom - top)
            # Never index 0: that is a stream's beginning, and this belongs to no stream.
            frame = Frame(
                camera_id=camera,
                index=index + 1,
                captured_s=0.0,
                captured_at=at,
                pixels=Bgr(part),
                native_size=size,
            )
            found = self._detector.detect(frame, frame_size=size).boxes_px
            yield grown(found, share=MARGIN_SHARE) + np.array([left, top, left, top])

    def _found_faces(self, plate: NDArray[np.uint8]) -> Boxes:
        return grown(self._faces.find(plate), share=FACE_MARGIN_SHARE)


def shrunk(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture at the size of a plate, always a copy."""
    small, _ = scaled(image, long_side=MOST_PLATE_SIDE_PX, enlarge=False)
    return small.copy() if small is image else small


def to_webp(image: NDArray[np.uint8]) -> bytes:
    """The picture as one WebP frame: as good as fits, smaller where that is not enough.

    Raises:
        TooBigPictureError: Nothing fits.
    """
    for _ in range(_MOST_SIZES):
        for quality in _QUALITIES:
            _, encoded = cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, quality])
            if len(encoded) <= MOST_PLATE_BYTES:
                return bytes(encoded)
        long_side = round(max(image.shape[:2]) * _SHRINK)
        image, _ = scaled(image, long_side=long_side)
        if min(image.shape[:2]) < LEAST_PLATE_SIDE_PX:
            break
    raise TooBigPictureError(f"no file of {MOST_PLATE_BYTES} bytes holds this plate")


def _windows(plate: NDArray[np.uint8]) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right, bottom: of the whole, and of its quarters."""
    height, width = plate.shape[:2]
    wide, high = round(width * _QUARTER_SHARE), round(height * _QUARTER_SHARE)
    yield 0, 0, width, height
    for top in (0, height - high):
        for left in (0, width - wide):
            yield left, top, left + wide, top + high
