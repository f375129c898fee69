"""A clean picture → lamps, rain, lens blur and sensor noise on it."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.simulate.config import Light, SceneConfig, Weather
from edge.simulate.painter import PlacedMesh
from edge.simulate.pinhole import PinholeCamera

Image = NDArray[np.uint8]
_NOISE_FACTOR = {Light.DAY: 1.0, Light.DUSK: 1.6, Light.NIGHT: 2.4}
_STREAK_LAYERS = 5
_WARM, _RED = (190.0, 225.0, 250.0), (40.0, 40.0, 230.0)


class Effects:
    """Everything between the scene and the file that is not geometry; seeded per frame."""

    def __init__(self, config: SceneConfig) -> None:
        self._config = config
        rng = np.random.default_rng([config.seed, 51])
        height, width = config.height_px, config.width_px
        sigma = config.noise * _NOISE_FACTOR[config.light]
        field = rng.normal(0.0, 1.0, (height + 64, width + 64, 3)).astype(np.float32)
        field += cv2.GaussianBlur(field, (0, 0), 0.8) * 0.8  # debayering smears noise
        field *= sigma / field.std()
        self._lighter = np.clip(np.round(field), 0, 255).astype(np.uint8)
        self._darker = np.clip(np.round(-field), 0, 255).astype(np.uint8)
        self._streaks = (
            [_streaks(rng, height, width) for _ in range(_STREAK_LAYERS)]
            if config.weather is Weather.RAIN
            else []
        )
        reach = np.hypot(*np.mgrid[-1:1:65j, -1:1:65j])
        self._glow = (np.exp(-((reach / 0.16) ** 2)) + 0.35 * np.clip(1 - reach, 0, 1) ** 3).astype(
            np.float32
        )

    def beams(self, image: Image, placed: Iterable[PlacedMesh], camera: PinholeCamera) -> None:
        """Head lamps light the road before each vehicle; computed at an eighth of the size."""
        height, width = image.shape[:2]
        small = np.zeros((height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        drawn = False
        for item in placed:
            front = [lamp.position_m for lamp in item.mesh.lamps if lamp.is_front]
            if not front:
                continue
            x = front[0][0]
            spread = max(abs(p[1]) for p in front)
            for reach, level in ((14.0, 0.10), (9.0, 0.12), (5.0, 0.14)):
                corners = np.array(
                    [
                        [x + 0.6, spread + 0.2, 0.0],
                        [x + reach, spread + 0.12 * reach, 0.0],
                        [x + reach, -spread - 0.12 * reach, 0.0],
                        [x + 0.6, -spread - 0.2, 0.0],
                    ]
                )
                pixels, depth = camera.project(item.pose.place(corners))
                if (depth < 1.0).any():
                    continue
                layer = np.zeros_like(small)
                colour = tuple(c * level for c in _WARM)
                cv2.fillConvexPoly(layer, np.round(pixels / 8).astype(np.int32), colour)
                cv2.add(small, layer, small)
                drawn = True
        if drawn:
            small = cv2.GaussianBlur(small, (0, 0), 1.6)
            large = cv2.resize(small, (small.shape[1] * 8, small.shape[0] * 8))
            cv2.add(image, large[:height, :width], image)

    def lamp_glow(
        self, image: Image, item: PlacedMesh, camera: PinholeCamera, *, braking: bool
    ) -> None:
        """Glare of the lamps that look at the camera, and their reflection on a wet road."""
        heading = item.pose.rotation[:2, 0]
        to_lens = camera.position[:2] - (item.pose.east_m, item.pose.north_m)
        ahead = float(heading @ to_lens / max(float(np.hypot(*to_lens)), 1e-6))
        lamps = [lamp for lamp in item.mesh.lamps if (ahead > 0.05) == lamp.is_front]
        if not lamps or abs(ahead) < 0.05:
            return
        positions = item.pose.place(np.array([lamp.position_m for lamp in lamps]))
        pixels, depth = camera.project(positions)
        for (x, y), metres, lamp in zip(pixels, depth, lamps, strict=True):
            if metres < 2.0:
                continue
            size_m = 1.7 * abs(ahead) ** 0.5 if lamp.is_front else (0.9 if braking else 0.55)
            radius = camera.focal_px / metres * size_m
            colour = _WARM if lamp.is_front else _RED
            self._add_glow(image, (x, y), (radius, radius), colour)
            if self._config.weather is Weather.RAIN:
                base = 2 * camera.focal_px / metres * lamp.position_m[2]
                dim = tuple(c * 0.35 for c in colour)
                self._add_glow(image, (x, y + base), (radius * 0.5, radius * 1.8), dim)

    def _add_glow(
        self,
        image: Image,
        centre: tuple[float, float],
        radius: tuple[float, float],
        colour: tuple[float, ...],
    ) -> None:
        width, height = (max(3, int(2 * r)) for r in radius)
        x0, y0 = int(centre[0] - width / 2), int(centre[1] - height / 2)
        left, top = max(x0, 0), max(y0, 0)
        right, bottom = min(x0 + width, image.shape[1]), min(y0 + height, image.shape[0])
        if right <= left or bottom <= top:
            return
        glow = cv2.resize(self._glow, (width, height))[
            top - y0 : bottom - y0, left - x0 : right - x0
        ]
        light = np.clip(glow[..., None] * np.asarray(colour, dtype=np.float32), 0, 255)
        patch = image[top:bottom, left:right]
        cv2.add(patch, light.astype(np.uint8), patch)

    def finish(self, image: Image, index: int) -> Image:
        """Rain, lens and sensor for frame ``index``; the same for the same index."""
        rng = np.random.default_rng([self._config.seed, 52, index])
        if self._streaks:
            night = self._config.light is not Light.DAY
            image = cv2.convertScaleAbs(image, alpha=0.86, beta=8 if night else 26)
            streaks = self._streaks[int(rng.integers(_STREAK_LAYERS))]
            image = cv2.add(image, np.roll(streaks, int(rng.integers(0, image.shape[0])), axis=0))
        image = cv2.GaussianBlur(image, (3, 3), 0.6 * max(1.0, image.shape[0] / 720))
        if self._config.noise > 0:
            y, x = int(rng.integers(64)), int(rng.integers(64))
            height, width = image.shape[:2]
            cv2.add(image, self._lighter[y : y + height, x : x + width], image)
            cv2.subtract(image, self._darker[y : y + height, x : x + width], image)
        return image


def _streaks(rng: np.random.Generator, height: int, width: int) -> Image:
    layer = np.zeros((height, width), dtype=np.uint8)
    for _ in range(int(width * height / 2600)):
        x, y = float(rng.uniform(0, width)), float(rng.uniform(0, height))
        length = float(rng.uniform(0.012, 0.045)) * height
        tip = (int(x + length * 0.12), int(y + length))
        cv2.line(layer, (int(x), int(y)), tip, int(rng.integers(14, 52)), 1, cv2.LINE_AA)
    coloured: Image = cv2.cvtColor(layer, cv2.COLOR_GRAY2BGR)
    return coloured
