"""Numbers of one minute → a record that tells *nothing happened* from *nothing was seen*."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from common.geometry import Direction
from common.road_users import ROAD_USERS
from edge.measure.statistics import SPEED_CLASS_KMH, percentile_of_histogram

BIN_WIDTH = timedelta(minutes=1)

Counts = tuple[int, ...]
"""One number per class, in the order of ``ROAD_USERS``."""


class Quality(StrEnum):
    """How far the numbers of a bin can be trusted, best first."""

    GOOD = "good"
    PARTIAL = "partial"
    DEGRADED = "degraded"
    NO_DATA = "no_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionBin:
    """One direction of one line.

    Attributes:
        section: Name of the line.
        direction: Counted direction.
        counts: Road users per class, or None when nothing was watched.
        speeds: How many speeds fell into each class of ``SPEED_CLASS_KMH``, keyed by the
            lower bound in km/h.
        speed_sum_kmh: Sum of those speeds.
        headways: Number of measured headways.
        headway_sum_s: Their sum, seconds.
        headway_least_s: The shortest, seconds.
        time_gaps: Number of measured time gaps (rear of the leader to front of the follower).
        time_gap_sum_s: Their sum, seconds.
        inferred: How many of the counted were hidden at the line itself.
    """

    section: str
    direction: Direction
    counts: Counts | None
    speeds: tuple[tuple[int, int], ...] = ()
    speed_sum_kmh: float = 0.0
    headways: int = 0
    headway_sum_s: float = 0.0
    headway_least_s: float | None = None
    time_gaps: int = 0
    time_gap_sum_s: float = 0.0
    inferred: int = 0

    @property
    def speed_mean_kmh(self) -> float | None:
        """Mean spot speed, or None without any."""
        measured = sum(n for _, n in self.speeds)
        return self.speed_sum_kmh / measured if measured else None

    @property
    def speed_v85_kmh(self) -> float | None:
        """Speed that 85 % do not exceed, read off the histogram, or None without any."""
        return percentile_of_histogram(dict(self.speeds), 85)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``counts`` keyed by class."""
        return {
            "section": self.section,
            "direction": self.direction.value,
            "counts": _by_class(self.counts),
            "inferred": self.inferred,
            "speed_mean_kmh": _rounded(self.speed_mean_kmh),
            "speed_v85_kmh": _rounded(self.speed_v85_kmh),
            "speed_sum_kmh": round(self.speed_sum_kmh, 3),
            "speeds": {f"{low}-{low + SPEED_CLASS_KMH}": n for low, n in self.speeds},
            "headways": self.headways,
            "headway_sum_s": round(self.headway_sum_s, 3),
            "headway_mean_s": _rounded(
                self.headway_sum_s / self.headways if self.headways else None
            ),
            "headway_least_s": _rounded(self.headway_least_s),
            "time_gaps": self.time_gaps,
            "time_gap_sum_s": round(self.time_gap_sum_s, 3),
            "time_gap_mean_s": _rounded(
                self.time_gap_sum_s / self.time_gaps if self.time_gaps else None
            ),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowBin:
    """Road users that finished one flow, per class, or None when nothing was watched."""

    flow: str
    counts: Counts | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``counts`` keyed by class."""
        return {"flow": self.flow, "counts": _by_class(self.counts)}


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaBin:
    """One area; every value is None when nothing was watched.

    Attributes:
        section: Name of the area.
        occupied_share: Share of the watched time with a vehicle in it, in [0, 1].
        queue_most: Most standing vehicles at one time.
        queue_most_m: Longest queue in metres; needs a calibration.
        dwell_mean_s: Mean stay of the road users that left in this minute.
        walks: People who walked across, in any direction (crosswalks).
    """

    section: str
    occupied_share: float | None = None
    queue_most: int | None = None
    queue_most_m: float | None = None
    dwell_mean_s: float | None = None
    walks: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            key: _rounded(value) if isinstance(value, float) else value
            for key, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MinuteBin:
    """Everything one camera measured in one minute.

    Attributes:
        camera_id: Camera.
        start: Aligned start, aware UTC.
        part: 0, or higher for what arrived after the minute was handed on (late events, a
            clock set back). Parts of one minute add up.
        width_s: Length of the bin, seconds.
        coverage_s: Seconds of it that were watched with usable pictures.
        frames_seen: Frames measured.
        frames_dropped: Frames that the stream had and nobody measured.
        unassigned_share: Share of confident detections that no track took, in [0, 1].
        brightness: Mean picture brightness, 0 black to 255 white.
        quality: Verdict on the bin.
        flags: Reasons for the verdict, sorted.
        gaps: Unwatched intervals as seconds from ``start``.
        sections: One per line and direction, always all of them.
        flows: One per flow, always all of them.
        areas: One per area, always all of them.
        incidents: Number of incidents per kind, or None when nothing was watched.
        conflicts: Number of conflicts per kind, or None when nothing was watched.
    """

    camera_id: str
    start: datetime
    part: int = 0
    width_s: int = 60
    coverage_s: float
    frames_seen: int
    frames_dropped: int
    unassigned_share: float | None
    brightness: float | None
    quality: Quality
    flags: tuple[str, ...] = ()
    gaps: tuple[tuple[float, float], ...] = ()
    sections: tuple[SectionBin, ...] = ()
    flows: tuple[FlowBin, ...] = ()
    areas: tuple[AreaBin, ...] = ()
    incidents: tuple[tuple[str, int], ...] | None = None
    conflicts: tuple[tuple[str, int], ...] | None = None

    def __post_init__(self) -> None:
        """Refuse a start that is naive."""
        if self.start.tzinfo is None:
            raise ValueError(f"naive bin start {self.start}, expected an aware one")

    @property
    def end(self) -> datetime:
        """First moment after the bin."""
        return self.start + timedelta(seconds=self.width_s)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; missing measurements are None, never 0."""
        return {
            "camera": self.camera_id,
            "start": self.start.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "part": self.part,
            "width_s": self.width_s,
            "coverage_s": round(self.coverage_s, 3),
            "frames_seen": self.frames_seen,
            "frames_dropped": self.frames_dropped,
            "unassigned_share": _rounded(self.unassigned_share, 4),
            "brightness": _rounded(self.brightness, 1),
            "quality": self.quality.value,
            "flags": list(self.flags),
            "gaps": [[round(a, 3), round(b, 3)] for a, b in self.gaps],
            "sections": [section.to_dict() for section in self.sections],
            "flows": [flow.to_dict() for flow in self.flows],
            "areas": [area.to_dict() for area in self.areas],
            "incidents": None if self.incidents is None else dict(self.incidents),
            "conflicts": None if self.conflicts is None else dict(self.conflicts),
        }


def added(a: Counts | None, b: Counts | None) -> Counts | None:
    """Sum of two count vectors; None means unknown and adds nothing."""
    if a is None or b is None:
        return b if a is None else a
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _by_class(counts: Counts | None) -> dict[str, int] | None:
    if counts is None:
        return None
    return {user.value: n for user, n in zip(ROAD_USERS, counts, strict=True)}


def _rounded(value: float | None, digits: int = 2) -> float | None:
    return None if value is None else round(value, digits)
