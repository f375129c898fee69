"""The value that detect hands on: boxes, scores and classes of one frame."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Detections:
    """What the model saw in one frame, best first.

    Attributes:
        camera_id: Camera that saw the frame.
        captured_s: Stream clock of the frame in seconds.
        captured_at: The same moment as aware UTC.
        boxes_px: Shape (n, 4), float32, x1 y1 x2 y2 in pixels of the site file's ``frame_size``.
        scores: Shape (n,), float32, in [0, 1].
        classes: Shape (n,), int64, index into ``common.road_users.ROAD_USERS``.
        class_scores: Shape (n, 6), float32, in [0, 1]: what the same box scored for every
            class, so that a track can vote with all of it and not with the winner alone.
    """

    camera_id: str
    captured_s: float
    captured_at: datetime
    boxes_px: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int64]
    class_scores: NDArray[np.float32]

    def __len__(self) -> int:
        """Number of boxes."""
        return len(self.scores)
