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
    low, high = boxes[:, :2], boxes[:, 2:]
    other_low, other_high = others[:, :2], others[:, 2:]
    size, other_size = high - low, other_high - other_low
    # A pair is grown by the buffer of its row, so the others may differ from row to row.
    grow = np.asarray(buffer, dtype=np.float64)[..., None]
    pad, other_pad = grow * size, grow[..., None] * other_size
    sides = np.minimum((high + pad)[:, None], other_high + other_pad)
    sides -= np.maximum((low - pad)[:, None], other_low - other_pad)
    np.maximum(sides, 0, out=sides)
    shared = sides[..., 0] * sides[..., 1]
    size, other_size = size + 2 * pad, other_size + 2 * other_pad
    area = (size[:, 0] * size[:, 1])[:, None] + other_size[..., 0] * other_size[..., 1]
    return np.asarray(shared / np.maximum(area - shared, 1e-9), dtype=np.float64)


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
    rows, columns = np.nonzero(likeness >= least)
    if len(set(rows.tolist())) == len(rows) == len(set(columns.tolist())):
        return np.stack([rows, columns], axis=1)  # nobody competes for anybody
    cost = np.ascontiguousarray(1.0 - likeness)
    _, column_of_row, _ = lap.lapjv(cost, extend_cost=True, cost_limit=1.0 - least)
    rows = np.flatnonzero(column_of_row >= 0)
    return np.stack([rows, column_of_row[rows]], axis=1).astype(np.intp)
