"""Layout, light and camera → the picture of the place without road users."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.simulate.config import Light, SceneConfig, Weather
from edge.simulate.furniture import buildings, tree_spots
from edge.simulate.ground import ground_colours
from edge.simulate.lighting import STREET_COLOUR, lamp_light, lamp_spots, lit_at, scene_lighting
from edge.simulate.mesh import MeshBuilder, Surface
from edge.simulate.painter import NEAREST_M, Lighting, PlacedMesh, Pose, paint
from edge.simulate.pinhole import PinholeCamera

Image = NDArray[np.uint8]
_SKIES = {
    Light.DAY: ((225, 200, 170), (235, 228, 222)),
    Light.DUSK: ((120, 90, 80), (130, 150, 190)),
    Light.NIGHT: ((22, 16, 14), (34, 32, 30)),
}


_BAND_PX = 40
_RAIN_SKY = ((190, 188, 185), (205, 204, 202))


def paint_backdrop(config: SceneConfig, camera: PinholeCamera) -> Image:
    """Shape (h, w, 3), uint8, BGR; drawn at double size and reduced, for smooth edges."""
    light = scene_lighting(config)
    image = _ground_and_sky(config, camera, light)
    for spot in tree_spots(config.layout, config.seed):
        _tree(image, camera, spot, light)
    for piece in buildings(config.layout, config.seed):
        placed = PlacedMesh.at(piece.mesh, piece.pose, camera)
        if (placed.depth > NEAREST_M).all():
            lit = lit_at(light, config.layout, (piece.pose.east_m, piece.pose.north_m))
            paint(image, placed, camera, lit)
    for spot in tree_spots(config.layout, config.seed):
        if np.hypot(spot[0] - camera.east_m, spot[1] - camera.north_m) < 75:
            _tree(image, camera, spot, light)
    _street_lamps(image, config, camera, light)
    return image


def _ground_and_sky(config: SceneConfig, camera: PinholeCamera, light: Lighting) -> Image:
    """Band by band, so that the working set stays in the processor's cache."""
    image: Image = np.empty((camera.height_px, camera.width_px, 3), dtype=np.uint8)
    for top in range(0, camera.height_px, _BAND_PX):
        bottom = min(top + _BAND_PX, camera.height_px)
        image[top:bottom] = _band(config, camera, light, (top, bottom))
    return image


def _band(
    config: SceneConfig, camera: PinholeCamera, light: Lighting, span: tuple[int, int]
) -> Image:
    columns, rows = np.meshgrid(
        np.arange(camera.width_px * 2, dtype=np.float32) / 2 + np.float32(0.25),
        np.arange(span[0] * 2, span[1] * 2, dtype=np.float32) / 2 + np.float32(0.25),
    )
    inverse = np.linalg.inv(camera.ground_homography).astype(np.float32)
    w = inverse[2, 0] * columns + inverse[2, 1] * rows + inverse[2, 2]
    # Below the horizon w has the sign that it has far below the picture.
    is_ground = w * np.sign(inverse[2, 1]) > 1e-5
    drawn = _sky(config, (rows / (camera.height_px / 2)).astype(np.float32))
    if is_ground.any():
        w = np.where(is_ground, w, np.float32(1.0))
        east = (inverse[0, 0] * columns + inverse[0, 1] * rows + inverse[0, 2]) / w
        north = (inverse[1, 0] * columns + inverse[1, 1] * rows + inverse[1, 2]) / w
        ground = _lit_ground(config, east, north, light)
        drawn = np.where(is_ground[..., None], ground, drawn)
    size = (camera.width_px, span[1] - span[0])
    clipped: Image = np.clip(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), 0, 255).astype(
        np.uint8
    )
    return clipped


def _lit_ground(
    config: SceneConfig, east: NDArray[np.float32], north: NDArray[np.float32], light: Lighting
) -> NDArray[np.float32]:
    wet = 0.72 if config.weather is Weather.RAIN else 1.0
    up = np.asarray(light.sun) * max(light.sun_direction[2], 0.0) + np.asarray(light.sky)
    received = np.broadcast_to(up.astype(np.float32), (*east.shape, 3)).copy()
    if light.lamps_on:
        street = lamp_light(config.layout, east, north)[..., None]
        received += street * np.asarray(STREET_COLOUR, dtype=np.float32)
    colours = ground_colours(config.layout, east, north, config.seed)
    return np.asarray(colours * received * np.float32(wet), dtype=np.float32)


def _sky(config: SceneConfig, share: NDArray[np.float32]) -> NDArray[np.float32]:
    """From the top (0) to the horizon (1)."""
    colours = _SKIES[config.light]
    if config.weather is Weather.RAIN and config.light is Light.DAY:
        colours = _RAIN_SKY
    high, low = (np.array(c, dtype=np.float32) for c in colours)
    share = share.clip(0, 1)[..., None]
    return np.asarray(high * (1 - share) + low * share, dtype=np.float32)


def _tree(
    image: Image, camera: PinholeCamera, spot: tuple[float, float, float], light: Lighting
) -> None:
    east, north, height = spot
    pixels, depth = camera.project(
        np.array([[east, north, 0.0], [east, north, height * 0.45], [east, north, height * 0.72]])
    )
    if (depth <= NEAREST_M).any():
        return
    scale = camera.focal_px / depth[2]
    level = np.asarray(light.sun) * 0.45 + np.asarray(light.sky)
    trunk = tuple(float(c) for c in np.array([60, 72, 82]) * level)
    foot, fork = (tuple(int(v) for v in np.round(p)) for p in pixels[:2])
    cv2.line(image, foot, fork, trunk, max(1, int(0.3 * scale)), cv2.LINE_AA)
    rng = np.random.default_rng([int(abs(east) * 100), int(abs(north) * 100)])
    for k in range(160):
        rise = k / 160 * 2 - 1
        reach = np.sqrt(max(0.0, 1 - rise**2))
        dx, dy = rng.normal(0, 0.45) * reach, -rise * 0.9
        shade = 0.62 + 0.4 * k / 160 + rng.normal(0, 0.08)
        colour = np.array([48, 98, 72]) * shade * level
        centre = pixels[2] + np.array([dx, dy]) * scale * height * 0.3
        radius = max(1, int(scale * height * rng.uniform(0.03, 0.075)))
        place = (round(float(centre[0])), round(float(centre[1])))
        cv2.circle(image, place, radius, tuple(float(c) for c in colour), -1, cv2.LINE_AA)


def _street_lamps(
    image: Image, config: SceneConfig, camera: PinholeCamera, light: Lighting
) -> None:
    builder = MeshBuilder()
    pole = Surface((98, 100, 102))
    builder.box((-0.08, -0.08, 0.0), (0.08, 0.08, 7.6), pole)
    builder.box((-0.06, 0.0, 7.5), (0.06, 1.4, 7.62), pole)
    builder.box((-0.14, 1.0, 7.42), (0.14, 1.6, 7.52), Surface((150, 215, 250), glow=1.0))
    mesh = builder.build()
    for east, north in sorted(lamp_spots(config.layout), key=lambda s: -s[0] - s[1]):
        outward = 6.3 if abs(east) < 7 else 0.0
        pose = Pose(
            east_m=east + np.sign(east) * outward * 0.3,
            north_m=north,
            heading_rad=0.0 if east < 0 else np.pi,
        )
        placed = PlacedMesh.at(mesh, pose, camera)
        near = float(np.hypot(east - camera.east_m, north - camera.north_m))
        if (placed.depth > NEAREST_M).all() and near > 30:
            paint(image, placed, camera, light)
