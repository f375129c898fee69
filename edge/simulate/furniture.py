"""The layout → buildings and trees behind the road, poles, signals and things in the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.simulate.config import LayoutKind
from edge.simulate.layouts import LANE_M, LEGS, STOP_LINE_M
from edge.simulate.mesh import Colour, Mesh, MeshBuilder, Surface
from edge.simulate.painter import Pose
from edge.simulate.signals import Signal

_WINDOW = Surface((78, 70, 62), gloss=0.35, glow=0.35, lift=60.0)
_POLE = Surface((92, 94, 96), gloss=0.05)
_WALLS: tuple[Colour, ...] = (
    (150, 165, 185),
    (165, 168, 172),
    (120, 140, 168),
    (175, 190, 198),
    (130, 132, 138),
)
_LAMP_COLOURS = {
    Signal.RED: (40, 40, 245),
    Signal.YELLOW: (40, 200, 245),
    Signal.GREEN: (120, 235, 60),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """A mesh that stays where it is."""

    mesh: Mesh
    pose: Pose


def buildings(kind: LayoutKind, seed: int) -> list[Piece]:
    """Houses along the far side, farthest first."""
    rng = np.random.default_rng([seed, 41])
    if kind is LayoutKind.ROAD:
        spots = [(-22.0, float(n), 0.0) for n in range(150, 40, -22)]
        spots += [(24.0, float(n), np.pi) for n in range(160, 30, -24)]
    else:
        spots = [(e, n, 0.0) for n in (70.0, 46.0, 22.0) for e in (22.0, 46.0)]
        spots += [(-24.0, n, 0.0) for n in (70.0, 46.0, 22.0)]
        spots += [(e, -24.0, 0.0) for e in (80.0, 50.0)]
    return [
        Piece(
            mesh=_house(rng, _WALLS[int(rng.integers(len(_WALLS)))]),
            pose=Pose(east_m=float(e), north_m=float(n), heading_rad=float(turn)),
        )
        for e, n, turn in spots
    ]


def _house(rng: np.random.Generator, wall: Colour) -> Mesh:
    builder = MeshBuilder()
    half_x, half_y = float(rng.uniform(6, 8)), float(rng.uniform(8, 10))
    floors = int(rng.integers(2, 5))
    top = floors * 3.1 + 0.8
    builder.box((-half_x, -half_y, 0.0), (half_x, half_y, top), Surface(wall))
    for floor in range(floors):
        z = floor * 3.1 + 1.0
        for side, half, reach in (("x", half_x, half_y), ("y", half_y, half_x)):
            for c in np.arange(-reach + 1.2, reach - 2.0, 2.6):
                for sign in (-1, 1):
                    d, a, b = sign * (half + 0.02), float(c), float(c) + 1.3
                    ring = [(a, z), (b, z), (b, z + 1.5), (a, z + 1.5)]
                    corners = [(d, p, q) if side == "x" else (p, d, q) for p, q in ring]
                    builder.quad(corners, _WINDOW, (0.0, 0.0, z))
    return builder.build()


def tree_spots(kind: LayoutKind, seed: int) -> list[tuple[float, float, float]]:
    """East, north and height of trees behind the traffic, farthest first."""
    rng = np.random.default_rng([seed, 42])
    if kind is LayoutKind.ROAD:
        spots = [(13.5 + float(rng.uniform(0, 2)), n) for n in np.arange(130, 36, -9.0)]
        spots += [(-12.5 - float(rng.uniform(0, 3)), n) for n in np.arange(130, 34, -11.0)]
    else:
        spots = [
            (-13.5, 40.0),
            (-13.0, 28.0),
            (12.5, 52.0),
            (12.5, 40.0),
            (30.0, 11.5),
            (42.0, 11.5),
            (56.0, 11.5),
            (48.0, -12.5),
            (62.0, -12.5),
        ]
    spots.sort(key=lambda s: -float(np.hypot(*s)))
    return [(e, float(n), float(rng.uniform(5.0, 7.5))) for e, n in spots]


def occluders(kind: LayoutKind, count: int) -> list[Piece]:
    """Up to three things between the camera and the traffic."""
    if kind is LayoutKind.ROAD:
        spots = ((0.0, 14.0, 0.0), (-6.8, 8.0, -np.pi / 2), (0.0, 24.0, 0.0))
        meshes = (_post(), _sign_on_an_arm(), _cabinet(0.45))
    else:
        spots = ((-8.2, -10.0, 1.0), (-7.2, -14.5, 0.9), (-10.5, -6.8, 1.0))
        meshes = (_post(), _board(), _cabinet(0.8))
    return [
        Piece(mesh=mesh, pose=Pose(east_m=e, north_m=n, heading_rad=turn))
        for mesh, (e, n, turn) in zip(meshes[:count], spots[:count], strict=True)
    ]


def _post() -> Mesh:
    builder = MeshBuilder()
    builder.box((-0.14, -0.14, 0.0), (0.14, 0.14, 9.0), _POLE)
    return builder.build()


def _board() -> Mesh:
    builder = MeshBuilder()
    builder.box((-0.08, -1.6, 1.6), (0.08, 1.6, 3.4), Surface((150, 120, 70)))
    for y in (-1.3, 1.3):
        builder.box((-0.06, y - 0.06, 0.0), (0.06, y + 0.06, 1.7), _POLE)
    return builder.build()


def _sign_on_an_arm() -> Mesh:
    """A road sign that reaches over the lane to the left of its pole."""
    builder = MeshBuilder()
    builder.box((-0.1, -0.1, 0.0), (0.1, 0.1, 5.6), _POLE)
    builder.box((-0.05, 0.0, 5.3), (0.05, 3.2, 5.45), _POLE)
    builder.box((-0.06, 1.3, 4.2), (0.06, 3.1, 5.3), Surface((140, 80, 30)))
    return builder.build()


def _cabinet(half_m: float) -> Mesh:
    builder = MeshBuilder()
    builder.box((-half_m, -half_m, 0.0), (half_m, half_m, 2.5), Surface((80, 105, 80)))
    return builder.build()


def signal_pieces(heads: dict[str, Signal]) -> list[Piece]:
    """A pole with three lamps at the right of each stop line, facing who comes."""
    pieces = []
    for leg, signal in heads.items():
        angle = np.radians(LEGS[leg])
        out, across = STOP_LINE_M - 0.4, LANE_M + 0.9
        pieces.append(
            Piece(
                mesh=_SIGNAL_MESHES[signal],
                pose=Pose(
                    east_m=float(out * np.cos(angle) - across * np.sin(angle)),
                    north_m=float(out * np.sin(angle) + across * np.cos(angle)),
                    heading_rad=float(angle),
                ),
            )
        )
    return pieces


def _signal_mesh(shown: Signal) -> Mesh:
    builder = MeshBuilder()
    builder.box((-0.06, -0.06, 0.0), (0.06, 0.06, 2.5), _POLE)
    builder.box((-0.14, -0.17, 2.4), (0.14, 0.17, 3.4), Surface((28, 30, 30)))
    for k, signal in enumerate((Signal.GREEN, Signal.YELLOW, Signal.RED)):
        on = signal is shown
        colour = _LAMP_COLOURS[signal] if on else (34.0, 36.0, 40.0)
        z = 2.56 + 0.32 * k
        surface = Surface(colour, glow=1.0 if on else 0.0, lift=0.4)
        corners = [
            (0.15, y, z + dz) for y, dz in ((-0.1, -0.1), (0.1, -0.1), (0.1, 0.1), (-0.1, 0.1))
        ]
        builder.quad(corners, surface, (0.0, 0.0, z))
    return builder.build()


_SIGNAL_MESHES = {signal: _signal_mesh(signal) for signal in Signal}
