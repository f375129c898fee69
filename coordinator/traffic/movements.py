"""Flows in quarter hours → the turning-movement table of a junction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.road_users import ROAD_USERS
from common.site import Movement
from coordinator.traffic.answers import Counts, CountSums, vehicles_in
from coordinator.traffic.coverage import State, Watched, state_of
from coordinator.traffic.peak_hour import PeakHour, QuarterHour, find_peak_hour
from coordinator.traffic.scenes import Scene, Series

MOVEMENT_ORDER = (Movement.RIGHT, Movement.THRU, Movement.LEFT, Movement.U_TURN)
"""The order in which turning-movement sheets print the movements of a leg."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One movement out of one leg, and the series that make it up."""

    camera_id: int
    camera: str
    leg: str
    movement: Movement
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Road users of one column in one quarter hour."""

    state: State
    counts: Counts | None

    @property
    def vehicles(self) -> int | None:
        """All classes but people on foot."""
        return vehicles_in(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One quarter hour; ``cells`` in the order of the table's columns."""

    start: datetime
    watched: Watched
    cells: tuple[Cell, ...]

    @property
    def vehicles(self) -> int | None:
        """Sum of the row; None when any cell is."""
        return whole_sum(cell.vehicles for cell in self.cells)


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementTable:
    """Leg × movement × class in quarter hours."""

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def legs(self) -> list[tuple[str, str]]:
        """Camera and leg, in the order of the columns."""
        return list(dict.fromkeys((column.camera, column.leg) for column in self.columns))

    @property
    def peak_hour(self) -> PeakHour | None:
        """Peak hour of the whole junction."""
        return find_peak_hour(
            [
                QuarterHour(start=row.start, vehicles=row.vehicles, coverage=row.watched.coverage)
                for row in self.rows
            ]
        )

    def leg_quarters(self, leg: tuple[str, str]) -> list[QuarterHour]:
        """Vehicles of one leg, quarter hour by quarter hour."""
        mine = [n for n, c in enumerate(self.columns) if (c.camera, c.leg) == leg]
        return [
            QuarterHour(
                start=row.start,
                vehicles=whole_sum(row.cells[n].vehicles for n in mine),
                coverage=row.watched.coverage,
            )
            for row in self.rows
        ]


def columns_of(scene: Scene) -> tuple[Column, ...]:
    """Columns of all flows whose drawing is known, legs by name, movements as sheets print them."""
    found: dict[tuple[int, str, Movement], list[Series]] = {}
    for series in scene.series:
        flow = scene.flow(series) if series.kind == "flow" else None
        if flow is not None:
            found.setdefault((series.camera_id, flow.start, flow.movement), []).append(series)
    columns = [
        Column(
            camera_id=camera_id,
            camera=scene.camera_of(members[0]),
            leg=leg,
            movement=movement,
            series=tuple(members),
        )
        for (camera_id, leg, movement), members in found.items()
    ]
    order = {movement: place for place, movement in enumerate(MOVEMENT_ORDER)}
    return tuple(sorted(columns, key=lambda c: (c.camera, c.leg, order[c.movement])))


def build_table(
    columns: Sequence[Column],
    starts: Sequence[datetime],
    counts: Iterable[CountSums],
    watched: Mapping[tuple[int, datetime], Watched],
) -> MovementTable:
    """Put sums into their cells.

    Args:
        columns: What ``columns_of`` found.
        starts: Starts of the quarter hours.
        counts: Sums of the columns' series in quarter hours; those not reported are missing.
        watched: Camera id and start → how well it watched; there for every column and start.
    """
    by_place = {(row.series_id, row.start): row for row in counts}
    cameras = {column.camera_id for column in columns}
    rows: list[Row] = []
    for start in starts if columns else ():
        cells = tuple(
            _cell(
                [by_place.get((series.id, start)) for series in column.series],
                watched[column.camera_id, start],
            )
            for column in columns
        )
        worst = min((watched[camera, start] for camera in cameras), key=lambda w: w.coverage)
        rows.append(Row(start=start, watched=worst, cells=cells))
    return MovementTable(columns=tuple(columns), rows=tuple(rows))


def add_counts(parts: Sequence[Counts | None]) -> Counts | None:
    """Class by class; None when any part is, because the sum would be too small."""
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    if len(known) == 1:
        return known[0]
    return {user.value: sum(part[user] for part in known) for user in ROAD_USERS}


def whole_sum(values: Iterable[int | None]) -> int | None:
    """Sum; None when any value is, or when there is none."""
    listed = list(values)
    known = [value for value in listed if value is not None]
    return sum(known) if known and len(known) == len(listed) else None


def _cell(parts: Sequence[CountSums | None], watched: Watched) -> Cell:
    counts = add_counts([None if part is None else part.counts for part in parts])
    withheld = sum(part.withheld_bins for part in parts if part is not None)
    return Cell(
        state=state_of(has_number=counts is not None, withheld_bins=withheld, watched=watched),
        counts=counts,
    )
