"""A mesh in a pose → shaded pixels in the image, its exact box and its silhouette."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from common.geometry import Box
from edge.simulate.mesh import Mesh
from edge.simulate.pinhole import PinholeCamera

NEAREST_M = 0.6
_SUBPIXEL_BITS = 4
_FARTHEST_PX = 20_000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """Where a mesh stands on the road; heading anticlockwise from east."""

    east_m: float
    north_m: float
    heading_rad: float

    @property
    def rotation(self) -> NDArray[np.float64]:
        """Shape (3, 3): model axes to world axes."""
        cos, sin = np.cos(self.heading_rad), np.sin(self.heading_rad)
        return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])

    def place(self, points_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """Model points, shape (n, 3), in the world."""
        placed: NDArray[np.float64] = points_m @ self.rotation.T
        placed[:, 0] += self.east_m
        placed[:, 1] += self.north_m
        return placed


@dataclass(frozen=True, slots=True, kw_only=True)
class Lighting:
    """Light that falls on the scene; colours are BGR factors, 1 being full daylight.

    Attributes:
        sun_direction: Unit vector towards the sun.
        sun: Direct light.
        sky: Light from above.
        bounce: Light from the road.
        mirrored: What a glossy face mirrors of the sky, BGR 0 to 255.
        lamps_on: Head and tail lamps shine.
    """

    sun_direction: tuple[float, float, float]
    sun: tuple[float, float, float]
    sky: tuple[float, float, float]
    bounce: tuple[float, float, float]
    mirrored: tuple[float, float, float]
    lamps_on: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedMesh:
    """A mesh in the world with its picture coordinates.

    Attributes:
        mesh: What it is.
        world: Shape (n, 3), vertices in world metres.
        pixels: Shape (n, 2), vertices in the image.
        depth: Shape (n,), metres along the view.
        pose: Where it stands.
    """

    mesh: Mesh
    world: NDArray[np.float64]
    pixels: NDArray[np.float64]
    depth: NDArray[np.float64]
    pose: Pose

    @classmethod
    def at(cls, mesh: Mesh, pose: Pose, camera: PinholeCamera) -> PlacedMesh:
        """Place and project."""
        world = pose.place(mesh.vertices)
        pixels, depth = camera.project(world)
        return cls(mesh=mesh, world=world, pixels=pixels, depth=depth, pose=pose)

    def box(self, camera: PinholeCamera) -> Box | None:
        """Tight box of the rendered pixels inside the frame, or None when it is not in view."""
        return _box_around(self.pixels, self.depth, camera)

    def part_box(self, camera: PinholeCamera, *, rider: bool) -> Box | None:
        """Box of the person on a cycle, or of the cycle alone."""
        used = np.unique(self.mesh.faces[self.mesh.rider == rider])
        return _box_around(self.pixels[used], self.depth[used], camera)


def _box_around(
    pixels: NDArray[np.float64], depth: NDArray[np.float64], camera: PinholeCamera
) -> Box | None:
    near = depth > NEAREST_M
    if not near.all():
        pixels = pixels[near]
    if not len(pixels):
        return None
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    x1, y1 = max(float(low[0]), 0.0), max(float(low[1]), 0.0)
    x2, y2 = min(float(high[0]), camera.width_px), min(float(high[1]), camera.height_px)
    return Box(x1, y1, x2, y2) if x2 > x1 and y2 > y1 else None


def visible_faces(placed: PlacedMesh, camera: PinholeCamera) -> NDArray[np.int64]:
    """Indices of faces that look at the camera, farthest first."""
    mesh = placed.mesh
    lens = _lens_in_model(placed, camera)
    to_lens = lens - mesh.centres
    facing = np.einsum("ij,ij->i", mesh.normals, to_lens) > 0
    if placed.depth.min() <= NEAREST_M:
        facing &= (placed.depth[mesh.faces] > NEAREST_M).all(axis=1)
    chosen = np.flatnonzero(facing)
    away = to_lens[chosen]
    distance = np.sqrt(np.einsum("ij,ij->i", away, away)) - mesh.lift[chosen]
    return chosen[np.argsort(-distance, kind="stable")]


def _lens_in_model(placed: PlacedMesh, camera: PinholeCamera) -> NDArray[np.float64]:
    offset = camera.position - (placed.pose.east_m, placed.pose.north_m, 0.0)
    seen: NDArray[np.float64] = offset @ placed.pose.rotation
    return seen


def shade(
    placed: PlacedMesh, faces: NDArray[np.int64], camera: PinholeCamera, light: Lighting
) -> NDArray[np.float64]:
    """Colours of faces, shape (k, 3), BGR 0 to 255: Lambert plus mirrored sky and sun glint."""
    mesh = placed.mesh
    normals = mesh.normals[faces]
    view = _lens_in_model(placed, camera) - mesh.centres[faces]
    view /= np.sqrt(np.einsum("ij,ij->i", view, view))[:, None]
    to_sun = np.asarray(light.sun_direction) @ placed.pose.rotation
    diffuse = np.maximum(normals @ to_sun, 0.0)[:, None]
    up = (0.5 + 0.5 * normals[:, 2])[:, None]
    sun, sky, bounce = (np.asarray(c) for c in (light.sun, light.sky, light.bounce))
    colours = mesh.colours[faces] * (diffuse * sun + up * (sky - bounce) + bounce)
    cosine = np.einsum("ij,ij->i", normals, view)[:, None]
    mirror = 2 * cosine * normals - view
    gloss = mesh.gloss[faces][:, None]
    fresnel = 0.35 + 0.65 * (1 - cosine) ** 3
    horizon = np.clip(mirror[:, 2:] * 2.2 + 0.35, 0.08, 1.0)
    colours += gloss * fresnel * horizon * np.asarray(light.mirrored)
    glint = np.maximum(mirror @ to_sun, 0.0)[:, None] ** 24
    colours += gloss * glint * 420.0 * sun
    if light.lamps_on:
        glow = mesh.glow[faces][:, None]
        colours = colours * (1 - glow) + glow * (mesh.colours[faces] + 40.0)
    clipped: NDArray[np.float64] = np.clip(colours, 0.0, 255.0)
    return clipped


def paint(
    image: NDArray[np.uint8], placed: PlacedMesh, camera: PinholeCamera, light: Lighting
) -> None:
    """Draw with anti-aliased edges, far faces first (painter's algorithm)."""
    faces = visible_faces(placed, camera)
    if not len(faces):
        return
    colours = shade(placed, faces, camera, light).tolist()
    for polygon, colour in zip(_corners(placed, faces), colours, strict=True):
        cv2.fillConvexPoly(image, polygon, colour, cv2.LINE_AA, _SUBPIXEL_BITS)


def _corners(placed: PlacedMesh, faces: NDArray[np.int64]) -> NDArray[np.int32]:
    """Shape (k, 4, 2): corners for OpenCV, whose pixel centres lie on whole numbers."""
    scale = 1 << _SUBPIXEL_BITS
    # What lies beside or behind the lens projects to anywhere; OpenCV wants it within reason.
    pixels = np.clip(placed.pixels, -_FARTHEST_PX, _FARTHEST_PX)
    fixed = np.rint(pixels * scale - scale / 2).astype(np.int32)
    corners: NDArray[np.int32] = fixed[placed.mesh.faces[faces]]
    return corners


def paint_mask(
    mask: NDArray[np.uint8], placed: PlacedMesh, camera: PinholeCamera, value: int
) -> None:
    """Write ``value`` wherever the mesh covers ``mask``."""
    for polygon in _corners(placed, visible_faces(placed, camera)):
        cv2.fillConvexPoly(mask, polygon, value, cv2.LINE_8, _SUBPIXEL_BITS)
