"""Ground coordinates → the colour of asphalt, paint, kerb, paving and grass under them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.simulate.config import LayoutKind
from edge.simulate.layouts import CROSSWALK_M, LANE_M, LEGS, STOP_LINE_M

Array = NDArray[np.float32]
_TILE = 256
_ASPHALT = (106.0, 105.0, 104.0)
_PAINT = (206.0, 210.0, 212.0)
_PAVING = (158.0, 162.0, 166.0)
_KERB = (186.0, 190.0, 192.0)
_GRASS = (72.0, 112.0, 98.0)
_CYCLE_LANE = (92.0, 96.0, 128.0)


def ground_colours(kind: LayoutKind, east: Array, north: Array, seed: int) -> Array:
    """Colour of the ground.

    Args:
        kind: Which place.
        east: Shape (h, w), float32, metres.
        north: Shape (h, w), float32, metres.
        seed: Decides stains and texture.

    Returns:
        Shape (h, w, 3), float32, BGR 0 to 255, in even white light.
    """
    tile = np.random.default_rng([seed, 31]).normal(0.0, 1.0, (_TILE, _TILE)).astype(np.float32)
    fine = _noise(tile, east, north, 9.0)
    coarse = _noise(cv2.GaussianBlur(tile, (0, 0), 2.0) * 6.0, east, north, 3.0)
    image = np.empty((*east.shape, 3), dtype=np.float32)
    image[:] = _GRASS
    image += (coarse * 7 + fine * 9)[..., None]
    if kind is LayoutKind.ROAD:
        _road(image, east, north)
    else:
        _junction(image, east, north)
    image += (fine * 4.0 + coarse * 2.5)[..., None]
    return np.clip(image, 0, 255)


def _noise(tile: Array, east: Array, north: Array, cells_per_m: float) -> Array:
    """Fades out where a cell is smaller than a pixel, so that the distance does not glitter."""
    x = np.mod(east * cells_per_m, _TILE - 1).astype(np.float32)
    y = np.mod(north * cells_per_m, _TILE - 1).astype(np.float32)
    size = np.abs(np.gradient(east, axis=1)) + np.abs(np.gradient(north, axis=0))
    fade = np.clip(1.2 / (size * cells_per_m + 0.4), 0.0, 1.0)
    sampled = cv2.remap(tile, x, y, cv2.INTER_LINEAR)
    return np.asarray(sampled * fade, dtype=np.float32)


def _fill(image: Array, where: NDArray[np.bool_], colour: tuple[float, float, float]) -> None:
    image[where] = colour


def _lane_wear(image: Array, across: Array, where: NDArray[np.bool_]) -> None:
    """Tyres darken two tracks of each lane."""
    lane = np.abs(across[where]) - LANE_M / 2
    dark = 9.0 * np.exp(-(((np.abs(lane) - 0.75) / 0.35) ** 2))
    image[where] -= dark[:, None]


def _road(image: Array, east: Array, north: Array) -> None:
    side = np.abs(east)
    _fill(image, (east > 6.9) & (east < 11.2), _PAVING)
    joints = (np.mod(north, 1.2) < 0.05) | (np.mod(east, 1.2) < 0.05)
    image[(east > 6.9) & (east < 11.2) & joints & (north < 60)] -= 22.0
    road = side < LANE_M + 2.4
    _fill(image, road, _ASPHALT)
    _fill(image, (side > LANE_M + 0.25) & (side < LANE_M + 2.1), _CYCLE_LANE)
    _lane_wear(image, east, side < LANE_M)
    _fill(image, (side > LANE_M + 2.4) & (side < LANE_M + 2.65), _KERB)
    _fill(image, np.abs(side - LANE_M - 0.12) < 0.08, _PAINT)
    _fill(image, (side < 0.07) & (np.mod(north, 6.0) < 3.0), _PAINT)


def _junction(image: Array, east: Array, north: Array) -> None:
    on_x, on_y = np.abs(north) < LANE_M, np.abs(east) < LANE_M
    near = (np.abs(east) < LANE_M + 2.6) | (np.abs(north) < LANE_M + 2.6)
    plaza = np.hypot(np.abs(east) - LANE_M, np.abs(north) - LANE_M) < 13.0
    _fill(image, near | plaza, _PAVING)
    joints = (np.mod(north, 1.5) < 0.06) | (np.mod(east, 1.5) < 0.06)
    image[(near | plaza) & joints & (np.hypot(east, north) < 40)] -= 20.0
    corner_x, corner_y = np.abs(east) - LANE_M, np.abs(north) - LANE_M
    radius = 5.2
    rounded = (
        (corner_x < radius)
        & (corner_y < radius)
        & (np.hypot(corner_x - radius, corner_y - radius) > radius)
    )
    road = on_x | on_y | rounded
    wide = 0.22
    kerb_rounded = (
        (corner_x < radius)
        & (corner_y < radius)
        & (np.hypot(corner_x - radius, corner_y - radius) > radius - wide)
    )
    kerb = (np.abs(north) < LANE_M + wide) | (np.abs(east) < LANE_M + wide) | kerb_rounded
    _fill(image, kerb, _KERB)
    _fill(image, road, _ASPHALT)
    for angle in LEGS.values():
        _leg(image, *_leg_axes(east, north, angle))


def _leg_axes(east: Array, north: Array, angle_deg: float) -> tuple[Array, Array]:
    """Distance from the middle along a leg, and across it (positive for the way in)."""
    cos, sin = np.float32(np.cos(np.radians(angle_deg))), np.float32(np.sin(np.radians(angle_deg)))
    return east * cos + north * sin, north * cos - east * sin


def _leg(image: Array, out: Array, across: Array) -> None:
    on = (np.abs(across) < LANE_M) & (out > 8.0)
    _lane_wear(image, across, on)
    low, high = CROSSWALK_M
    stripes = on & (out > low) & (out < high) & (np.mod(across + 0.25, 1.0) < 0.5)
    _fill(image, stripes & (np.abs(across) < LANE_M - 0.1), _PAINT)
    stop = on & (across > 0.1) & (np.abs(out - STOP_LINE_M + 0.2) < 0.2)
    _fill(image, stop, _PAINT)
    solid = (out > STOP_LINE_M) & (out < STOP_LINE_M + 16)
    dashes = (out >= STOP_LINE_M + 16) & (np.mod(out, 6.0) < 3.0)
    _fill(image, on & (np.abs(across) < 0.07) & (solid | dashes), _PAINT)
    _fill(image, on & (np.abs(np.abs(across) - LANE_M + 0.2) < 0.05) & (out > 16), _PAINT)
