"""Time of day and weather → light on every spot of the scene."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edge.simulate.config import LayoutKind, Light, SceneConfig, Weather
from edge.simulate.painter import Lighting

_DAY = Lighting(
    sun_direction=(0.5774, -0.3464, 0.7394),
    sun=(0.50, 0.54, 0.58),
    sky=(0.56, 0.51, 0.47),
    bounce=(0.22, 0.23, 0.25),
    mirrored=(235.0, 220.0, 205.0),
)
_OVERCAST = Lighting(
    sun_direction=(0.0, 0.0, 1.0),
    sun=(0.10, 0.10, 0.10),
    sky=(0.74, 0.72, 0.70),
    bounce=(0.24, 0.24, 0.25),
    mirrored=(205.0, 203.0, 200.0),
)
_DUSK = Lighting(
    sun_direction=(0.70, 0.60, 0.3873),
    sun=(0.10, 0.17, 0.26),
    sky=(0.40, 0.33, 0.30),
    bounce=(0.14, 0.14, 0.15),
    mirrored=(165.0, 140.0, 135.0),
    lamps_on=True,
)
_NIGHT = Lighting(
    sun_direction=(0.0, 0.0, 1.0),
    sun=(0.06, 0.10, 0.12),
    sky=(0.14, 0.17, 0.18),
    bounce=(0.05, 0.055, 0.06),
    mirrored=(46.0, 52.0, 56.0),
    lamps_on=True,
)
_LAMP_REACH_M = 13.0
STREET_COLOUR = (0.17, 0.27, 0.33)
"""Light under a street lamp, BGR factors."""


def scene_lighting(config: SceneConfig) -> Lighting:
    """Light without street lamps."""
    if config.light is Light.NIGHT:
        return _NIGHT
    if config.light is Light.DUSK:
        return _DUSK
    return _OVERCAST if config.weather is Weather.RAIN or not config.shadows else _DAY


def casts_shadows(config: SceneConfig) -> bool:
    """True when the sun is out."""
    return config.shadows and config.light is Light.DAY and config.weather is Weather.CLEAR


def lamp_spots(kind: LayoutKind) -> tuple[tuple[float, float], ...]:
    """Where street lamps hang, in metres east and north."""
    if kind is LayoutKind.ROAD:
        return tuple((6.0, float(n)) for n in range(4, 160, 20))
    return (
        (6.0, -12.0),
        (-6.0, 12.0),
        (12.0, 6.0),
        (-13.0, -5.0),
        (6.0, 34.0),
        (36.0, 6.0),
        (-34.0, -6.0),
        (60.0, 6.0),
        (6.0, 60.0),
    )


def lamp_light(
    kind: LayoutKind, east_m: NDArray[np.float32], north_m: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Street light on the ground, 0 to about 1.2, of the shape of ``east_m``."""
    total = np.zeros_like(east_m)
    for east, north in lamp_spots(kind):
        square = (east_m - east) ** 2 + (north_m - north) ** 2
        total += (1 + square / (0.5 * _LAMP_REACH_M) ** 2) ** -1.5
    return np.minimum(total, 1.2)


def lit_at(base: Lighting, kind: LayoutKind, spot_m: tuple[float, float]) -> Lighting:
    """``base`` with the street light at one spot added."""
    if not base.lamps_on:
        return base
    east, north = (np.full((1,), c, dtype=np.float32) for c in spot_m)
    level = float(lamp_light(kind, east, north)[0])
    (sky_b, sky_g, sky_r), (low_b, low_g, low_r) = base.sky, base.bounce
    blue, green, red = (share * level for share in STREET_COLOUR)
    return replace(
        base,
        sky=(sky_b + blue, sky_g + green, sky_r + red),
        bounce=(low_b + 0.35 * blue, low_g + 0.35 * green, low_r + 0.35 * red),
    )
