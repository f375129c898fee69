"""A clean frame → the frame a cheap, distant or night camera would have sent.

Every function takes its own generator, so that one seed gives one training run.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from common.road_users import ROAD_USERS
from models.labels import Rows
from models.recipe import Recipe

Image = NDArray[np.uint8]


def degrade(image: Image, rows: Rows, *, recipe: Recipe, rng: np.random.Generator) -> Image:
    """Maybe turn a frame into a night, a noisy or a low-resolution one, in that order.

    Args:
        image: Shape (h, w, 3), BGR; it is not changed.
        rows: Shape (n, 5), the road users in it, normalised.
        recipe: The probabilities.
        rng: Where chance comes from.

    Returns:
        Shape and type of ``image``.
    """
    is_dark = float(image.mean()) < recipe.dark_below
    night, noise, low_resolution = rng.random(3)
    if night < recipe.night and not is_dark:
        image = as_night(image, rows, rng=rng)
    if noise < recipe.noise:
        image = as_noisy(image, rng=rng)
    if low_resolution < recipe.low_resolution:
        image = as_low_resolution(
            image, share=rng.uniform(0.3, 0.7), jpeg_quality=int(rng.integers(15, 51))
        )
    return image


def as_low_resolution(image: Image, *, share: float, jpeg_quality: int) -> Image:
    """Shrink to ``share`` of the size, compress as JPEG, and blow up again."""
    height, width = image.shape[:2]
    small = cv2.resize(
        image,
        (max(32, round(width * share)), max(32, round(height * share))),
        interpolation=cv2.INTER_AREA,
    )
    _, packed = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    decoded = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    return np.asarray(cv2.resize(decoded, (width, height)), dtype=np.uint8)


def as_night(image: Image, rows: Rows, *, rng: np.random.Generator) -> Image:
    """Darken, and give the motor vehicles lamps: what a night camera mostly sees of them."""
    height, width = image.shape[:2]
    light = (image.astype(np.float32) / 255) ** rng.uniform(1.3, 2.2) * rng.uniform(0.2, 0.55)
    lamps = np.zeros((height, width, 3), dtype=np.float32)
    for row in rows:
        road_user = ROAD_USERS[int(row[0])]
        if road_user.is_motorised and rng.random() < 0.8:
            seen_px = row[1:5] * (width, height, width, height)
            _light_up(lamps, seen_px, is_pair=not road_user.is_ridden, rng=rng)
    glow_px = max(1.0, width / 160)
    lamps += 0.8 * cv2.GaussianBlur(lamps, (0, 0), 2.5 * glow_px)
    grain = rng.normal(0, rng.uniform(0.005, 0.03), size=(height, width, 1))
    return np.asarray(np.clip((light + lamps + grain) * 255, 0, 255), dtype=np.uint8)


def as_noisy(image: Image, *, rng: np.random.Generator) -> Image:
    """One of: motion blur, sensor noise, over- or under-exposure."""
    kind = int(rng.integers(3))
    if kind == 0:
        length_px = int(rng.integers(3, 8))
        kernel = np.eye(length_px) if rng.random() < 0.3 else np.zeros((length_px, length_px))
        if not kernel.any():
            kernel[length_px // 2] = 1
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), dtype=np.uint8)
    bright: NDArray[np.floating] = image.astype(np.float32)
    if kind == 1:
        bright += rng.normal(0, rng.uniform(4, 18), size=image.shape)
    else:
        bright = 255 * (bright / 255) ** rng.uniform(0.5, 1.8) * rng.uniform(0.7, 1.4)
    return np.asarray(np.clip(bright, 0, 255), dtype=np.uint8)


def _light_up(
    lamps: NDArray[np.float32], box_px: Rows, *, is_pair: bool, rng: np.random.Generator
) -> None:
    x, y, w, h = box_px
    is_front = rng.random() < 0.6
    colour = (0.85, 0.95, 1.0) if is_front else (0.1, 0.1, 0.9)  # BGR
    strength = rng.uniform(0.5, 1.2)
    radius_px = max(1, round(min(w, h) * (0.09 if is_front else 0.06)))
    level = y + h * rng.uniform(0.1, 0.3)
    for across in (-0.3, 0.3) if is_pair else (0.0,):
        centre = (round(x + across * w), round(level))
        cv2.circle(lamps, centre, radius_px, [strength * part for part in colour], -1)
