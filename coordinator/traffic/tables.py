"""What cameras measured, bin by bin, and the sums over longer bins, as rows.

Base tables (``camera_bin``, ``traffic_count``, ``traffic_speed``, ``traffic_area``) hold what
boxes reported and never change; ``*_rollup`` tables hold sums that can be made again from
them. On PostgreSQL base tables are partitioned by ``start``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, UniqueConstraint
from sqlmodel import Field, SQLModel

from coordinator.database import UtcDateTime


class CameraRow(SQLModel, table=True):
    """A camera of a site; keeps its history when the box behind it is replaced."""

    __tablename__ = "camera"
    __table_args__ = (UniqueConstraint("site_id", "slug"),)

    id: int | None = Field(default=None, primary_key=True)
    tenant_id: str = Field(foreign_key="tenant.id", max_length=64)
    site_id: int = Field(foreign_key="site.id")
    slug: str = Field(max_length=64)
    created_at: datetime = Field(sa_type=UtcDateTime)


class SeriesRow(SQLModel, table=True):
    """One thing that is counted: a direction of a line, a flow, or an area.

    ``kind`` is line, flow or area; ``direction`` is right, left or empty.
    """

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("camera_id", "kind", "name", "direction"),)

    id: int | None = Field(default=None, primary_key=True)
    tenant_id: str = Field(max_length=64)
    camera_id: int = Field(foreign_key="camera.id", index=True)
    kind: str = Field(max_length=8)
    name: str = Field(max_length=64)
    direction: str = Field(default="", max_length=8)


class LayoutRow(SQLModel, table=True):
    """Sections and flows of a camera from a moment on, as the box told them."""

    __tablename__ = "camera_layout"

    camera_id: int = Field(primary_key=True, foreign_key="camera.id")
    valid_from: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    tenant_id: str = Field(max_length=64)
    content: dict[str, Any] = Field(sa_type=JSON)


class CameraBinRow(SQLModel, table=True):
    """How well one camera watched during one bin."""

    __tablename__ = "camera_bin"

    camera_id: int = Field(primary_key=True)
    start: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    part: int = Field(primary_key=True)
    width_s: int = Field(primary_key=True)
    tenant_id: str = Field(max_length=64)
    device_id: str = Field(max_length=64)
    clock: str = Field(max_length=8)
    mode: str = Field(max_length=16)
    coverage_s: float
    frames_seen: int
    frames_dropped: int
    unassigned_share: float | None = None
    brightness: float | None = None
    quality: str = Field(max_length=16)
    flags: list[str] = Field(default_factory=list, sa_type=JSON)
    gaps: list[list[float]] = Field(default_factory=list, sa_type=JSON)
    incidents: dict[str, int] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    conflicts: dict[str, int] | None = Field(default=None, sa_type=JSON(none_as_null=True))
    noise_epsilon: float | None = None


class _Counts(SQLModel):
    """Road users per class; all None when nothing was watched, or when it was withheld."""

    person: int | None = None
    bicycle: int | None = None
    motorcycle: int | None = None
    car: int | None = None
    bus: int | None = None
    truck: int | None = None
    inferred: int = 0
    speeds: int = 0
    speed_sum_kmh: float = 0.0
    headways: int = 0
    headway_sum_s: float = 0.0
    headway_least_s: float | None = None
    time_gaps: int = 0
    time_gap_sum_s: float = 0.0


class CountRow(_Counts, table=True):
    """One direction of a line, or one flow, in one bin (the most numerous rows)."""

    __tablename__ = "traffic_count"

    series_id: int = Field(primary_key=True)
    start: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    part: int = Field(primary_key=True)
    width_s: int = Field(primary_key=True)
    tenant_id: str = Field(max_length=64)
    withheld: bool = False


class SpeedRow(SQLModel, table=True):
    """How many speeds fell into one 5 km/h class."""

    __tablename__ = "traffic_speed"

    series_id: int = Field(primary_key=True)
    start: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    part: int = Field(primary_key=True)
    width_s: int = Field(primary_key=True)
    low_kmh: int = Field(primary_key=True)
    tenant_id: str = Field(max_length=64)
    vehicles: int


class AreaRow(SQLModel, table=True):
    """One area in one bin."""

    __tablename__ = "traffic_area"

    series_id: int = Field(primary_key=True)
    start: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    part: int = Field(primary_key=True)
    width_s: int = Field(primary_key=True)
    tenant_id: str = Field(max_length=64)
    withheld: bool = False
    occupied_share: float | None = None
    queue_most: int | None = None
    queue_most_m: float | None = None
    dwell_mean_s: float | None = None
    walks: int | None = None


class IncidentRow(SQLModel, table=True):
    """One incident of a camera in operational mode."""

    __tablename__ = "incident"
    __table_args__ = (UniqueConstraint("camera_id", "section", "incident", "road_user", "at"),)

    id: int | None = Field(default=None, primary_key=True)
    tenant_id: str = Field(max_length=64)
    camera_id: int = Field(foreign_key="camera.id", index=True)
    section: str = Field(max_length=64)
    incident: str = Field(max_length=32)
    road_user: str = Field(max_length=16)
    at: datetime = Field(sa_type=UtcDateTime, index=True)


class LossRow(SQLModel, table=True):
    """Bins that a box says are gone or coarser than they were."""

    __tablename__ = "box_loss"

    id: int | None = Field(default=None, primary_key=True)
    tenant_id: str = Field(max_length=64)
    device_id: str = Field(max_length=64, index=True)
    camera: str | None = Field(default=None, max_length=64)
    reason: str = Field(max_length=32)
    bins: int | None = None
    first_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    last_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    told_at: datetime = Field(sa_type=UtcDateTime)
