"""Boxes of past frames → where each box is expected now.

Four independent constant-velocity Kalman filters per track, for the middle, the
bottom, the width and the height of its box. The bottom is filtered directly
because the counted point sits on it. Noise is given in box heights, so that one
set of figures serves near and far lanes, and time comes from the stream clock,
so that it serves every frame rate. After Kalman (1960) with the size-relative
noise of SORT (Bewley et al., 2016, arXiv:1602.00763).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
"""Shape (n, 4), x1 y1 x2 y2 in pixels."""

# A detector places a confident edge within a few percent of the height of the box.
_MEASURED = np.array([0.04, 0.04, 0.06, 0.06])
# Braking at 4 m/s² for a vehicle 1.5 m high is about 2.7 heights/s²; sizes change slowly.
_DRIVEN = np.array([2.0, 2.0, 0.6, 0.6])
# Before a second sighting: 15 m/s across the picture is about 10 heights/s; half of it is usual.
_UNKNOWN_VELOCITY = np.array([5.0, 5.0, 1.0, 1.0])
# Sizes stop changing when nobody watches: perspective extrapolates badly.
_SIZE_MEMORY_S = 0.5


def to_states(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Boxes (n, 4) as x1 y1 x2 y2 → states (n, 4) as middle x, bottom y, width, height."""
    states = np.empty_like(boxes, dtype=np.float64)
    states[:, 0] = (boxes[:, 0] + boxes[:, 2]) / 2
    states[:, 1] = boxes[:, 3]
    states[:, 2] = boxes[:, 2] - boxes[:, 0]
    states[:, 3] = boxes[:, 3] - boxes[:, 1]
    return states


def to_boxes(states: NDArray[np.float64]) -> Boxes:
    """States (n, 4) as middle x, bottom y, width, height → boxes (n, 4) as x1 y1 x2 y2."""
    boxes = np.empty_like(states)
    boxes[:, 0] = states[:, 0] - states[:, 2] / 2
    boxes[:, 1] = states[:, 1] - states[:, 3]
    boxes[:, 2] = states[:, 0] + states[:, 2] / 2
    boxes[:, 3] = states[:, 1]
    return boxes


class BoxMotion:
    """The filters of all tracks of one camera, row i for track i."""

    def __init__(self) -> None:
        self.position = np.empty((0, 4))
        self.velocity = np.empty((0, 4))
        # Covariance of position, of position with velocity, and of velocity.
        self._pp = np.empty((0, 4))
        self._pv = np.empty((0, 4))
        self._vv = np.empty((0, 4))

    def __len__(self) -> int:
        return len(self.position)

    @property
    def boxes(self) -> Boxes:
        """Where the boxes are thought to be, shape (n, 4), x1 y1 x2 y2 in pixels."""
        return to_boxes(self.position)

    def predict(self, elapsed_s: float) -> None:
        """Move every box on by ``elapsed_s`` seconds."""
        drive = (_DRIVEN * self.position[:, 3:4]) ** 2
        self.position += self.velocity * elapsed_s
        # A box never vanishes or turns inside out while nobody sees it.
        np.maximum(self.position[:, 2:], 2.0, out=self.position[:, 2:])
        self.velocity[:, 2:] *= math.exp(-elapsed_s / _SIZE_MEMORY_S)
        self._pp += elapsed_s * (2 * self._pv + elapsed_s * self._vv)
        self._pp += drive * (elapsed_s**3 / 3)
        self._pv += elapsed_s * self._vv + drive * (elapsed_s**2 / 2)
        self._vv += drive * elapsed_s

    def correct(
        self, rows: NDArray[np.intp], boxes: NDArray[np.floating], scores: NDArray[np.floating]
    ) -> None:
        """Take in one observation for each of ``rows``; unsure ones (low score) weigh less."""
        measured = to_states(boxes)
        doubt = 1.0 + 2.0 * (1.0 - scores[:, None])
        noise = (_MEASURED * measured[:, 3:4] * doubt) ** 2
        pp, pv = self._pp[rows], self._pv[rows]
        gain_p, gain_v = pp / (pp + noise), pv / (pp + noise)
        surprise = measured - self.position[rows]
        self.position[rows] += gain_p * surprise
        self.velocity[rows] += gain_v * surprise
        self._pp[rows] = (1 - gain_p) * pp
        self._vv[rows] -= gain_v * pv
        self._pv[rows] = (1 - gain_p) * pv

    def add(self, boxes: Boxes) -> None:
        """Append a filter for each of ``boxes``, standing still until seen again."""
        states = to_states(boxes)
        height = states[:, 3:4]
        self.position = np.vstack([self.position, states])
        self.velocity = np.vstack([self.velocity, np.zeros_like(states)])
        self._pp = np.vstack([self._pp, (_MEASURED * height) ** 2])
        self._pv = np.vstack([self._pv, np.zeros_like(states)])
        self._vv = np.vstack([self._vv, (_UNKNOWN_VELOCITY * height) ** 2])

    def keep(self, mask: NDArray[np.bool_]) -> None:
        """Forget the rows where ``mask`` is False."""
        for name in ("position", "velocity", "_pp", "_pv", "_vv"):
            setattr(self, name, getattr(self, name)[mask])

    def pace(self) -> NDArray[np.float64]:
        """Speed of each foot point in box heights per second, shape (n,)."""
        foot = np.hypot(self.velocity[:, 0], self.velocity[:, 1])
        return np.asarray(foot / np.maximum(self.position[:, 3], 1.0))
