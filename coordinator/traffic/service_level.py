"""Flow and speed → density and level of service, where these say anything about it.

Levels of service of the Highway Capacity Manual rest on density on motorways and on control
delay at junctions. A camera above a junction cannot measure control delay (the time that the
signal cost compared with driving through), so the answer there is None with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from common.road_users import ROAD_USERS, RoadUser
from coordinator.traffic.coverage import FULL_SHARE
from coordinator.traffic.speed_figures import space_mean_kmh

_MOST_DENSITY = (("A", 7.0), ("B", 11.0), ("C", 16.0), ("D", 22.0), ("E", 28.0))
"""Basic freeway segments, passenger cars per km and lane (HCM 2000, exhibit 23-2)."""

_HEAVY_EQUIVALENT = 2.0
"""Passenger cars per truck or bus in level terrain (HCM, 6th edition, exhibit 12-25)."""

_FEWEST_SPEEDS = 10
_LEAST_SPEED_SHARE = 0.5


class Facility(StrEnum):
    """What kind of road a section crosses."""

    MOTORWAY = "motorway"
    SIGNALISED = "signalised"
    UNSIGNALISED = "unsignalised"
    UNKNOWN = "unknown"


class NoLevel(StrEnum):
    """Why there is no level of service."""

    CONTROL_DELAY_NOT_MEASURED = "control_delay_not_measured"
    FACILITY_NOT_KNOWN = "facility_not_known"
    LANES_NOT_KNOWN = "lanes_not_known"
    NOT_COUNTED = "not_counted"
    COVERAGE_TOO_LOW = "coverage_too_low"
    TOO_FEW_SPEEDS = "too_few_speeds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One direction of one line in one bin.

    Attributes:
        counts: Road users per class, None when there is no number.
        watched_s: Watched seconds.
        coverage: Watched over wanted seconds.
        speeds: Lower bound of a 5 km/h class → vehicles.
        lanes: Lanes of this direction, None when nobody told.
    """

    counts: Mapping[str, int] | None
    watched_s: float
    coverage: float
    speeds: Mapping[int, int]
    facility: Facility
    lanes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceLevel:
    """A letter, or the reason why there is none; the figures as far as they are known."""

    level: str | None
    reason: NoLevel | None
    flow_pc_h: float | None = None
    space_mean_kmh: float | None = None
    density_pc_km_lane: float | None = None


def judge_service(stream: Stream) -> ServiceLevel:
    """Level of service of one direction, or the reason why none can be told."""
    reason = _unfit(stream)
    if stream.counts is None or stream.watched_s <= 0:
        return ServiceLevel(level=None, reason=reason or NoLevel.NOT_COUNTED)
    flow_pc_h = _passenger_cars(stream.counts) * 3600 / stream.watched_s
    speed_kmh = space_mean_kmh(stream.speeds)
    if reason is not None or speed_kmh is None or stream.lanes is None:
        return ServiceLevel(
            level=None,
            reason=reason or NoLevel.TOO_FEW_SPEEDS,
            flow_pc_h=flow_pc_h,
            space_mean_kmh=speed_kmh,
        )
    density = flow_pc_h / speed_kmh / stream.lanes
    return ServiceLevel(
        level=next((name for name, most in _MOST_DENSITY if density <= most), "F"),
        reason=None,
        flow_pc_h=flow_pc_h,
        space_mean_kmh=speed_kmh,
        density_pc_km_lane=density,
    )


def _unfit(stream: Stream) -> NoLevel | None:
    counts = stream.counts or {}
    vehicles = sum(counts.get(user, 0) for user in ROAD_USERS if user.is_motorised)
    fewest = max(_FEWEST_SPEEDS, _LEAST_SPEED_SHARE * vehicles)
    reasons = {
        NoLevel.FACILITY_NOT_KNOWN: stream.facility is Facility.UNKNOWN,
        NoLevel.CONTROL_DELAY_NOT_MEASURED: stream.facility is not Facility.MOTORWAY,
        NoLevel.LANES_NOT_KNOWN: stream.lanes is None,
        NoLevel.NOT_COUNTED: stream.counts is None,
        NoLevel.COVERAGE_TOO_LOW: stream.coverage < FULL_SHARE,
        NoLevel.TOO_FEW_SPEEDS: sum(stream.speeds.values()) < fewest,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _passenger_cars(counts: Mapping[str, int]) -> float:
    heavy = counts.get(RoadUser.BUS, 0) + counts.get(RoadUser.TRUCK, 0)
    light = counts.get(RoadUser.CAR, 0) + counts.get(RoadUser.MOTORCYCLE, 0)
    return light + _HEAVY_EQUIVALENT * heavy
