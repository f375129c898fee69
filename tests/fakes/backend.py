"""Planted boxes → raw predictions of the shape that a YOLO11 export gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.road_users import ROAD_USERS

STEPS_PX = (8, 16, 32)


@dataclass(frozen=True, slots=True)
class Planted:
    """One anchor that fires.

    Attributes:
        box_px: Corners x1, y1, x2, y2 in input pixels.
        class_index: Row among the backend's class names.
        score: In [0, 1]; None takes the red value of the pixel in the middle of the box,
            so that an answer tells which image it belongs to.
    """

    box_px: tuple[float, float, float, float]
    class_index: int
    score: float | None = None


class FakeBackend:
    """Sees the same planted boxes in every image; notes the shapes it was asked for."""

    name = "fake"

    def __init__(
        self,
        planted: Sequence[Planted] = (),
        *,
        class_names: Sequence[str] = ROAD_USERS,
        fixed_size: tuple[int, int] | None = None,
    ) -> None:
        self.class_names = tuple(str(name) for name in class_names)
        self.fixed_size = fixed_size
        self.shapes: list[tuple[int, ...]] = []
        self._planted = tuple(planted)

    def infer(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        self.shapes.append(images.shape)
        count, _, height, width = images.shape
        anchors = sum((height // step) * (width // step) for step in STEPS_PX)
        predictions = np.zeros((count, 4 + len(self.class_names), anchors), dtype=np.float32)
        for anchor, planted in enumerate(self._planted):
            x1, y1, x2, y2 = planted.box_px
            middle_x, middle_y = (x1 + x2) / 2, (y1 + y2) / 2
            predictions[:, :4, anchor] = (middle_x, middle_y, x2 - x1, y2 - y1)
            predictions[:, 4 + planted.class_index, anchor] = (
                images[:, 0, int(middle_y), int(middle_x)]
                if planted.score is None
                else planted.score
            )
        return predictions
