"""A day of a site → the JSON that the charts of its page draw."""

from __future__ import annotations

from datetime import timedelta

from coordinator.dashboard.site_day import ClassDay, SiteDay, SpeedDay
from coordinator.traffic.views import View

QUARTER_S = 900


class ClassDrawing(View):
    """One class; every list has a value for every quarter hour, null where none is known."""

    name: str
    counts: list[int | None]
    usual: list[float | None]
    usual_low: list[float | None]
    usual_high: list[float | None]


class DayDrawing(View):
    """One day of a site.

    Attributes:
        starts: Seconds since 1970.
        until: First second without a number because it is still to come.
        speeds_mean: km/h; all directions together.
    """

    zone: str
    starts: list[int]
    step_s: int
    until: int
    is_today: bool
    classes: list[ClassDrawing]
    speeds_mean: list[float | None]
    speeds_v85: list[float | None]


def day_drawing(counted: SiteDay, speeds: SpeedDay) -> DayDrawing:
    """The day as JSON."""
    end = counted.starts[-1] + timedelta(seconds=QUARTER_S)
    return DayDrawing(
        zone=counted.zone.key,
        starts=[int(start.timestamp()) for start in counted.starts],
        step_s=QUARTER_S,
        until=int(min(end, counted.now).timestamp()),
        is_today=counted.is_today,
        classes=[_class(one) for one in counted.classes],
        speeds_mean=[_rounded(speed) for speed in speeds.mean_kmh],
        speeds_v85=[_rounded(speed) for speed in speeds.v85_kmh],
    )


def _class(one: ClassDay) -> ClassDrawing:
    return ClassDrawing(
        name=one.name,
        counts=list(one.counts),
        usual=[usual.middle if usual else None for usual in one.usual],
        usual_low=[_rounded(usual.low) if usual else None for usual in one.usual],
        usual_high=[_rounded(usual.high) if usual else None for usual in one.usual],
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
