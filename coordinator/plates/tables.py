"""Wishes for plates and the newest plate of each camera, as rows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import LargeBinary
from sqlmodel import Field, SQLModel

from coordinator.database import UtcDateTime


class PlateWishRow(SQLModel, table=True):
    """The newest wish for a plate of one camera, and what its box answered."""

    __tablename__ = "plate_wish"

    camera_id: int = Field(primary_key=True, foreign_key="camera.id")
    tenant_id: str = Field(max_length=64)
    device_id: str = Field(foreign_key="device.id", max_length=64)
    number: int
    wished_at: datetime = Field(sa_type=UtcDateTime)
    answered_number: int = 0
    answered_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    outcome: str = Field(default="", max_length=16)


class PlateRow(SQLModel, table=True):
    """The newest plate of one camera; an older one is forgotten."""

    __tablename__ = "plate"

    camera_id: int = Field(primary_key=True, foreign_key="camera.id")
    tenant_id: str = Field(max_length=64)
    device_id: str = Field(max_length=64)
    number: int
    taken_at: datetime = Field(sa_type=UtcDateTime)
    width_px: int
    height_px: int
    frame_width_px: int
    frame_height_px: int
    frames: int
    span_s: float
    covered: int
    webp: bytes = Field(sa_type=LargeBinary)
