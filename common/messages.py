"""What a box may tell → one closed, bounded pydantic model per payload.

What is not written in this file cannot leave a box. Numbers that were not measured are
None, never 0.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from common.geometry import Direction
from common.ids import Label, Slug
from common.plates import PlateReport
from common.release_state import ReleaseState
from common.road_users import ROAD_USERS
from common.site import Movement, Use
from common.wire import (
    MOST_MINUTES,
    MOST_SECTIONS,
    WIDTHS_S,
    Amount,
    ClockState,
    Code,
    Count,
    Counts,
    Digest,
    Kind,
    Message,
    PrivacyMode,
    Share,
    Version,
)


class SectionCounts(Message):
    """One direction of one line in one bin.

    Attributes:
        counts: Road users per class; None when nothing was watched or when it was withheld.
        withheld: True when the numbers exist on the box and disclosure control kept them back.
        speeds: Lower bound of each 5 km/h class that occurred, and how many speeds fell into it.
    """

    section: Label
    direction: Direction
    counts: Counts | None
    withheld: bool = False
    inferred: Count = 0
    speeds: Annotated[tuple[tuple[Count, Count], ...], Field(max_length=64)] = ()
    speed_sum_kmh: Amount = 0.0
    headways: Count = 0
    headway_sum_s: Amount = 0.0
    headway_least_s: Amount | None = None
    time_gaps: Count = 0
    time_gap_sum_s: Amount = 0.0


class FlowCounts(Message):
    """Road users that finished one flow in one bin."""

    flow: Label
    counts: Counts | None
    withheld: bool = False


class AreaFigures(Message):
    """One area in one bin; every value is None when nothing was watched."""

    section: Label
    occupied_share: Share | None = None
    queue_most: Count | None = None
    queue_most_m: Amount | None = None
    dwell_mean_s: Amount | None = None
    walks: Count | None = None
    withheld: bool = False


class CameraBin(Message):
    """Everything that one camera tells of one bin.

    Attributes:
        part: 0, or higher for what arrived after the minute was handed on. Parts add up.
        width_s: One of ``WIDTHS_S``; the start is aligned to it.
        coverage_s: Seconds that were watched with usable pictures.
        flags: Reasons for the quality verdict.
        gaps: Unwatched intervals as seconds from ``start``; empty for merged bins.
        incidents: Number of incidents per kind, None when nothing was watched.
        noise_epsilon: Privacy loss spent on this bin when its counts carry noise, else None.
    """

    camera: Slug
    start: AwareDatetime
    part: Annotated[int, Field(ge=0, le=1000)] = 0
    width_s: int = 60
    clock: ClockState = ClockState.TRUSTED
    mode: PrivacyMode = PrivacyMode.STATISTICS
    coverage_s: Amount
    frames_seen: Count
    frames_dropped: Count
    unassigned_share: Share | None = None
    brightness: Annotated[float, Field(ge=0, le=255)] | None = None
    quality: Literal["good", "partial", "degraded", "no_data"]
    flags: Annotated[tuple[Code, ...], Field(max_length=32)] = ()
    gaps: Annotated[tuple[tuple[Amount, Amount], ...], Field(max_length=64)] = ()
    sections: Annotated[tuple[SectionCounts, ...], Field(max_length=2 * MOST_SECTIONS)] = ()
    flows: Annotated[tuple[FlowCounts, ...], Field(max_length=256)] = ()
    areas: Annotated[tuple[AreaFigures, ...], Field(max_length=MOST_SECTIONS)] = ()
    incidents: Annotated[dict[Code, Count], Field(max_length=16)] | None = None
    conflicts: Annotated[dict[Code, Count], Field(max_length=16)] | None = None
    noise_epsilon: Amount | None = None

    @model_validator(mode="after")
    def _is_aligned(self) -> Self:
        if self.width_s not in WIDTHS_S:
            raise ValueError(f"bin width {self.width_s} s, expected one of {WIDTHS_S}")
        if self.start.timestamp() % self.width_s:
            raise ValueError(f"bin start {self.start} is not aligned to {self.width_s} s")
        if self.coverage_s > self.width_s + 0.001:
            raise ValueError(f"coverage {self.coverage_s} s exceeds the width {self.width_s} s")
        return self

    @property
    def end(self) -> datetime:
        """First moment after the bin."""
        return self.start + timedelta(seconds=self.width_s)


class BinReport(Message):
    """Bins of the cameras of one box."""

    kind: ClassVar[Kind] = Kind.BINS
    bins: Annotated[tuple[CameraBin, ...], Field(min_length=1, max_length=MOST_MINUTES)]


class SectionLayout(Message):
    """A counting line or area as it is drawn, in pixels of the camera's frame."""

    name: Label
    use: Use
    points_px: Annotated[tuple[tuple[float, float], ...], Field(min_length=2, max_length=64)]
    is_area: bool = False


class FlowLayout(Message):
    """An ordered pair of sections; ``start`` is the leg that the road user comes from."""

    name: Label
    start: Label
    end: Label
    movement: Movement


class CameraLayout(Message):
    """What one camera counts; its source, which may hold an address, is not told."""

    camera: Slug
    frame_size: tuple[Annotated[int, Field(ge=32, le=8192)], Annotated[int, Field(ge=32, le=8192)]]
    is_calibrated: bool
    sections: Annotated[tuple[SectionLayout, ...], Field(max_length=MOST_SECTIONS)] = ()
    flows: Annotated[tuple[FlowLayout, ...], Field(max_length=256)] = ()


class SiteReport(Message):
    """The layout that the numbers refer to from ``valid_from`` on; sent again when it changes."""

    kind: ClassVar[Kind] = Kind.SITE
    site: Slug
    valid_from: AwareDatetime
    cameras: Annotated[tuple[CameraLayout, ...], Field(max_length=16)]


class CameraState(Message):
    """How one camera of a box is doing."""

    camera: Slug
    state: Code
    fps: Amount | None = None
    last_frame_at: AwareDatetime | None = None


class LearningState(Message):
    """What a box could bring to a federated run; no picture and no label is told.

    Attributes:
        samples: Labelled pictures that it keeps, by whomever they were labelled.
        technician_samples: Those of them that a technician labelled.
        is_ready: It would train now.
        reasons: Checks that keep it from training, such as ``temperature`` or ``window``.
    """

    samples: Count
    technician_samples: Count = 0
    is_ready: bool
    reasons: Annotated[tuple[Code, ...], Field(max_length=16)] = ()


class HealthReport(Message):
    """How a box is doing.

    Attributes:
        outbox_reports: Reports that wait for an acknowledgement.
        temperature_c: Hottest part of the box, None where no sensor tells.
        egress_head: Newest link of the hash-chained egress log.
        twin_version: Version of the desired configuration that is in effect, 0 for none.
        twin_state: ``none``, ``applied``, ``refused`` or ``rolled_back``.
        twin_seen: Newest wish that was judged, which ``twin_state`` is about.
        twin_reason: Why it was refused or rolled back, such as ``not_valid`` or ``camera_lost``.
        learning: None on a box that keeps no samples.
        release: None on a box that takes no releases.
    """

    kind: ClassVar[Kind] = Kind.HEALTH
    at: AwareDatetime
    software: Version
    model: Version
    clock: ClockState
    uptime_s: Amount
    outbox_reports: Count
    outbox_bytes: Amount
    disk_free_bytes: Annotated[int, Field(ge=0, le=2**60)]
    temperature_c: Annotated[float, Field(ge=-40, le=150)] | None = None
    certificate_expires_at: AwareDatetime | None = None
    egress_head: Digest | None = None
    twin_version: Annotated[int, Field(ge=0, le=2**31)] = 0
    twin_state: Literal["none", "applied", "refused", "rolled_back"] = "none"
    twin_seen: Annotated[int, Field(ge=0, le=2**31)] = 0
    twin_reason: Code | None = None
    cameras: Annotated[tuple[CameraState, ...], Field(max_length=16)] = ()
    learning: LearningState | None = None
    release: ReleaseState | None = None


class LostBins(Message):
    """Numbers that are gone or became coarser, for one camera and one reason.

    Attributes:
        camera: The camera, or None when nobody can know.
        reason: ``too_old``, ``store_full``, ``outbox_full``, ``merged``, ``not_written`` or
            ``file_damaged``.
        bins: How many, or None where nobody can know.
    """

    camera: Slug | None
    reason: Code
    bins: Annotated[int, Field(ge=0, le=2**40)] | None
    first_at: AwareDatetime | None = None
    last_at: AwareDatetime | None = None


class LossReport(Message):
    """What a box lost since its last loss report."""

    kind: ClassVar[Kind] = Kind.LOSS
    at: AwareDatetime
    losses: Annotated[tuple[LostBins, ...], Field(min_length=1, max_length=64)]


class IncidentNote(Message):
    """One incident; only cameras in operational mode tell them one by one."""

    camera: Slug
    section: Label
    incident: Code
    road_user: Annotated[str, Field(pattern="^(" + "|".join(u.value for u in ROAD_USERS) + ")$")]
    at: AwareDatetime


class IncidentReport(Message):
    """Incidents of cameras in operational mode."""

    kind: ClassVar[Kind] = Kind.INCIDENTS
    incidents: Annotated[tuple[IncidentNote, ...], Field(min_length=1, max_length=64)]


UpMessage = BinReport | SiteReport | HealthReport | LossReport | IncidentReport | PlateReport

UP_MESSAGES: MappingProxyType[Kind, type[UpMessage]] = MappingProxyType(
    {
        message.kind: message
        for message in (
            BinReport,
            SiteReport,
            HealthReport,
            LossReport,
            IncidentReport,
            PlateReport,
        )
    }
)


def aligned(at: datetime, width_s: int) -> datetime:
    """Start of the bin of this width that holds ``at``, in UTC."""
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % width_s, UTC)
