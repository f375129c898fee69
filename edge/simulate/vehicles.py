"""Sizes and a paint colour → meshes of cars, lorries and buses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.simulate.mesh import Colour, Mesh, MeshBuilder, Surface, Vec3

_TYRE = Surface((32, 32, 32))
DARK = Surface((26, 26, 28))
_ARCH = Surface((16, 16, 16), lift=0.05)
_RIM = Surface((165, 165, 168), gloss=0.25, lift=0.12)
_HUB = Surface((70, 70, 72), lift=0.16)
GLASS = Surface((42, 36, 32), gloss=0.55, lift=0.12)
SEAM = Surface((30, 30, 32), lift=0.1)
PLATE = Surface((215, 225, 225), glow=0.15, lift=0.2)
HEAD_LAMP = Surface((250, 250, 245), gloss=0.3, glow=1.0, lift=0.25)
TAIL_LAMP = Surface((30, 25, 205), gloss=0.1, glow=0.85, lift=0.25)
GRILLE = Surface((28, 28, 30), gloss=0.1, lift=0.2)


@dataclass(frozen=True, slots=True, kw_only=True)
class CarShape:
    """Outline of a passenger car, in metres from its middle; x forward."""

    length_m: float = 4.5
    width_m: float = 1.8
    height_m: float = 1.46
    hood_m: float = 0.92
    belt_m: float = 0.96
    deck_m: float = 0.98
    windscreen_foot_m: float = 0.95
    roof_front_m: float = 0.25
    roof_rear_m: float = -1.0
    rear_foot_m: float = -1.75
    wheel_m: float = 0.32


SEDAN = CarShape()
HATCHBACK = CarShape(
    length_m=4.1, height_m=1.5, roof_rear_m=-1.45, rear_foot_m=-1.95, windscreen_foot_m=0.95
)
ESTATE = CarShape(length_m=4.6, height_m=1.5, roof_rear_m=-1.75, rear_foot_m=-2.15)
SUV = CarShape(
    length_m=4.6,
    width_m=1.88,
    height_m=1.72,
    hood_m=1.08,
    belt_m=1.12,
    deck_m=1.12,
    windscreen_foot_m=1.0,
    roof_front_m=0.4,
    roof_rear_m=-1.7,
    rear_foot_m=-2.1,
    wheel_m=0.37,
)


def build_car(shape: CarShape, paint: Colour) -> Mesh:
    """A passenger car."""
    builder = MeshBuilder()
    body = Surface(paint, gloss=0.16)
    _car_hull(builder, shape, body)
    _greenhouse(builder, shape, body)
    axle = shape.length_m * 0.295
    for x in (axle, -axle):
        wheel_pair(builder, x, shape.width_m / 2, shape.wheel_m)
    _car_ends(builder, shape)
    for side in (-1.0, 1.0):
        _car_flank(builder, shape, body, side)
    return builder.build()


def _car_hull(builder: MeshBuilder, shape: CarShape, body: Surface) -> None:
    half, w = shape.length_m / 2, shape.width_m / 2
    foot, rear = shape.windscreen_foot_m, shape.rear_foot_m
    stations = [  # x, width share, bottom, top
        (-half, 0.80, 0.42, shape.deck_m - 0.18),
        (-half + 0.07, 0.90, 0.32, shape.deck_m - 0.06),
        (min(rear, -half + 0.3), 0.97, 0.24, shape.deck_m),
        (-shape.length_m * 0.295, 1.0, 0.22, shape.belt_m),
        (0.0, 1.0, 0.2, shape.belt_m),
        (foot, 1.0, 0.2, shape.belt_m - 0.01),
        (shape.length_m * 0.33, 0.99, 0.22, shape.hood_m - 0.03),
        (half - 0.3, 0.95, 0.24, shape.hood_m - 0.12),
        (half - 0.09, 0.86, 0.28, shape.hood_m - 0.22),
        (half, 0.72, 0.36, shape.hood_m - 0.34),
    ]
    builder.loft([_hull_ring(x, w * share, low, top) for x, share, low, top in stations], body)


def _hull_ring(x: float, w: float, low: float, top: float) -> list[Vec3]:
    rise = top - low
    left: list[Vec3] = [
        (x, w * 0.9, low),
        (x, w * 0.99, low + rise * 0.18),
        (x, w, low + rise * 0.6),
        (x, w * 0.96, low + rise * 0.86),
        (x, w * 0.84, top),
        (x, w * 0.4, top + 0.035),
    ]
    return left + [(x, -y, z) for x, y, z in reversed(left)]


def _greenhouse(builder: MeshBuilder, shape: CarShape, body: Surface) -> None:
    w, top = shape.width_m / 2, shape.height_m
    low_w, high_w = w * 0.86, w * 0.64
    foot, front = shape.windscreen_foot_m, shape.roof_front_m
    back, rear = shape.roof_rear_m, shape.rear_foot_m
    eave = top - 0.05
    centre = ((front + back) / 2, 0.0, shape.belt_m)
    ring = [(foot, low_w), (foot, -low_w), (rear, -low_w), (rear, low_w)]
    lower: list[Vec3] = [(x, y, shape.belt_m - 0.02) for x, y in ring]
    ring = [(front, high_w), (front, -high_w), (back, -high_w), (back, high_w)]
    upper: list[Vec3] = [(x, y, eave) for x, y in ring]
    for j in range(4):
        k = (j + 1) % 4
        builder.quad([lower[j], lower[k], upper[k], upper[j]], body, centre)
    mid = (front + back) / 2
    for x0, x1 in ((front, mid), (mid, back)):
        z0, z1 = (eave if x0 == front else top), (top if x1 == mid else eave)
        for y0, y1 in ((high_w, 0.0), (0.0, -high_w)):
            a, b = (z0 if y0 else z0 + 0.03), (z0 if y1 else z0 + 0.03)
            c, d = (z1 if y1 else z1 + 0.03), (z1 if y0 else z1 + 0.03)
            builder.quad([(x0, y0, a), (x0, y1, b), (x1, y1, c), (x1, y0, d)], body, centre)
    panes(builder, [lower[0], lower[1], upper[1], upper[0]], centre)
    _pane(builder, [lower[2], lower[3], upper[3], upper[2]], (0.08, 0.92, 0.22, 0.92), centre)
    for corners in (
        [lower[1], lower[2], upper[2], upper[1]],
        [lower[0], lower[3], upper[3], upper[0]],
    ):
        for span in ((0.1, 0.47), (0.51, 0.9)):
            _pane(builder, corners, (*span, 0.12, 0.9), centre)


def _pane(
    builder: MeshBuilder,
    corners: list[Vec3],
    window: tuple[float, float, float, float],
    inside: Vec3,
    surface: Surface = GLASS,
) -> None:
    """A patch of a panel, ``window`` being its share along and up: from, to, from, to."""
    a, b, c, d = (np.asarray(p) for p in corners)
    u0, u1, v0, v1 = window
    out = np.asarray(corners).mean(axis=0) - np.asarray(inside)
    out *= 0.012 / max(float(np.linalg.norm(out)), 1e-9)

    def at(u: float, v: float) -> Vec3:
        p = (a * (1 - u) + b * u) * (1 - v) + (d * (1 - u) + c * u) * v + out
        return float(p[0]), float(p[1]), float(p[2])

    builder.quad([at(u0, v0), at(u1, v0), at(u1, v1), at(u0, v1)], surface, inside)


def panes(builder: MeshBuilder, corners: list[Vec3], inside: Vec3) -> None:
    """A windscreen: the sky mirrors in its upper part, seats and dashboard show below."""
    for u0, u1, across in ((0.06, 0.35, 0.9), (0.35, 0.66, 1.15), (0.66, 0.94, 0.95)):
        for v0, v1, up in ((0.1, 0.36, 0.75), (0.36, 0.66, 1.15), (0.66, 0.93, 1.7)):
            blue, green, red = GLASS.colour
            level = across * up
            tint = GLASS._replace(colour=(blue * level, green * level, red * level))
            _pane(builder, corners, (u0, u1, v0, v1), inside, tint)


def wheel_pair(builder: MeshBuilder, x: float, half_width_m: float, radius_m: float) -> None:
    """Two wheels with arches on one axle at ``x``."""
    turns = np.arange(12) * np.pi / 6
    for side in (-1.0, 1.0):
        outer, inner = side * (half_width_m - 0.02), side * (half_width_m - 0.24)
        rings: list[list[Vec3]] = [
            [(x + radius_m * float(np.cos(a)), y, radius_m * (1 + float(np.sin(a)))) for a in turns]
            for y in (inner, outer)
        ]
        builder.loft(rings, _TYRE)
        skin = side * (half_width_m + 0.005)
        builder.disc((x, skin, radius_m * 1.08), radius_m * 1.16, _ARCH, side=side)
        tyre = Surface(_TYRE.colour, lift=0.08)
        builder.disc((x, skin + side * 0.01, radius_m), radius_m, tyre, side=side)
        builder.disc((x, skin + side * 0.02, radius_m), radius_m * 0.66, _RIM, side=side)
        builder.disc((x, skin + side * 0.03, radius_m), radius_m * 0.25, _HUB, side=side)


def _car_ends(builder: MeshBuilder, shape: CarShape) -> None:
    half, w = shape.length_m / 2 + 0.012, shape.width_m / 2
    inside = (0.0, 0.0, 0.6)
    nose = shape.hood_m - 0.36
    upright(builder, half, (-w * 0.5, w * 0.5, nose - 0.14, nose), GRILLE)
    upright(builder, half, (-w * 0.62, w * 0.62, 0.3, 0.42), DARK._replace(lift=0.2))
    upright(builder, half + 0.01, (-0.26, 0.26, 0.42, 0.53), PLATE)
    for side in (-1.0, 1.0):
        corner = [
            (half - 0.0, side * w * 0.5, nose - 0.1),
            (half - 0.1, side * w * 0.88, nose - 0.06),
            (half - 0.14, side * w * 0.88, nose + 0.1),
            (half - 0.03, side * w * 0.5, nose + 0.04),
        ]
        builder.quad(corner, HEAD_LAMP, inside)
        builder.lamp((half, side * w * 0.7, nose), is_front=True)
        top = shape.deck_m - 0.2
        corner = [
            (-half, side * w * 0.48, top - 0.17),
            (-half + 0.08, side * w * 0.93, top - 0.17),
            (-half + 0.08, side * w * 0.93, top + 0.03),
            (-half, side * w * 0.48, top + 0.02),
        ]
        builder.quad(corner, TAIL_LAMP, inside)
        builder.lamp((-half, side * w * 0.72, top - 0.06), is_front=False)
    upright(builder, -half - 0.01, (-0.26, 0.26, 0.6, 0.72), PLATE)
    upright(builder, -half, (-w * 0.72, w * 0.72, 0.4, 0.5), DARK._replace(lift=0.2))


def upright(
    builder: MeshBuilder, x: float, span: tuple[float, float, float, float], surface: Surface
) -> None:
    """A patch on the front or the rear: from y, to y, from z, to z."""
    y0, y1, z0, z1 = span
    builder.quad([(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)], surface, (0.0, 0.0, z0))


def beside(
    builder: MeshBuilder, y: float, span: tuple[float, float, float, float], surface: Surface
) -> None:
    """A patch on the left or right side: from x, to x, from z, to z."""
    x0, x1, z0, z1 = span
    corners: list[Vec3] = [(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)]
    builder.quad(corners, surface, (x0, 0.0, z0))


def _car_flank(builder: MeshBuilder, shape: CarShape, body: Surface, side: float) -> None:
    y = side * (shape.width_m / 2 + 0.008)
    inside = (0.0, 0.0, 0.6)
    top = shape.belt_m - 0.14
    for x in (shape.windscreen_foot_m - 0.1, -0.1, shape.rear_foot_m + 0.75):
        strip: list[Vec3] = [(x, y, 0.3), (x + 0.025, y, 0.3), (x + 0.025, y, top), (x, y, top)]
        builder.quad(strip, SEAM, inside)
    sill: list[Vec3] = [(-0.95, y, 0.22), (0.95, y, 0.22), (0.95, y, 0.3), (-0.95, y, 0.3)]
    builder.quad(sill, SEAM, inside)
    mirror = shape.windscreen_foot_m - 0.25
    low = (mirror - 0.1, min(y, y + side * 0.18), shape.belt_m - 0.02)
    high = (mirror + 0.08, max(y, y + side * 0.18), shape.belt_m + 0.14)
    builder.box(low, high, body._replace(lift=0.1))
