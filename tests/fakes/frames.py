"""A colour and a size → a frame of one camera."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from edge.capture.frames import Frame
from edge.capture.pixels import Bgr

START = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)


def make_frame(
    camera_id: str = "north",
    *,
    size: tuple[int, int] = (640, 384),
    red: int = 0,
    captured_s: float = 0.0,
    image: NDArray[np.uint8] | None = None,
) -> Frame:
    if image is None:
        image = np.zeros((size[1], size[0], 3), dtype=np.uint8)
        image[..., 2] = red
    return Frame(
        camera_id=camera_id,
        index=0,
        captured_s=captured_s,
        captured_at=START + timedelta(seconds=captured_s),
        pixels=Bgr(image),
        native_size=(image.shape[1], image.shape[0]),
    )
