"""The values that track hands on: confirmed road users, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from common.geometry import Box
from common.road_users import RoadUser


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackPoint:
    """Where one confirmed road user was seen at one moment.

    Only observations become points. While a road user is hidden it has none, and
    the next point after the gap carries the path on.

    Attributes:
        track_id: Unique within one camera and one agent run, from 1.
        at_s: Stream clock in seconds.
        at: The same moment as aware UTC.
        box_px: Smoothed box in pixels of the site file's ``frame_size``.
        road_user: The class that the votes up to now favour.
        score: Detector confidence of this observation, in [0, 1].
    """

    track_id: int
    at_s: float
    at: datetime
    box_px: Box
    road_user: RoadUser
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedFrame:
    """One frame after tracking.

    Attributes:
        camera_id: Camera that saw it.
        captured_s: Stream clock of this frame in seconds.
        captured_at: The same moment as aware UTC.
        points: New points, oldest first within a track. A track that was confirmed by
            this frame brings the points that led to it, so nothing before the
            confirmation is lost, and an unconfirmed track never shows.
        ended: Tracks that will get no further point.
        unassigned: Confident detections of this frame that no track took.
    """

    camera_id: str
    captured_s: float
    captured_at: datetime
    points: tuple[TrackPoint, ...] = ()
    ended: tuple[int, ...] = ()
    unassigned: int = field(default=0)
