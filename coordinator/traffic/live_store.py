"""The newest bins of all cameras → small facts for the live feed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlmodel import Session, col

from common.road_users import ROAD_USERS
from coordinator.fleet.tables import SiteRow
from coordinator.traffic.tables import CameraBinRow, CameraRow, CountRow, SeriesRow

Key = tuple[int, datetime, int, int]
"""Camera id, start, part and width: what makes a bin one bin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSeries:
    """One direction of a line or one flow in a bin; None when unwatched or withheld."""

    kind: str
    name: str
    direction: str
    counts: dict[str, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveBin:
    """A committed bin."""

    key: Key
    site: str
    camera: str
    coverage_s: float
    quality: str
    series: list[LiveSeries] = field(default_factory=list)


class LiveStore:
    """Newly committed bins, for one tenant."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what belongs to ``tenant_id``."""
        self._session = session
        self._tenant_id = tenant_id

    def bins_since(self, since: datetime) -> list[LiveBin]:
        """Every bin that starts at ``since`` or later, by start and camera, without counts."""
        row = CameraBinRow
        query = (
            select(
                col(row.camera_id),
                col(row.start),
                col(row.part),
                col(row.width_s),
                col(SiteRow.slug),
                col(CameraRow.slug),
                col(row.coverage_s),
                col(row.quality),
            )
            .join(CameraRow, col(CameraRow.id) == col(row.camera_id))
            .join(SiteRow, col(SiteRow.id) == col(CameraRow.site_id))
            .where(
                col(CameraRow.tenant_id) == self._tenant_id,
                col(row.tenant_id) == self._tenant_id,
                col(row.start) >= since,
            )
            .order_by(col(row.start), col(row.camera_id), col(row.part))
        )
        return [
            LiveBin(
                key=(camera_id, start, part, width_s),
                site=site,
                camera=camera,
                coverage_s=coverage_s,
                quality=quality,
            )
            for camera_id, start, part, width_s, site, camera, coverage_s, quality in (
                self._session.execute(query)
            )
        ]

    def with_counts(self, bins: list[LiveBin]) -> list[LiveBin]:
        """The same bins with the counts of their lines and flows."""
        by_key = {one.key: one for one in bins}
        if not by_key:
            return bins
        columns = [getattr(CountRow, user.value) for user in ROAD_USERS]
        query = (
            select(
                col(SeriesRow.camera_id),
                col(CountRow.start),
                col(CountRow.part),
                col(CountRow.width_s),
                col(SeriesRow.kind),
                col(SeriesRow.name),
                col(SeriesRow.direction),
                *columns,
            )
            .join(SeriesRow, col(SeriesRow.id) == col(CountRow.series_id))
            .where(
                col(CountRow.tenant_id) == self._tenant_id,
                col(SeriesRow.camera_id).in_({key[0] for key in by_key}),
                col(CountRow.start).in_({key[1] for key in by_key}),
            )
            .order_by(col(SeriesRow.id))
        )
        for (
            camera_id,
            start,
            part,
            width_s,
            kind,
            name,
            direction,
            *numbers,
        ) in self._session.execute(query):
            found = by_key.get((camera_id, start, part, width_s))
            if found is not None:
                found.series.append(
                    LiveSeries(kind=kind, name=name, direction=direction, counts=_counts(numbers))
                )
        return bins


def _counts(numbers: list[int | None]) -> dict[str, int] | None:
    if all(number is None for number in numbers):
        return None
    return {user.value: number or 0 for user, number in zip(ROAD_USERS, numbers, strict=True)}
