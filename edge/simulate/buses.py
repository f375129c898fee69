"""Paint colours → meshes of buses."""

from __future__ import annotations

from edge.simulate.mesh import Colour, Mesh, MeshBuilder, Surface, Vec3
from edge.simulate.vehicles import (
    DARK,
    GLASS,
    HEAD_LAMP,
    PLATE,
    TAIL_LAMP,
    beside,
    panes,
    upright,
    wheel_pair,
)


def build_bus(paint: Colour, trim: Colour, length_m: float = 11.5) -> Mesh:
    """A low-floor city bus."""
    builder = MeshBuilder()
    half, w, top = length_m / 2, 1.27, 3.05
    body = Surface(paint, gloss=0.16)
    rings: list[list[Vec3]] = []
    steps = 15  # short panels: the painter sorts by their middles
    for k in range(steps + 1):
        x = -half + 2 * half * k / steps
        share, high = {0: (0.95, top - 0.12), steps: (0.93, top - 0.16)}.get(k, (1.0, top))
        y = w * share
        left = [
            (x, y, 0.2),
            (x, y, 1.2),
            (x, y, 2.2),
            (x, y, high - 0.18),
            (x, y * 0.94, high - 0.04),
            (x, y * 0.8, high),
        ]
        rings.append([(x, -q, z) for x, q, z in reversed(left)] + left)
    builder.loft(rings, body)
    builder.box((-half + 1.2, -0.8, top), (-half + 3.6, 0.8, top + 0.22), body)
    builder.box((0.4, -0.7, top), (2.0, 0.7, top + 0.16), Surface((190, 190, 190)))
    for side in (-1.0, 1.0):
        _bus_side(builder, half, side * (w + 0.012), Surface(trim, lift=0.09))
        builder.lamp((half, side * w * 0.74, 0.75), is_front=True)
        builder.lamp((-half, side * w * 0.8, 1.0), is_front=False)
    for x in (half - 2.7, -half + 3.1):
        wheel_pair(builder, x, w, 0.48)
    _bus_ends(builder, half, w)
    return builder.build()


def _bus_side(builder: MeshBuilder, half: float, y: float, trim: Surface) -> None:
    count = 7
    width = (2 * half - 0.7) / count
    band = Surface((38, 36, 36), gloss=0.15, lift=0.08)
    for k in range(count):
        x0 = -half + 0.35 + k * width
        beside(builder, y, (x0, x0 + width, 1.28, 2.45), band)
        beside(builder, y, (x0 + 0.07, x0 + width - 0.07, 1.34, 2.38), GLASS)
        beside(builder, y, (x0, x0 + width, 0.78, 0.98), trim)
    if y < 0:  # doors are on the kerb side
        for x0 in (half - 1.75, -0.55):
            beside(builder, y, (x0, x0 + 1.3, 0.4, 2.42), band._replace(lift=0.13))
            for x1 in (x0 + 0.06, x0 + 0.68):
                beside(builder, y, (x1, x1 + 0.56, 0.5, 2.34), GLASS._replace(lift=0.16))


def _bus_ends(builder: MeshBuilder, half: float, w: float) -> None:
    front, rear = half + 0.012, -half - 0.012
    screen: list[Vec3] = [
        (front, y, z)
        for y, z in ((-w * 0.86, 1.05), (w * 0.86, 1.05), (w * 0.86, 2.4), (-w * 0.86, 2.4))
    ]
    panes(builder, screen, (0.0, 0.0, 1.5))
    upright(
        builder, front + 0.01, (-w * 0.8, w * 0.8, 2.46, 2.76), Surface((24, 24, 24), lift=0.18)
    )
    upright(
        builder,
        front + 0.02,
        (-w * 0.45, w * 0.5, 2.52, 2.7),
        Surface((40, 170, 245), glow=0.8, lift=0.24),
    )
    upright(builder, front, (-w * 0.86, w * 0.86, 0.22, 0.42), DARK._replace(lift=0.2))
    upright(builder, front + 0.01, (-0.26, 0.26, 0.56, 0.67), PLATE)
    upright(builder, rear, (-w * 0.8, w * 0.8, 1.6, 2.5), GLASS)
    upright(builder, rear, (-w * 0.62, w * 0.62, 0.62, 1.3), Surface((70, 70, 72), lift=0.15))
    upright(builder, rear - 0.01, (-0.26, 0.26, 0.42, 0.53), PLATE)
    for side in (-1.0, 1.0):
        lamp = sorted((side * w * 0.58, side * w * 0.86))
        upright(builder, front + 0.01, (lamp[0], lamp[1], 0.6, 0.84), HEAD_LAMP)
        lamp = sorted((side * w * 0.68, side * w * 0.9))
        upright(builder, rear - 0.01, (lamp[0], lamp[1], 0.8, 1.4), TAIL_LAMP)
        y = side * w
        low = (half - 0.1, min(y, y + side * 0.3), 1.7)
        high = (half + 0.12, max(y, y + side * 0.3), 2.35)
        builder.box(low, high, DARK._replace(lift=0.1))
