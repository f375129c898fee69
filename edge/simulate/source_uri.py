"""``simulate:junction?seed=7&light=night`` → a scene, or one line saying what is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from common.errors import ConfigError
from common.road_users import RoadUser
from edge.simulate.config import LayoutKind, Light, SceneConfig, Weather

SCHEME = "simulate:"
_HINT = "write it like simulate:junction?seed=7&light=night&weather=rain&duration=60"
_E = TypeVar("_E", bound=StrEnum)


def is_simulated(source: str) -> bool:
    """True when ``source`` names a simulated scene."""
    return source.startswith(SCHEME)


def parse_source(source: str) -> SceneConfig:
    """Read a source text.

    Keys: seed, light (day, dusk, night), weather (clear, rain), size (WxH), fps, duration
    (seconds; without it the scene does not end), vehicles and pedestrians (per minute),
    mix (car:8,truck:1), riders, separated, traffic_light, shadows and pace (0 or 1),
    occluders (0 to 3), noise, nudge (seconds until the camera is knocked).

    Raises:
        ConfigError: Unknown layout or key, or a value that does not fit.
    """
    if not is_simulated(source):
        raise ConfigError(f"source {source!r} does not start with {SCHEME}", hint=_HINT)
    name, _, query = source.removeprefix(SCHEME).partition("?")
    values: dict[str, Any] = {"layout": _one_of(LayoutKind)("layout", name), "duration_s": None}
    has_riders = True
    for key, text in parse_qsl(query, keep_blank_values=True, separator="&"):
        if key == "riders":
            has_riders = _flag(key, text)
            continue
        if key not in _KEYS:
            raise ConfigError(
                f"simulate: {key!r} is not a known key, "
                f"expected one of {', '.join(sorted([*_KEYS, 'riders']))}",
                hint=_HINT,
            )
        names, read = _KEYS[key]
        value = read(key, text)
        parts = value if isinstance(value, tuple) and len(names) > 1 else (value,)
        values.update(zip(names, parts, strict=True))
    try:
        config = SceneConfig(**values)
        return config if has_riders else _without_riders(config, values)
    except ValueError as error:
        raise ConfigError(f"simulate: {error}", hint=_HINT) from error


def _without_riders(config: SceneConfig, values: dict[str, Any]) -> SceneConfig:
    mix = tuple((kind, share) for kind, share in config.mix if not kind.is_ridden)
    return SceneConfig(**{**values, "mix": mix})


def _refuse(key: str, text: str, expected: str) -> ConfigError:
    return ConfigError(f"simulate: {key} is {text!r}, expected {expected}", hint=_HINT)


def _one_of(kind: type[_E]) -> Callable[[str, str], _E]:
    def read(key: str, text: str) -> _E:
        if text not in [str(item) for item in kind]:
            raise _refuse(key, text, f"one of {', '.join(kind)}")
        return kind(text)

    return read


def _flag(key: str, text: str) -> bool:
    if text not in ("0", "1"):
        raise _refuse(key, text, "0 or 1")
    return text == "1"


def _whole(key: str, text: str) -> int:
    if not re.fullmatch(r"\d{1,10}", text):
        raise _refuse(key, text, "a whole number")
    return int(text)


def _number(key: str, text: str) -> float:
    if not re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text):
        raise _refuse(key, text, "a number of 0 or more")
    return float(text)


def _size(key: str, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{2,4})x(\d{2,4})", text)
    if match is None:
        raise _refuse(key, text, "width and height like 1280x720")
    return int(match[1]), int(match[2])


def _mix(key: str, text: str) -> tuple[tuple[RoadUser, float], ...]:
    known = [str(kind) for kind in RoadUser if kind.is_vehicle]
    shares = []
    for item in text.split(","):
        name, _, share = item.partition(":")
        if name not in known or not re.fullmatch(r"\d{1,4}(\.\d{1,3})?", share):
            raise _refuse(key, text, f"class:share pairs like car:8,truck:1 with {known}")
        shares.append((RoadUser(name), float(share)))
    if sum(share for _, share in shares) <= 0:
        raise _refuse(key, text, "at least one share above 0")
    return tuple(shares)


_KEYS: dict[str, tuple[tuple[str, ...], Callable[[str, str], Any]]] = {
    "seed": (("seed",), _whole),
    "light": (("light",), _one_of(Light)),
    "weather": (("weather",), _one_of(Weather)),
    "size": (("width_px", "height_px"), _size),
    "fps": (("fps",), _number),
    "duration": (("duration_s",), _number),
    "vehicles": (("vehicles_per_min",), _number),
    "pedestrians": (("pedestrians_per_min",), _number),
    "mix": (("mix",), _mix),
    "separated": (("separated",), _flag),
    "occluders": (("occluders",), _whole),
    "traffic_light": (("traffic_light",), _flag),
    "shadows": (("shadows",), _flag),
    "noise": (("noise",), _number),
    "nudge": (("nudge_at_s",), _number),
    "pace": (("paced",), _flag),
}
