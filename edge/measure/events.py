"""The values that measure hands on: things that happened on the road."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from common.geometry import Direction, Point
from common.road_users import RoadUser
from common.site import Movement


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """A speed with the error that calibration and pixel noise allow (one sigma)."""

    kmh: float
    error_kmh: float


class Withheld(StrEnum):
    """Why a crossing has no speed although the camera is calibrated."""

    TOO_FEW_POINTS = "too_few_points"
    TOO_UNCERTAIN = "too_uncertain"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A road user stepped over a counting line.

    Attributes:
        section: Name of the line.
        direction: Towards which hand of the walker p1→p2.
        road_user: Class of the track when the crossing was decided.
        track_id: Track that crossed; its first id when the tracker changed it on the way.
        at_s: Interpolated moment of the crossing on the stream clock, in seconds.
        at: The same moment as aware UTC.
        foot_px: Interpolated foot point on the line.
        speed: Spot speed, or None without calibration or when it was withheld.
        speed_withheld: Why a calibrated camera publishes no speed for this crossing.
        is_inferred: True when the road user was hidden at the line and its motion just
            beyond says that it came over it.
    """

    section: str
    direction: Direction
    road_user: RoadUser
    track_id: int
    at_s: float
    at: datetime
    foot_px: Point
    speed: Speed | None = None
    speed_withheld: Withheld | None = None
    is_inferred: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowPassage:
    """A road user passed the start section and then the end section of a flow."""

    flow: str
    movement: Movement
    road_user: RoadUser
    track_id: int
    entered_s: float
    left_s: float
    at: datetime
    speed: Speed | None = None


class IncidentKind(StrEnum):
    """Situations that somebody may want to look at."""

    STOPPED_VEHICLE = "stopped_vehicle"
    WRONG_WAY = "wrong_way"
    PEDESTRIAN_ON_CARRIAGEWAY = "pedestrian_on_carriageway"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One situation, reported once when it is certain."""

    kind: IncidentKind
    section: str
    road_user: RoadUser
    track_id: int
    since_s: float
    at: datetime


class ConflictKind(StrEnum):
    """Surrogate safety measures (FHWA-RD-03-050)."""

    PET = "post_encroachment_time"
    TTC = "time_to_collision"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two road users came close in time.

    Attributes:
        kind: Which measure fell below its limit.
        value_s: The smallest value, in seconds.
        road_users: Classes of the two, earlier one first.
        track_ids: Their tracks in the same order.
    """

    kind: ConflictKind
    value_s: float
    road_users: tuple[RoadUser, RoadUser]
    track_ids: tuple[int, int]
    at_s: float
    at: datetime
