"""Counts in bins → one row for every series, bin and class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from datetime import datetime

from common.road_users import RoadUser
from coordinator.traffic.exports.csv_cells import csv_text
from coordinator.traffic.views import CountsView


@dataclass(frozen=True, slots=True, kw_only=True)
class LongRow:
    """Road users of one class of one series in one bin; ``count`` is None unless measured."""

    site: str
    timezone: str
    camera: str
    kind: str
    name: str
    direction: str
    start: datetime
    width: str
    road_user: str
    count: int | None
    state: str
    coverage: float
    quality: float
    verdict: str


COLUMNS = tuple(field.name for field in fields(LongRow))


def long_rows(view: CountsView, road_users: tuple[RoadUser, ...]) -> Iterator[LongRow]:
    """Every class of every bin, series by series."""
    cameras = {camera.camera: camera for camera in view.cameras}
    for series in view.series:
        watched = cameras[series.camera]
        for n, start in enumerate(view.starts):
            for road_user in road_users:
                yield LongRow(
                    site=view.site,
                    timezone=view.timezone,
                    camera=series.camera,
                    kind=series.kind,
                    name=series.name,
                    direction=series.direction,
                    start=start,
                    width=view.width.value,
                    road_user=road_user.value,
                    count=series.counts[road_user][n],
                    state=series.state[n].value,
                    coverage=watched.coverage[n],
                    quality=watched.quality[n],
                    verdict=watched.verdict[n].value,
                )


def long_csv(view: CountsView, road_users: tuple[RoadUser, ...]) -> str:
    """The rows as CSV with a header."""
    return csv_text([COLUMNS, *(astuple(row) for row in long_rows(view, road_users))])
