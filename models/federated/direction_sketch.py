"""A delta of millions of values → a few thousand that keep its direction, and what they tell.

Signs are drawn for every value and the signed values folded into ``SKETCH_SIZE`` sums (a count
sketch: Charikar et al. 2002). The cosine of two sketches is the cosine of the two deltas with a
standard error of about 1/sqrt(SKETCH_SIZE) = 0.011, so the directions of any number of clients
can be compared without holding two deltas at once. The signs come from a seed that nobody knows
before all updates are in; an update cannot be shaped to vanish in the sketch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.federated.parameters import F32

F64 = NDArray[np.float64]
Sketch = NDArray[np.float16]
"""Half precision: its rounding is far below the sketch's own error, its memory half."""

SKETCH_SIZE = 8009
"""A prime far from powers of two: kernels repeat at those, and should not fold on each other."""

_ROWS_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Bearing:
    """How one client moves relative to the others.

    Attributes:
        cosine: Against the median direction of all others, -1 to 1.
        chance: Standard deviation of that cosine if the signs of the client's values had nothing
            to do with the others': sqrt(sum(a_j² b_j²)) for unit vectors a and b. For values
            spread over all sums it is 1/sqrt(SKETCH_SIZE), for few large ones more.
    """

    cosine: float
    chance: float


def sketch(vector: F32, seed: int) -> Sketch:
    """Fold a delta, shape (n,), into a unit vector of shape (SKETCH_SIZE,); zeros for zeros.

    Args:
        vector: Finite values.
        seed: The same for all that are compared.
    """
    signs = np.random.Generator(np.random.PCG64(seed))
    # Not of absolute values: those would be a second model in memory.
    largest = max(float(vector.max(initial=0.0)), -float(vector.min(initial=0.0)))
    sums = np.zeros(SKETCH_SIZE)
    if largest > 0:
        step = SKETCH_SIZE * _ROWS_AT_ONCE
        for start in range(0, vector.size, step):
            # Beyond 1e19 a square leaves float32; a direction has no length.
            piece = vector[start : start + step] / np.float32(largest)
            bits = np.unpackbits(np.frombuffer(signs.bytes(step // 8 + 1), dtype=np.uint8))
            piece *= bits[: piece.size].astype(np.float32) * 2 - 1
            whole = piece.size - piece.size % SKETCH_SIZE
            sums += piece[:whole].reshape(-1, SKETCH_SIZE).sum(axis=0)
            sums[: piece.size - whole] += piece[whole:]
    length = float(np.linalg.norm(sums))
    return (sums / length if length > 0 else sums).astype(np.float16)


def bearings(sketches: Sketch) -> tuple[Bearing, ...]:
    """Each client against the coordinate-wise median of all others.

    The median of unit vectors moves by a bounded amount whatever fewer than half of them say;
    their lengths were taken away, so nobody counts more by being loud.

    Args:
        sketches: Shape (clients, SKETCH_SIZE), at least two, unit rows.

    Raises:
        ValueError: Fewer than two clients.
    """
    clients = len(sketches)
    if clients < 2:
        raise ValueError(f"{clients} sketches, expected at least two to compare")
    ordered = np.sort(sketches, axis=0)
    found = []
    for own in sketches:
        others = _median_without(own, ordered)
        length = float(np.linalg.norm(others))
        direction = others / length if length > 0 else others
        found.append(
            Bearing(
                cosine=float(np.clip(own.astype(np.float64) @ direction, -1, 1)),
                chance=float(np.sqrt(np.square(own, dtype=np.float64) @ direction**2)),
            )
        )
    return tuple(found)


def _median_without(own: Sketch, ordered: Sketch) -> F64:
    """Median of each column of ``ordered`` (ascending) after one copy of ``own`` is taken out."""
    left = len(ordered) - 1
    middles = {(left - 1) // 2, left // 2}
    rows = [np.where(own <= ordered[row], ordered[row + 1], ordered[row]) for row in middles]
    return np.asarray(np.mean(rows, axis=0, dtype=np.float64))
