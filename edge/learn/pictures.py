"""Images of a camera ↔ JPEG bytes in memory; no picture is ever written open."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError

_QUALITY = 92


def to_jpeg(image: NDArray[np.uint8], *, most_side_px: int) -> bytes:
    """A picture as a sample keeps it.

    Args:
        image: Shape (h, w, 3), uint8, BGR.
        most_side_px: A larger one is scaled down.
    """
    height, width = image.shape[:2]
    scale = most_side_px / max(height, width)
    if scale < 1:
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()


def from_jpeg(content: bytes) -> NDArray[np.uint8]:
    """The picture, shape (h, w, 3), uint8, BGR.

    Raises:
        ConfigError: Not a picture that OpenCV can read.
    """
    raw = np.frombuffer(content, dtype=np.uint8)
    image = cv2.imdecode(raw, cv2.IMREAD_COLOR) if len(raw) else None
    if image is None:
        raise ConfigError(f"{len(content)} bytes are not a picture, expected JPEG or PNG")
    return np.asarray(image, dtype=np.uint8)


def mirrored(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Left and right exchanged; road users look as likely that way."""
    return np.ascontiguousarray(image[:, ::-1])
