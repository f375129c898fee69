"""The canary → a clip in which a white car carries it past the camera, pixel for pixel."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.fakes.canary import Canary

FPS = 5
WIDTH, HEIGHT = 320, 240
DURATION_S = 80
PASSES_S = 50
"""Until then a car crosses every ten seconds; the one after stands."""


def write_clip(path: Path, canary: Canary) -> None:
    """Write a lossless video: a codec that blurs would hide the canary from every search."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=Fraction(FPS), width=WIDTH, height=HEIGHT)
        stream.pix_fmt = "bgr0"
        for index in range(DURATION_S * FPS):
            frame = av.VideoFrame.from_ndarray(picture(index / FPS, canary), format="bgr24")
            for packet in stream.encode(frame.reformat(format="bgr0")):
                file.mux(packet)
        for packet in stream.encode(None):
            file.mux(packet)


def picture(at_s: float, canary: Canary) -> NDArray[np.uint8]:
    """What the camera sees at one moment."""
    image = np.full((HEIGHT, WIDTH, 3), 60, dtype=np.uint8)
    left = int(min(at_s, PASSES_S) % 10 * 22) if at_s < PASSES_S else 110
    image[60:180, left : left + 100] = 255
    canary.plant(image, x=left + 8, y=90)
    return image
