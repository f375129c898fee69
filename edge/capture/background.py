"""Pictures of one camera over time → the place with nobody in it.

Temporal median: at each pixel the road is seen more often than any one road user
(McFarlane & Schofield, "Segmentation and tracking of piglets in images", 1995, use its
running approximation; a bounded set of samples gives the exact median at no more cost).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST_SAMPLES = 3


class BackgroundPlate:
    """Keep a bounded number of pictures, spread evenly over all time so far.

    When the places are taken, every other sample is given up and from then on half as
    many are taken. Memory is ``most_samples`` pictures, however long the stream.
    """

    def __init__(self, *, most_samples: int = 24) -> None:
        if most_samples < 2 * FEWEST_SAMPLES:
            raise ValueError(f"{most_samples} samples, expected {2 * FEWEST_SAMPLES} or more")
        self._most_samples = most_samples
        self._samples: list[NDArray[np.uint8]] = []
        self._stride = 1
        self._offered = 0

    def __len__(self) -> int:
        """Number of pictures kept."""
        return len(self._samples)

    @property
    def is_learned(self) -> bool:
        """True when there are enough pictures for a median to mean something."""
        return len(self._samples) >= FEWEST_SAMPLES

    @property
    def shape(self) -> tuple[int, ...] | None:
        """Shape of the pictures, or None before the first."""
        return self._samples[0].shape if self._samples else None

    def add(self, image: NDArray[np.uint8]) -> None:
        """Offer the next picture, all of one shape; not every one is kept.

        Raises:
            ValueError: The shape differs from the pictures before.
        """
        if self._samples and image.shape != self._samples[0].shape:
            raise ValueError(f"picture of {image.shape}, expected {self._samples[0].shape}")
        is_due = self._offered % self._stride == 0
        self._offered += 1
        if not is_due:
            return
        self._samples.append(image.copy())
        if len(self._samples) == self._most_samples:
            self._samples = self._samples[::2]
            self._stride *= 2

    def median(self) -> NDArray[np.uint8]:
        """The place with nobody in it, in the shape of the pictures.

        Raises:
            ValueError: Fewer than three pictures so far.
        """
        if not self.is_learned:
            raise ValueError(f"{len(self)} pictures, expected {FEWEST_SAMPLES} or more")
        # Row by row, because np.median makes a copy of all that it is given.
        rows = [
            np.median(np.stack([sample[row] for sample in self._samples]), axis=0)
            for row in range(self._samples[0].shape[0])
        ]
        return np.stack(rows).astype(np.uint8)
