"""Things that stand on the ground → the order in which a painter must draw them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge.simulate.painter import PlacedMesh
from edge.simulate.pinhole import PinholeCamera


def far_to_near(placed: Sequence[PlacedMesh], camera: PinholeCamera) -> list[int]:
    """Indices so that whatever can hide another comes after it.

    Distance decides, except where two pictures overlap: then the side of a line between
    both footprints on which the camera stands does (a bus beside a car).
    """
    lens = camera.position[:2]
    middles = [(p.pose.east_m, p.pose.north_m) for p in placed]
    distance = [float(np.hypot(e - lens[0], n - lens[1])) for e, n in middles]
    order = sorted(range(len(placed)), key=lambda i: -distance[i])
    boxes = [p.box(camera) for p in placed]
    prints = [_footprint(p) for p in placed]
    for _ in range(2):
        for a in range(len(order)):
            for b in range(a + 1, len(order)):
                i, j = order[a], order[b]
                first, second = boxes[i], boxes[j]
                if first is None or second is None or not _overlap(first, second):
                    continue
                if _hides(prints[i], prints[j], lens):
                    order.insert(a, order.pop(b))
    return order


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _footprint(placed: PlacedMesh) -> NDArray[np.float64]:
    return placed.pose.place(placed.mesh.footprint_m)[:, :2]


def _hides(a: NDArray[np.float64], b: NDArray[np.float64], lens: NDArray[np.float64]) -> bool:
    """True when a line along an edge of either footprint has ``a`` and the lens on one side."""
    for own, other, own_is_a in ((a, b, True), (b, a, False)):
        edges = np.roll(own, -1, axis=0) - own
        outward = np.stack([edges[:, 1], -edges[:, 0]], axis=1)
        reach = np.einsum("ek,ejk->ej", outward, other[None] - own[:, None])
        lens_side = np.einsum("ek,ek->e", outward, lens - own)
        for edge in np.flatnonzero(reach.min(axis=1) > -1e-6):
            lens_with_other = lens_side[edge] > 0
            return bool(lens_with_other != own_is_a)
    return False
