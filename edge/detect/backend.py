"""The seam between our code and a network runtime."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Backend(Protocol):
    """Run one exported network on one batch of images."""

    @property
    def name(self) -> str:
        """What really runs, for reports: ``onnxruntime-cpu``, ``tensorrt-fp16`` and so on."""
        ...

    @property
    def class_names(self) -> tuple[str, ...]:
        """Class names stored in the model file, in output order."""
        ...

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """Input (height, width) the file insists on, or None when any multiple of 32 will do."""
        ...

    def infer(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map images to raw predictions.

        Args:
            images: Shape (n, 3, h, w), RGB, scaled to [0, 1].

        Returns:
            Shape (n, 4 + classes, anchors): rows 0-3 are cx, cy, w, h in input
            pixels, the rest are class scores in [0, 1].
        """
        ...
