"""A world at a moment → the frame its camera delivers."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.simulate.backdrop import paint_backdrop
from edge.simulate.config import SceneConfig
from edge.simulate.effects import Effects
from edge.simulate.furniture import Piece, occluders, signal_pieces
from edge.simulate.lighting import casts_shadows, lit_at, scene_lighting
from edge.simulate.ordering import far_to_near
from edge.simulate.painter import NEAREST_M, PlacedMesh, paint
from edge.simulate.pinhole import PinholeCamera
from edge.simulate.signals import Signal
from edge.simulate.world import UserState, World

Image = NDArray[np.uint8]
_SUN_SHADOW, _CONTACT_SHADOW = 175, 235
_SHADOW_COLOUR = (0.52, 0.47, 0.43)


class Renderer:
    """Draws one scene; backdrops are painted once per aim of the camera."""

    def __init__(self, config: SceneConfig) -> None:
        self._config = config
        self._light = scene_lighting(config)
        self._effects = Effects(config)
        self._occluders = occluders(config.layout, config.occluders)
        self._pieces_key: tuple[PinholeCamera, tuple[Signal, ...]] | None = None
        self._pieces: list[PlacedMesh] = []
        self._plates: dict[PinholeCamera, tuple[Image, Image]] = {}

    def draw(self, world: World, at_s: float, index: int) -> Image:
        """Shape (h, w, 3), uint8, BGR: frame ``index``, taken at scene time ``at_s``."""
        camera = world.camera_at(at_s)
        users = in_view(world.at(at_s), camera)
        image = self.backdrop(camera).copy()
        self._cast_shadows(image, [item for _, item in users], camera)
        if self._light.lamps_on:
            self._effects.beams(image, [item for _, item in users], camera)
        things = [item for _, item in users] + self._standing(world.signal_heads(at_s), camera)
        for i in far_to_near(things, camera):
            item = things[i]
            spot = (item.pose.east_m, item.pose.north_m)
            paint(image, item, camera, lit_at(self._light, self._config.layout, spot))
            if self._light.lamps_on and i < len(users):
                self._effects.lamp_glow(image, item, camera, braking=users[i][0].braking)
        return self._effects.finish(image, index)

    def _standing(self, heads: dict[str, Signal], camera: PinholeCamera) -> list[PlacedMesh]:
        key = (camera, tuple(heads.values()))
        if key != self._pieces_key:
            pieces = [*self._occluders, *signal_pieces(heads)]
            self._pieces_key, self._pieces = key, standing(pieces, camera)
        return self._pieces

    def backdrop(self, camera: PinholeCamera) -> Image:
        """The empty place, without noise."""
        return self._plate(camera)[0]

    def _plate(self, camera: PinholeCamera) -> tuple[Image, Image]:
        if camera not in self._plates:
            plate = paint_backdrop(self._config, camera)
            shadowed = (plate * np.asarray(_SHADOW_COLOUR)).astype(np.uint8)
            self._plates[camera] = (plate, shadowed)
        return self._plates[camera]

    def _cast_shadows(self, image: Image, items: list[PlacedMesh], camera: PinholeCamera) -> None:
        plate, shadowed = self._plate(camera)
        mask = np.zeros(image.shape[:2], dtype=np.uint8)
        patches = []
        for item in items:
            outlines = [(self._contact_outline(item, camera), _CONTACT_SHADOW)]
            if casts_shadows(self._config):
                outlines.insert(0, (self._sun_outline(item, camera), _SUN_SHADOW))
            drawn = [(outline, level) for outline, level in outlines if outline is not None]
            for outline, level in drawn:
                cv2.fillConvexPoly(mask, outline, level, cv2.LINE_AA)
            if drawn:
                around = cv2.boundingRect(np.concatenate([outline for outline, _ in drawn]))
                patch = _inside(around, image, margin=4)
                patches += [patch] if patch is not None else []
        for x0, y0, x1, y1 in patches:
            soft = cv2.GaussianBlur(mask[y0:y1, x0:x1], (5, 5), 1.4).astype(np.float32) / 255
            image[y0:y1, x0:x1] = cv2.blendLinear(
                shadowed[y0:y1, x0:x1], plate[y0:y1, x0:x1], soft, 1 - soft
            )

    def _sun_outline(self, item: PlacedMesh, camera: PinholeCamera) -> NDArray[np.int32] | None:
        east, north, up = self._light.sun_direction
        ground = item.world.copy()
        ground[:, 0] -= item.world[:, 2] * east / up
        ground[:, 1] -= item.world[:, 2] * north / up
        ground[:, 2] = 0.0
        return _hull(ground, camera)

    def _contact_outline(self, item: PlacedMesh, camera: PinholeCamera) -> NDArray[np.int32] | None:
        low = item.world[item.world[:, 2] < 0.5].copy()
        low[:, 2] = 0.0
        return _hull(low, camera)


def in_view(
    users: tuple[UserState, ...], camera: PinholeCamera
) -> list[tuple[UserState, PlacedMesh]]:
    """Road users with at least a corner in the picture."""
    reach = camera.position[:2]
    forward = camera.axes[2][:2]
    near = [u for u in users if forward @ (np.array([u.east_m, u.north_m]) - reach) > -8.0]
    placed = [(user, user.placed(camera)) for user in near]
    return [(user, item) for user, item in placed if item.box(camera) is not None]


def standing(pieces: list[Piece], camera: PinholeCamera) -> list[PlacedMesh]:
    """Furniture in front of the lens."""
    placed = [PlacedMesh.at(piece.mesh, piece.pose, camera) for piece in pieces]
    return [item for item in placed if (item.depth > NEAREST_M).all()]


def _hull(points: NDArray[np.float64], camera: PinholeCamera) -> NDArray[np.int32] | None:
    pixels, depth = camera.project(points)
    if len(points) < 3 or (depth < NEAREST_M).any():
        return None
    hull: NDArray[np.int32] = cv2.convexHull(
        np.round(np.clip(pixels, -20_000, 20_000)).astype(np.int32)
    )
    return hull


def _inside(
    rect: tuple[int, int, int, int], image: Image, margin: int
) -> tuple[int, int, int, int] | None:
    x, y, width, height = rect
    x0, y0 = max(0, x - margin), max(0, y - margin)
    x1 = min(image.shape[1], x + width + margin)
    y1 = min(image.shape[0], y + height + margin)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None
