"""Expected boxes and seen boxes → who is who.

Cost is one minus the overlap of boxes grown by a buffer, which lets small and
fast road users match although their boxes do not touch (C-BIoU, Yang et al.,
WACV 2023); the assignment is optimal (Jonker & Volgenant, 1987).
"""

from __future__ import annotations

import lap
import numpy as np
from numpy.typing import NDArray

Pairs = NDArray[np.intp]
"""Shape (k, 2): row of the track, row of the detection."""


def overlap(
    boxes: NDArray[np.floating],
    others: NDArray[np.floating],
    *,
    buffer: NDArray[np.floating] | float = 0.0,
) -> NDArray[np.float64]:
    """Intersection over union of every pair, after growing both boxes.

    Args:
        boxes: Shape (n, 4), x1 y1 x2 y2 in pixels.
        others: Shape (m, 4), likewise.
        buffer: Share of width and height added on every side; one number or shape (n,),
            then a pair is grown by the buffer of its row.

    Returns:
        Shape (n, m), in [0, 1].
    """
    grow = np.broadcast_to(np.asarray(buffer, dtype=np.float64), (len(boxes),))[:, None]
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    other_width, other_height = others[:, 2] - others[:, 0], others[:, 3] - others[:, 1]
    pad_x, pad_y = grow * width[:, None], grow * height[:, None]
    other_pad_x, other_pad_y = grow * other_width, grow * other_height
    right = np.minimum(boxes[:, None, 2] + pad_x, others[:, 2] + other_pad_x)
    left = np.maximum(boxes[:, None, 0] - pad_x, others[:, 0] - other_pad_x)
    bottom = np.minimum(boxes[:, None, 3] + pad_y, others[:, 3] + other_pad_y)
    top = np.maximum(boxes[:, None, 1] - pad_y, others[:, 1] - other_pad_y)
    shared = np.maximum(right - left, 0) * np.maximum(bottom - top, 0)
    area = (width[:, None] + 2 * pad_x) * (height[:, None] + 2 * pad_y)
    other_area = (other_width + 2 * other_pad_x) * (other_height + 2 * other_pad_y)
    return np.asarray(shared / np.maximum(area + other_area - shared, 1e-9), dtype=np.float64)


def assign(likeness: NDArray[np.float64], *, least: float) -> Pairs:
    """Pair rows with columns so that the summed likeness is greatest.

    Args:
        likeness: Shape (n, m), greater is more alike.
        least: A pair below this is never made.

    Returns:
        Pairs, in order of rows.
    """
    if likeness.size == 0 or likeness.max() < least:
        return np.empty((0, 2), dtype=np.intp)
    cost = np.ascontiguousarray(1.0 - likeness)
    _, column_of_row, _ = lap.lapjv(cost, extend_cost=True, cost_limit=1.0 - least)
    rows = np.flatnonzero(column_of_row >= 0)
    return np.stack([rows, column_of_row[rows]], axis=1).astype(np.intp)
