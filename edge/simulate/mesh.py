"""Boxes, lofts, discs and capsules → one mesh of coloured quadrilaterals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vec3 = tuple[float, float, float]
Colour = tuple[float, float, float]


class Lamp(NamedTuple):
    """A light of the road user that shines at night; position in metres of the model."""

    position_m: Vec3
    is_front: bool


class Surface(NamedTuple):
    """How a face looks.

    Attributes:
        colour: BGR, 0 to 255, in white light.
        gloss: Share of the sky it mirrors, 0 to 1.
        glow: Share of its colour that shines by itself at night, 0 to 1.
        lift: Metres by which it counts as nearer than its centre, for trim on a panel.
    """

    colour: Colour
    gloss: float = 0.0
    glow: float = 0.0
    lift: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mesh:
    """One road user or piece of furniture; x forward, y left, z up, metres, z = 0 on the road.

    Attributes:
        vertices: Shape (n, 3), float64.
        faces: Shape (m, 4), int64, corners of each quadrilateral.
        normals: Shape (m, 3), float64, unit vectors out of the body.
        centres: Shape (m, 3), float64, middles of the faces.
        colours: Shape (m, 3), float64, BGR.
        gloss: Shape (m,), float64.
        glow: Shape (m,), float64.
        lift: Shape (m,), float64.
        rider: Shape (m,), bool, faces of the person on a cycle.
        lamps: Lights for the night.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    normals: NDArray[np.float64]
    centres: NDArray[np.float64]
    colours: NDArray[np.float64]
    gloss: NDArray[np.float64]
    glow: NDArray[np.float64]
    lift: NDArray[np.float64]
    rider: NDArray[np.bool_]
    lamps: tuple[Lamp, ...] = ()

    @property
    def length_m(self) -> float:
        """Extent along the driving direction."""
        return float(np.ptp(self.vertices[:, 0]))

    @property
    def footprint_m(self) -> NDArray[np.float64]:
        """Shape (4, 3): corners of the upright box around it on the road, anticlockwise."""
        (x0, y0, _), (x1, y1, _) = self.vertices.min(axis=0), self.vertices.max(axis=0)
        return np.array([[x0, y0, 0.0], [x1, y0, 0.0], [x1, y1, 0.0], [x0, y1, 0.0]])


class MeshBuilder:
    """Collects parts; every part's faces are turned to look away from its ``inside`` point.

    A ``coarse`` builder spends fewer faces on round parts, for what is seen from far away.
    """

    def __init__(self, *, coarse: bool = False) -> None:
        self.coarse = coarse
        self._corners: list[NDArray[np.float64]] = []
        self._insides: list[NDArray[np.float64]] = []
        self._surfaces: list[Surface] = []
        self._lamps: list[Lamp] = []
        self._cycle_faces: int | None = None

    def quad(self, corners: Sequence[Vec3], surface: Surface, inside: Vec3) -> None:
        """Add one face."""
        self._corners.append(np.asarray(corners, dtype=np.float64))
        self._insides.append(np.asarray(inside, dtype=np.float64))
        self._surfaces.append(surface)

    def start_rider(self) -> None:
        """Whatever is added from here on belongs to the person on the cycle."""
        self._cycle_faces = len(self._corners)

    def lamp(self, position_m: Vec3, *, is_front: bool) -> None:
        """Add a light."""
        self._lamps.append(Lamp(position_m, is_front))

    def box(self, low: Vec3, high: Vec3, surface: Surface) -> None:
        """Add an upright box between two opposite corners."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        rings = [[(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)] for x in (x0, x1)]
        self.loft(rings, surface)

    def loft(self, rings: Sequence[Sequence[Vec3]], surface: Surface) -> None:
        """Add a closed skin over cross-sections with the same number of corners each."""
        middle = [np.mean(np.asarray(ring), axis=0) for ring in rings]
        for i in range(len(rings) - 1):
            a, b = rings[i], rings[i + 1]
            centre = (middle[i] + middle[i + 1]) / 2
            inside = (float(centre[0]), float(centre[1]), float(centre[2]))
            for j in range(len(a)):
                k = (j + 1) % len(a)
                self.quad([a[j], a[k], b[k], b[j]], surface, inside)
        whole = np.mean(middle, axis=0)
        centre_of_all = (float(whole[0]), float(whole[1]), float(whole[2]))
        for ring in (rings[0], rings[-1]):
            self.polygon(ring, surface, centre_of_all)

    def polygon(self, corners: Sequence[Vec3], surface: Surface, inside: Vec3) -> None:
        """Add a convex polygon with an even number of corners as a strip of faces."""
        low, high = 0, len(corners) - 1
        while high - low >= 3:
            ring = [corners[low], corners[low + 1], corners[high - 1], corners[high]]
            self.quad(ring, surface, inside)
            low, high = low + 1, high - 1

    def disc(self, centre: Vec3, radius_m: float, surface: Surface, *, side: float) -> None:
        """Add an upright disc (a wheel's face) that looks to the left (1) or right (-1)."""
        x, y, z = centre
        turns = np.arange(12) * np.pi / 6
        corners = [
            (x + radius_m * float(np.cos(a)), y, z + radius_m * float(np.sin(a))) for a in turns
        ]
        self.polygon(corners, surface, (x, y - side, z))

    def capsule(
        self, start: Vec3, end: Vec3, radii_m: tuple[float, float], surface: Surface
    ) -> None:
        """Add a limb: a tapered tube with rounded ends."""
        a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
        along = b - a
        along /= max(float(np.linalg.norm(along)), 1e-9)
        helper = np.array([0.0, 1.0, 0.0]) if abs(along[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
        u = np.cross(along, helper)
        u /= np.linalg.norm(u)
        v = np.cross(along, u)
        is_limb = np.linalg.norm(b - a) > 2 * max(radii_m)
        sides = 4 if self.coarse and is_limb else 6
        turns = (np.arange(sides) + 0.5) * 2 * np.pi / sides
        circle = np.outer(np.cos(turns), u) + np.outer(np.sin(turns), v)
        stations = [
            (a - along * radii_m[0] * 0.8, radii_m[0] * 0.55),
            (a, radii_m[0]),
            (b, radii_m[1]),
            (b + along * radii_m[1] * 0.8, radii_m[1] * 0.55),
        ]
        if self.coarse and is_limb:
            stations = [(stations[0][0], radii_m[0]), (stations[3][0], radii_m[1])]
        rings = [
            [(float(p[0]), float(p[1]), float(p[2])) for p in centre + circle * radius]
            for centre, radius in stations
        ]
        self.loft(rings, surface)

    def build(self) -> Mesh:
        """Close the mesh.

        Raises:
            ValueError: Nothing was added.
        """
        if not self._corners:
            raise ValueError("a mesh needs at least one face")
        corners = np.stack(self._corners)
        normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        outward = corners.mean(axis=1) - np.stack(self._insides)
        normals[np.sum(normals * outward, axis=1) < 0] *= -1
        vertices, index = np.unique(
            np.round(corners.reshape(-1, 3), 5), axis=0, return_inverse=True
        )
        return Mesh(
            vertices=vertices,
            faces=index.reshape(-1, 4).astype(np.int64),
            normals=normals,
            centres=vertices[index.reshape(-1, 4)].mean(axis=1),
            colours=np.array([s.colour for s in self._surfaces], dtype=np.float64),
            gloss=np.array([s.gloss for s in self._surfaces]),
            glow=np.array([s.glow for s in self._surfaces]),
            lift=np.array([s.lift for s in self._surfaces]),
            rider=np.arange(len(corners))
            >= (len(corners) if self._cycle_faces is None else self._cycle_faces),
            lamps=tuple(self._lamps),
        )
