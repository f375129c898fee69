"""Paint colours → meshes of rigid box lorries."""

from __future__ import annotations

from edge.simulate.mesh import Colour, Mesh, MeshBuilder, Surface, Vec3
from edge.simulate.vehicles import (
    DARK,
    GLASS,
    GRILLE,
    HEAD_LAMP,
    PLATE,
    SEAM,
    TAIL_LAMP,
    beside,
    panes,
    upright,
    wheel_pair,
)

_HALF_WIDTH_M = 1.22
_FLOOR_M, _ROOF_M = 0.98, 3.2
_CHASSIS = Surface((45, 45, 48))
_FRAME = Surface((120, 120, 122), lift=0.08)
_LETTERS = Surface((140, 70, 40), lift=0.3)
_TAPE = (Surface((225, 228, 230), lift=0.24), Surface((40, 40, 200), lift=0.24))
_BUMPER = Surface((60, 60, 64), lift=0.2)
_FLAP = Surface((24, 24, 24), lift=0.1)


def build_truck(cab: Colour, cargo: Colour, length_m: float = 8.2) -> Mesh:
    """A lorry with a closed box, its number plate, lamps and lettering."""
    builder = MeshBuilder()
    half, w = length_m / 2, _HALF_WIDTH_M
    _cab_shell(builder, half, Surface(cab, gloss=0.15))
    _cab_face(builder, half)
    for side in (-1.0, 1.0):
        _cab_side(builder, half, side)
    back, front, wide = -half, half - 1.95, w + 0.03
    builder.box((back, -wide, _FLOOR_M), (front, wide, _ROOF_M), Surface(cargo, gloss=0.05))
    builder.box((back + 0.1, -w * 0.75, 0.62), (half - 0.4, w * 0.75, _FLOOR_M), _CHASSIS)
    _box_doors(builder, back - 0.01, wide)
    _tail(builder, back - 0.01, wide)
    for x in (half - 1.2, -half + 1.35):
        wheel_pair(builder, x, w, 0.5)
    builder.box((half - 1.5, -0.8, 2.75), (half - 0.75, 0.8, 3.1), Surface(cab, gloss=0.1))
    for side in (-1.0, 1.0):
        _box_side(builder, (back, front), side * (wide + 0.01))
        for z0, z1 in ((0.5, 0.62), (0.78, 0.9)):
            beside(builder, side * w * 0.98, (-half + 2.3, half - 2.2, z0, z1), _FRAME)
        builder.lamp((half, side * w * 0.78, 0.85), is_front=True)
        builder.lamp((-half, side * w * 0.82, 0.8), is_front=False)
    return builder.build()


def _cab_shell(builder: MeshBuilder, half: float, paint: Surface) -> None:
    rings: list[list[Vec3]] = []
    for x, share, top in (
        (half - 1.9, 0.98, 2.75),
        (half - 1.0, 1.0, 2.8),
        (half - 0.32, 0.98, 2.7),
        (half - 0.22, 0.97, 2.55),
    ):
        y = _HALF_WIDTH_M * share
        left = [(x, y, 0.45), (x, y, 1.6), (x, y * 0.94, top - 0.08), (x, y * 0.8, top)]
        rings.append([*left, *((x, -q, z) for x, q, z in reversed(left))])
    builder.loft(rings, paint)
    nose: list[list[Vec3]] = []
    for x, share, top in ((half - 0.25, 0.98, 1.55), (half - 0.06, 0.95, 1.5), (half, 0.86, 1.4)):
        y = _HALF_WIDTH_M * share
        nose.append([(x, -y, 0.42), (x, y, 0.42), (x, y, top), (x, -y, top)])
    builder.loft(nose, paint)


def _cab_face(builder: MeshBuilder, half: float) -> None:
    w = _HALF_WIDTH_M
    screen: list[Vec3] = [
        (half - 0.1, -w * 0.9, 1.5),
        (half - 0.1, w * 0.9, 1.5),
        (half - 0.19, w * 0.84, 2.45),
        (half - 0.19, -w * 0.84, 2.45),
    ]
    panes(builder, screen, (half - 1.2, 0.0, 1.5))
    upright(builder, half + 0.012, (-w * 0.62, w * 0.62, 0.98, 1.36), GRILLE)
    upright(builder, half + 0.012, (-w * 0.8, w * 0.8, 0.44, 0.56), DARK._replace(lift=0.2))
    upright(builder, half + 0.02, (-0.26, 0.26, 0.6, 0.71), PLATE)


def _cab_side(builder: MeshBuilder, half: float, side: float) -> None:
    w = _HALF_WIDTH_M
    lamp = sorted((side * w * 0.56, side * w * 0.84))
    upright(builder, half + 0.015, (lamp[0], lamp[1], 0.7, 0.9), HEAD_LAMP)
    y = side * (w + 0.012)
    window: list[Vec3] = [
        (half - 1.35, y, 1.55),
        (half - 0.45, y, 1.5),
        (half - 0.5, y * 0.965, 2.4),
        (half - 1.35, y * 0.965, 2.4),
    ]
    builder.quad(window, GLASS, (half - 1.2, 0.0, 1.5))
    beside(builder, y, (half - 1.5, half - 1.46, 0.6, 1.6), SEAM)
    low = (half - 0.35, min(y, y + side * 0.28), 1.6)
    high = (half - 0.2, max(y, y + side * 0.28), 2.2)
    builder.box(low, high, DARK._replace(lift=0.1))


def _box_side(builder: MeshBuilder, span_x: tuple[float, float], y: float) -> None:
    back, front = span_x
    middle, reach = (back + front) / 2, (front - back) * 0.3
    for z0, z1, share in ((1.9, 2.35, 1.0), (1.55, 1.7, 0.7)):
        beside(builder, y, (middle - reach * share, middle + reach * share, z0, z1), _LETTERS)
    for z0, z1 in ((_FLOOR_M, _FLOOR_M + 0.12), (_ROOF_M - 0.1, _ROOF_M)):
        beside(builder, y, (back, front, z0, z1), _FRAME)
    for x in (back + 0.02, front - 0.1):
        beside(builder, y, (x, x + 0.08, _FLOOR_M, _ROOF_M), _FRAME)


def _box_doors(builder: MeshBuilder, x: float, w: float) -> None:
    for y0, y1 in ((-w, -w + 0.09), (-0.03, 0.03), (w - 0.09, w)):
        upright(builder, x, (y0, y1, _FLOOR_M, _ROOF_M), _FRAME)
    for z0, z1 in ((_FLOOR_M, _FLOOR_M + 0.1), (_ROOF_M - 0.1, _ROOF_M)):
        upright(builder, x, (-w, w, z0, z1), _FRAME)
    for y in (-0.35, 0.3):
        upright(builder, x - 0.01, (y, y + 0.05, _FLOOR_M + 0.1, _ROOF_M - 0.1), SEAM)
    for y in (-0.62, 0.5):
        upright(builder, x - 0.012, (y, y + 0.16, 1.7, 1.8), SEAM)
    for z in (1.25, 2.0, 2.75):
        for y in (-w + 0.1, w - 0.26):
            upright(builder, x - 0.012, (y, y + 0.16, z, z + 0.07), SEAM)


def _tail(builder: MeshBuilder, x: float, w: float) -> None:
    """Bumper, reflective tape, lamps, plate and mud flaps: what is seen of a lorry ahead."""
    upright(builder, x, (-w * 0.95, w * 0.95, 0.45, 0.58), _BUMPER)
    for k in range(8):
        y0 = -w * 0.95 + k * w * 0.2375
        upright(builder, x - 0.005, (y0, y0 + w * 0.2375, 0.6, 0.68), _TAPE[k % 2])
    for side in (-1.0, 1.0):
        flap = sorted((side * w * 0.42, side * w * 0.96))
        upright(builder, x + 0.5, (flap[0], flap[1], 0.08, 0.6), _FLAP)
        lamp = sorted((side * w * 0.66, side * w * 0.94))
        upright(builder, x - 0.02, (lamp[0], lamp[1], 0.7, 0.88), TAIL_LAMP)
    upright(builder, x - 0.02, (-0.26, 0.26, 0.72, 0.84), PLATE)
