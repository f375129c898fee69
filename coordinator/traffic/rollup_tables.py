"""Sums over 5, 15 and 60 minutes and local days, and what still has to be summed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Integer
from sqlmodel import Field, SQLModel

from coordinator.database import UtcDateTime
from coordinator.traffic.tables import _Counts

ROLLUP_WIDTHS_S = (300, 900, 3600, 86400)
"""86400 stands for the local day of the site, which a clock change makes 23 or 25 hours long."""


class CameraRollupRow(SQLModel, table=True):
    """How well one camera watched during one longer bin.

    ``bins`` counts what was reported; minutes that nobody reported are missing from
    ``coverage_s``, so coverage over width says how much of the bin the sums stand for.
    """

    __tablename__ = "camera_rollup"

    camera_id: int = Field(primary_key=True)
    width_s: int = Field(primary_key=True)
    start: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    tenant_id: str = Field(max_length=64)
    bins: int
    coverage_s: float
    frames_seen: int
    frames_dropped: int
    good_s: float
    degraded_bins: int


class CountRollupRow(_Counts, table=True):
    """Sums of ``traffic_count``; a class is None when no bin of it was watched."""

    __tablename__ = "traffic_count_rollup"

    series_id: int = Field(primary_key=True)
    width_s: int = Field(primary_key=True)
    start: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    tenant_id: str = Field(max_length=64)
    bins: int
    watched_bins: int
    withheld_bins: int


class KindRollupRow(SQLModel, table=True):
    """All lines or all flows of a camera added up, for totals over long ranges.

    Each is the sum of the ``traffic_count_rollup`` rows of its series, NULL passed over.
    """

    __tablename__ = "traffic_kind_rollup"

    camera_id: int = Field(primary_key=True)
    kind: str = Field(primary_key=True, max_length=8)
    width_s: int = Field(primary_key=True)
    start: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    tenant_id: str = Field(max_length=64)
    person: int | None = None
    bicycle: int | None = None
    motorcycle: int | None = None
    car: int | None = None
    bus: int | None = None
    truck: int | None = None
    bins: int
    withheld_bins: int


class SpeedRollupRow(SQLModel, table=True):
    """Sums of ``traffic_speed``."""

    __tablename__ = "traffic_speed_rollup"

    series_id: int = Field(primary_key=True)
    width_s: int = Field(primary_key=True)
    start: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    low_kmh: int = Field(primary_key=True)
    tenant_id: str = Field(max_length=64)
    vehicles: int


class AreaRollupRow(SQLModel, table=True):
    """Means, maxima and sums of ``traffic_area``."""

    __tablename__ = "traffic_area_rollup"

    series_id: int = Field(primary_key=True)
    width_s: int = Field(primary_key=True)
    start: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    tenant_id: str = Field(max_length=64)
    occupied_share: float | None = None
    queue_most: int | None = None
    queue_most_m: float | None = None
    dwell_mean_s: float | None = None
    walks: int | None = None
    bins: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    withheld_bins: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class RollupDueRow(SQLModel, table=True):
    """A camera's five minutes that changed since they were last summed; rows may repeat."""

    __tablename__ = "rollup_due"

    # SQLite numbers rows by itself only when the type is exactly INTEGER.
    id: int | None = Field(
        default=None, primary_key=True, sa_type=BigInteger().with_variant(Integer, "sqlite")
    )
    camera_id: int
    start: datetime = Field(sa_type=UtcDateTime)
