"""What a store answers about bins: coverage, counts, speeds and areas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from common.road_users import ROAD_USERS

Counts = dict[str, int]
"""Road users per class by its name, of which ``RoadUser`` is one; every class is there."""

VEHICLES = tuple(user for user in ROAD_USERS if user.is_vehicle)


def vehicles_in(counts: Counts | None) -> int | None:
    """Road users but people on foot."""
    return None if counts is None else sum(counts[road_user] for road_user in VEHICLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSums:
    """How well a camera watched during one bin, as far as it was reported."""

    camera_id: int
    start: datetime
    bins: int
    coverage_s: float
    good_s: float
    degraded_bins: int
    frames_seen: int
    frames_dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountSums:
    """One series in one bin.

    Attributes:
        counts: None when nothing was watched or everything was withheld.
        bins: Reported bins that were summed.
        withheld_bins: How many of them were withheld, so that ``counts`` misses them.
    """

    series_id: int
    start: datetime
    counts: Counts | None
    bins: int
    withheld_bins: int
    inferred: int = 0
    speeds: int = 0
    speed_sum_kmh: float = 0.0
    headways: int = 0
    headway_sum_s: float = 0.0
    headway_least_s: float | None = None
    time_gaps: int = 0
    time_gap_sum_s: float = 0.0

    @property
    def total(self) -> int | None:
        """Road users of all classes."""
        return None if self.counts is None else sum(self.counts.values())

    @property
    def vehicles(self) -> int | None:
        """Road users but people on foot."""
        return vehicles_in(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaSums:
    """One area in one bin; None where it was not measured.

    Attributes:
        bins: How many bins it is of; 0 where that was not kept yet.
        withheld_bins: How many of them were withheld, so that the figures miss them.
    """

    series_id: int
    start: datetime
    occupied_share: float | None
    queue_most: int | None
    queue_most_m: float | None
    dwell_mean_s: float | None
    walks: int | None
    bins: int
    withheld_bins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetySums:
    """Incidents and conflicts of one camera in a period, per kind; None when unwatched."""

    camera_id: int
    incidents: Mapping[str, int] | None
    conflicts: Mapping[str, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFact:
    """One incident of a camera in operational mode."""

    id: int
    camera_id: int
    section: str
    incident: str
    road_user: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteDay:
    """All series of one kind of one site on one day.

    Attributes:
        kind: line or flow.
        vehicles: Road users but people on foot, None when nothing was watched or drawn.
        people: People on foot.
    """

    site_id: int
    kind: str
    vehicles: int | None
    people: int | None
    withheld_bins: int
