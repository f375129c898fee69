"""What a scene shall show → one frozen, validated description with a seed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from common.road_users import RoadUser

DEFAULT_MIX: tuple[tuple[RoadUser, float], ...] = (
    (RoadUser.CAR, 14.0),
    (RoadUser.TRUCK, 2.0),
    (RoadUser.BUS, 1.5),
    (RoadUser.MOTORCYCLE, 1.0),
    (RoadUser.BICYCLE, 1.5),
)


class LayoutKind(StrEnum):
    """``road``: a straight two-way road. ``junction``: four legs, crosswalks, turning traffic."""

    ROAD = "road"
    JUNCTION = "junction"


class Light(StrEnum):
    """Time of day."""

    DAY = "day"
    DUSK = "dusk"
    NIGHT = "night"


class Weather(StrEnum):
    """What falls from the sky."""

    CLEAR = "clear"
    RAIN = "rain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waypoint:
    """Where a scripted road user is at a moment; between two it moves straight and evenly."""

    at_s: float
    east_m: float
    north_m: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One scripted road user, for scenes that prove a single point.

    Attributes:
        road_user: Class; a bicycle or motorcycle brings its rider.
        waypoints: At least two, times rising. It exists from the first to the last.
        heading_deg: Fixed heading anticlockwise from east, or None to look where it goes.
        variant: Which model and colour, any whole number.
    """

    road_user: RoadUser
    waypoints: tuple[Waypoint, ...]
    heading_deg: float | None = None
    variant: int = 0

    def __post_init__(self) -> None:
        """Refuse a trip without duration."""
        times = [w.at_s for w in self.waypoints]
        if len(times) < 2 or any(b <= a for a, b in pairwise(times)):
            raise ValueError(f"a trip needs two or more waypoints with rising times, got {times}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneConfig:
    """Everything that decides a scene; equal configurations give equal pixels and truth.

    Attributes:
        layout: Road geometry, camera and counting sections.
        seed: Any whole number from 0.
        light: Time of day.
        weather: Clear or rain.
        width_px: Frame width.
        height_px: Frame height.
        fps: Frames per second of the stream.
        duration_s: Length of the scene, or None for one without an end.
        vehicles_per_min: Mean arrivals per lane and minute.
        pedestrians_per_min: Mean arrivals per footpath and minute.
        mix: Relative frequency of each class of vehicle.
        separated: Only one vehicle in the counting area at a time (``road``): the easy scene.
        occluders: How many poles, trees and boards stand before the traffic, 0 to 3.
        traffic_light: Signals at the junction; without them legs take turns.
        shadows: The sun casts shadows by day.
        noise: Standard deviation of the sensor noise in grey levels, by day.
        nudge_at_s: When somebody knocks the camera, or None.
        nudge_px: How far the picture moves then, right and down.
        paced: Deliver frames in real time, as a live camera does.
        trips: Scripted road users; with any, nobody else arrives.
    """

    layout: LayoutKind = LayoutKind.JUNCTION
    seed: int = 0
    light: Light = Light.DAY
    weather: Weather = Weather.CLEAR
    width_px: int = 1280
    height_px: int = 720
    fps: float = 15.0
    duration_s: float | None = 60.0
    vehicles_per_min: float = 3.0
    pedestrians_per_min: float = 3.0
    mix: tuple[tuple[RoadUser, float], ...] = DEFAULT_MIX
    separated: bool = False
    occluders: int = 0
    traffic_light: bool = True
    shadows: bool = True
    noise: float = 2.0
    nudge_at_s: float | None = None
    nudge_px: tuple[float, float] = (14.0, 6.0)
    paced: bool = False
    trips: tuple[Trip, ...] = ()

    def __post_init__(self) -> None:
        """Refuse values outside what can be drawn."""
        bounds = (
            ("seed", self.seed, 0, 2**31 - 1),
            ("width_px", self.width_px, 160, 3840),
            ("height_px", self.height_px, 90, 2160),
            ("fps", self.fps, 0.5, 120),
            ("duration_s", 1 if self.duration_s is None else self.duration_s, 0.1, 86_400),
            ("vehicles_per_min", self.vehicles_per_min, 0, 30),
            ("pedestrians_per_min", self.pedestrians_per_min, 0, 60),
            ("occluders", self.occluders, 0, 3),
            ("noise", self.noise, 0, 40),
        )
        for name, value, low, high in bounds:
            if not low <= value <= high:
                raise ValueError(f"{name} is {value:g}, expected {low:g} to {high:g}")
        if RoadUser.PERSON in dict(self.mix) or any(share < 0 for _, share in self.mix):
            raise ValueError(f"mix is {self.mix}, expected vehicles with shares of 0 or more")

    @property
    def frames(self) -> int | None:
        """How many frames the scene has, or None when it does not end."""
        return None if self.duration_s is None else round(self.duration_s * self.fps)
