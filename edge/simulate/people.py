"""A gait phase and clothes → meshes of people on foot, on bicycles and on motorcycles."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from edge.simulate.mesh import Colour, Mesh, MeshBuilder, Surface, Vec3

_SKIN = (130.0, 160.0, 205.0)
_TYRE = Surface((30, 30, 30))


@dataclass(frozen=True, slots=True, kw_only=True)
class Clothes:
    """Colours of one person, BGR."""

    top: Colour
    trousers: Colour
    hair: Colour = (35.0, 40.0, 50.0)
    shoes: Colour = (40.0, 40.0, 42.0)
    helmet: Colour | None = None


def build_walker(
    clothes: Clothes, phase: float, height_m: float = 1.74, *, coarse: bool = False
) -> Mesh:
    """A person on foot; ``phase`` in turns, 0 and 1 being the same step of the left leg."""
    builder = MeshBuilder(coarse=coarse)
    swing = 0.42 * float(np.sin(2 * np.pi * phase))
    size = height_m / 1.74
    for side, angle in ((1.0, swing), (-1.0, -swing)):
        knee_bend = 0.55 * max(0.0, float(np.cos(2 * np.pi * phase)) * side)
        _leg(builder, clothes, (0.0, side * 0.1, 0.88), (angle, knee_bend), size)
        _arm(builder, clothes, (0.0, side * 0.22, 1.42), -angle * 0.8, size)
    _torso(builder, clothes, (0.0, 0.0, 0.92), (0.03, 0.0, 1.4), size)
    _head(builder, clothes, (0.05, 0.0, 1.61), size)
    return _grounded(builder.build())


def build_cyclist(
    clothes: Clothes, frame_colour: Colour, phase: float, *, coarse: bool = False
) -> Mesh:
    """A bicycle and its rider; ``phase`` in turns of the pedals."""
    builder = MeshBuilder(coarse=coarse)
    build_bicycle(builder, frame_colour)
    builder.start_rider()
    _rider(builder, clothes, phase)
    builder.lamp((0.75, 0.0, 0.95), is_front=True)
    builder.lamp((-0.75, 0.0, 0.75), is_front=False)
    return builder.build()


def build_bicycle(builder: MeshBuilder, colour: Colour) -> None:
    """Wheels, frame, saddle and handlebar."""
    for x in (0.52, -0.52):
        _rim(builder, x, 0.34, 0.014)
    frame = Surface(colour, gloss=0.1)
    hub_rear, hub_front, bottom = (-0.52, 0.0, 0.34), (0.52, 0.0, 0.34), (-0.08, 0.0, 0.3)
    seat, head = (-0.22, 0.0, 0.86), (0.36, 0.0, 0.86)
    for a, b in (
        (hub_rear, seat),
        (hub_rear, bottom),
        (bottom, seat),
        (bottom, head),
        (seat, head),
        (head, hub_front),
    ):
        builder.capsule(a, b, (0.019, 0.019), frame)
    builder.capsule((0.36, -0.27, 1.02), (0.36, 0.27, 1.02), (0.02, 0.02), _TYRE)
    builder.capsule((0.36, 0.0, 0.86), (0.36, 0.0, 1.02), (0.022, 0.022), _TYRE)
    builder.capsule((-0.34, 0.0, 0.93), (-0.12, 0.0, 0.93), (0.06, 0.035), _TYRE)


def build_motorcyclist(clothes: Clothes, paint: Colour, *, coarse: bool = False) -> Mesh:
    """A motorcycle and its rider."""
    builder = MeshBuilder(coarse=coarse)
    _motorcycle(builder, paint)
    builder.start_rider()
    hip, neck = (-0.3, 0.0, 0.9), (0.02, 0.0, 1.38)
    _torso(builder, clothes, hip, neck, 1.05)
    _head(builder, clothes, (0.1, 0.0, 1.62), 1.12)
    cloth = Surface(clothes.top)
    legs = Surface(clothes.trousers)
    for side in (1.0, -1.0):
        knee: Vec3 = (0.14, side * 0.24, 0.78)
        builder.capsule((-0.28, side * 0.13, 0.86), knee, (0.1, 0.085), legs)
        builder.capsule(knee, (-0.12, side * 0.22, 0.36), (0.075, 0.06), legs)
        shoe = Surface(clothes.shoes)
        builder.capsule((-0.14, side * 0.22, 0.3), (0.08, side * 0.22, 0.28), (0.055, 0.05), shoe)
        elbow: Vec3 = (0.2, side * 0.36, 1.14)
        builder.capsule((0.0, side * 0.2, 1.36), elbow, (0.07, 0.055), cloth)
        builder.capsule(elbow, (0.44, side * 0.3, 1.04), (0.055, 0.045), cloth)
    builder.lamp((0.72, 0.0, 0.86), is_front=True)
    builder.lamp((-0.95, 0.0, 0.78), is_front=False)
    return builder.build()


def _motorcycle(builder: MeshBuilder, paint: Colour) -> None:
    body = Surface(paint, gloss=0.2)
    metal = Surface((110, 110, 112), gloss=0.25)
    for x, width in ((0.72, 0.06), (-0.68, 0.085)):
        _rim(builder, x, 0.32, width)
        builder.disc((x, 0.05, 0.32), 0.14, metal, side=1.0)
        builder.disc((x, -0.05, 0.32), 0.14, metal, side=-1.0)
    for side in (0.09, -0.09):
        builder.capsule((0.72, side, 0.32), (0.42, side, 0.98), (0.035, 0.035), metal)
        builder.capsule((-0.68, side, 0.32), (-0.1, side, 0.4), (0.04, 0.05), metal)
    builder.box((-0.22, -0.17, 0.24), (0.3, 0.17, 0.56), Surface((62, 62, 66), gloss=0.1))
    builder.capsule((-0.05, 0.0, 0.78), (0.36, 0.0, 0.86), (0.15, 0.17), body)
    builder.capsule((-0.78, 0.0, 0.82), (-0.15, 0.0, 0.76), (0.09, 0.13), Surface((28, 28, 30)))
    builder.capsule((-0.95, 0.0, 0.78), (-0.6, 0.0, 0.7), (0.06, 0.11), body)
    builder.capsule((0.46, 0.0, 0.86), (0.62, 0.0, 0.78), (0.15, 0.11), body)
    builder.capsule((0.55, 0.0, 0.66), (0.88, 0.0, 0.62), (0.07, 0.06), body)
    builder.capsule((0.42, -0.36, 1.04), (0.42, 0.36, 1.04), (0.025, 0.025), _TYRE)
    builder.capsule((-0.75, -0.18, 0.4), (-0.1, -0.2, 0.34), (0.06, 0.05), metal)
    lamp = Surface((245, 250, 250), gloss=0.2, glow=1.0, lift=0.2)
    corners: list[Vec3] = [
        (0.74, y, z) for y, z in ((-0.1, 0.74), (0.1, 0.74), (0.1, 0.92), (-0.1, 0.92))
    ]
    builder.quad(corners, lamp, (0.0, 0.0, 0.8))
    tail = Surface((30, 30, 200), glow=0.8, lift=0.2)
    corners = [(-1.02, y, z) for y, z in ((-0.08, 0.74), (0.08, 0.74), (0.08, 0.84), (-0.08, 0.84))]
    builder.quad(corners, tail, (0.0, 0.0, 0.8))


def _rim(builder: MeshBuilder, x: float, radius_m: float, width_m: float) -> None:
    """A tyre seen through: a ring of blocks, so that the road shows between the spokes."""
    inner = radius_m - max(0.024, width_m * 1.3)
    turns = np.linspace(0.0, 2 * np.pi, 9 if builder.coarse else 15)
    for a, b in pairwise(turns):
        cut: list[list[Vec3]] = [
            [
                (x + r * float(np.cos(t)), y, radius_m + r * float(np.sin(t)))
                for r, y in (
                    (inner, -width_m),
                    (radius_m, -width_m),
                    (radius_m, width_m),
                    (inner, width_m),
                )
            ]
            for t in (a, b)
        ]
        builder.loft(cut, _TYRE)


def _rider(builder: MeshBuilder, clothes: Clothes, phase: float) -> None:
    hip, neck = (-0.2, 0.0, 1.0), (0.1, 0.0, 1.46)
    _torso(builder, clothes, hip, neck, 1.0)
    _head(builder, clothes, (0.18, 0.0, 1.66), 1.0)
    cloth, legs, skin = Surface(clothes.top), Surface(clothes.trousers), Surface(_SKIN)
    for side in (1.0, -1.0):
        turn = 2 * np.pi * phase + (0.0 if side > 0 else np.pi)
        pedal = np.array([-0.08 + 0.17 * np.cos(turn), side * 0.12, 0.3 + 0.17 * np.sin(turn)])
        hip_joint = np.array([-0.2, side * 0.11, 0.96])
        knee = _joint(hip_joint, pedal + np.array([0.0, 0.0, 0.05]), 0.46)
        builder.capsule(_vec(hip_joint), knee, (0.09, 0.07), legs)
        builder.capsule(knee, _vec(pedal + np.array([0.0, 0.0, 0.05])), (0.065, 0.05), legs)
        shoe = Surface(clothes.shoes)
        builder.capsule(_vec(pedal), _vec(pedal + np.array([0.16, 0.0, 0.0])), (0.045, 0.04), shoe)
        elbow: Vec3 = (0.2, side * 0.27, 1.2)
        builder.capsule((0.08, side * 0.19, 1.42), elbow, (0.06, 0.05), cloth)
        builder.capsule(elbow, (0.38, side * 0.24, 1.06), (0.045, 0.04), skin)


def _joint(a: np.ndarray, b: np.ndarray, limb_m: float) -> Vec3:
    """The knee between two ends of a leg of two equal limbs, bent forward."""
    middle, span = (a + b) / 2, b - a
    reach = float(np.linalg.norm(span))
    bend = float(np.sqrt(max(limb_m**2 - reach**2 / 4, 0.0)))
    forward = np.array([-span[2], 0.0, span[0]]) / max(reach, 1e-9)
    return _vec(middle + forward * bend * (1.0 if forward[0] >= 0 else -1.0))


def _leg(
    builder: MeshBuilder, clothes: Clothes, hip: Vec3, bend: tuple[float, float], size: float
) -> None:
    angle, knee_bend = bend
    cloth = Surface(clothes.trousers)
    start = np.asarray(hip) * size
    knee = start + 0.43 * size * np.array([np.sin(angle), 0.0, -np.cos(angle)])
    lower = angle - knee_bend
    ankle = knee + 0.4 * size * np.array([np.sin(lower), 0.0, -np.cos(lower)])
    builder.capsule(_vec(start), _vec(knee), (0.1 * size, 0.075 * size), cloth)
    builder.capsule(_vec(knee), _vec(ankle), (0.07 * size, 0.052 * size), cloth)
    toe = ankle + np.array([0.17, 0.0, -0.01]) * size
    builder.capsule(_vec(ankle), _vec(toe), (0.055, 0.045), Surface(clothes.shoes))


def _arm(builder: MeshBuilder, clothes: Clothes, shoulder: Vec3, angle: float, size: float) -> None:
    start = np.asarray(shoulder) * size
    elbow = start + 0.29 * size * np.array([np.sin(angle), 0.06, -np.cos(angle)])
    hand = elbow + 0.25 * size * np.array([np.sin(angle + 0.4), 0.0, -np.cos(angle + 0.4)])
    builder.capsule(_vec(start), _vec(elbow), (0.062 * size, 0.05 * size), Surface(clothes.top))
    builder.capsule(_vec(elbow), _vec(hand), (0.046 * size, 0.036 * size), Surface(clothes.top))
    fingers = hand + (hand - elbow) * 0.32
    builder.capsule(_vec(hand), _vec(fingers), (0.042 * size, 0.03 * size), Surface(_SKIN))


def _torso(builder: MeshBuilder, clothes: Clothes, hip: Vec3, neck: Vec3, size: float) -> None:
    cloth = Surface(clothes.top)
    a, b = np.asarray(hip) * size, np.asarray(neck) * size
    rings: list[list[Vec3]] = []
    for share, depth, half in (
        (-0.05, 0.1, 0.15),
        (0.25, 0.105, 0.15),
        (0.7, 0.12, 0.19),
        (0.95, 0.1, 0.2),
        (1.08, 0.06, 0.09),
    ):
        centre = a + (b - a) * share
        ring = []
        for k in range(8):
            turn = 2 * np.pi * k / 8
            offset = np.array([depth * np.cos(turn), half * np.sin(turn), 0.0]) * size
            ring.append(_vec(centre + offset))
        rings.append(ring)
    builder.loft(rings, cloth)


def _head(builder: MeshBuilder, clothes: Clothes, centre: Vec3, size: float) -> None:
    x, y, z = (c * size for c in centre)
    skin = Surface(_SKIN)
    builder.capsule((x - 0.02, y, z - 0.16), (x, y, z - 0.05), (0.05, 0.06), skin)
    builder.capsule((x, y, z - 0.05), (x, y, z + 0.03), (0.09, 0.1), skin)
    cover = Surface(
        clothes.helmet or clothes.hair, gloss=0.15 if clothes.helmet else 0.0, lift=0.03
    )
    if clothes.helmet:
        builder.capsule((x, y, z - 0.02), (x - 0.01, y, z + 0.06), (0.13, 0.125), cover)
    else:
        builder.capsule((x - 0.035, y, z + 0.0), (x - 0.02, y, z + 0.05), (0.095, 0.095), cover)


def _grounded(mesh: Mesh) -> Mesh:
    """Feet on the road: the lowest vertex goes to z = 0."""
    lowest = mesh.vertices[:, 2].min()
    mesh.vertices[:, 2] -= lowest
    mesh.centres[:, 2] -= lowest
    return mesh


def _vec(p: np.ndarray) -> Vec3:
    return float(p[0]), float(p[1]), float(p[2])
