"""The values that the bin store takes and gives."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimits:
    """How much is kept.

    Attributes:
        max_days: Older bins are deleted.
        max_bytes: Size of the database file; the write-ahead log comes on top (4 MB).
    """

    max_days: float
    max_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBin:
    """One row.

    Attributes:
        row_id: Rises with every bin stored; never used twice.
        content: What ``MinuteBin.to_dict`` gave.
    """

    row_id: int
    camera_id: str
    start: datetime
    part: int
    content: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Bins that are gone for one reason, summed up.

    Attributes:
        camera_id: Camera, empty when the loss concerns all.
        reason: ``too_old``, ``store_full``, ``not_written`` or ``file_damaged``.
        bins: How many, or None where nobody can know.
        first_at: Start of the earliest, or None.
        last_at: Start of the latest, or None.
        detail: For people, such as where a damaged file lies now.
    """

    camera_id: str
    reason: str
    bins: int | None
    first_at: datetime | None = None
    last_at: datetime | None = None
    detail: str = ""
