"""Flows in quarter hours → the turning-movement table of a junction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from common.road_users import ROAD_USERS
from common.site import Movement
from coordinator.traffic.count_columns import CountColumns, add_columns
from coordinator.traffic.coverage import State, Watched
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
class FilledColumn:
    """One column with its numbers; every list has a value for every quarter hour."""

    column: Column
    states: list[State]
    counts: CountColumns
    vehicles: list[int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MovementTable:
    """Leg × movement × class in quarter hours.

    Attributes:
        watched: How well the camera that watched least did, in every quarter hour.
        vehicles: All columns together, in every quarter hour; None when any of them is.
    """

    starts: Sequence[datetime]
    watched: Sequence[Watched]
    columns: Sequence[FilledColumn]
    vehicles: Sequence[int | None]

    @property
    def legs(self) -> list[tuple[str, str]]:
        """Camera and leg, in the order of the columns."""
        return list(dict.fromkeys((one.column.camera, one.column.leg) for one in self.columns))

    def of_leg(self, leg: tuple[str, str]) -> list[FilledColumn]:
        """The columns of one leg."""
        return [one for one in self.columns if (one.column.camera, one.column.leg) == leg]

    @property
    def peak_hour(self) -> PeakHour | None:
        """Peak hour of the whole junction."""
        return find_peak_hour(self._quarters(self.vehicles))

    def leg_quarters(self, leg: tuple[str, str]) -> list[QuarterHour]:
        """Vehicles of one leg, quarter hour by quarter hour."""
        return self._quarters(_sums([one.vehicles for one in self.of_leg(leg)]))

    def _quarters(self, vehicles: Sequence[int | None]) -> list[QuarterHour]:
        return [
            QuarterHour(start=start, vehicles=number, coverage=watched.coverage)
            for start, number, watched in zip(self.starts, vehicles, self.watched, strict=True)
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
    counts: Mapping[int, CountColumns],
    watched: Mapping[int, Sequence[Watched]],
) -> MovementTable:
    """Put sums into their columns.

    Args:
        columns: What ``columns_of`` found.
        starts: Starts of the quarter hours; none are shown when there is no column.
        counts: Series id → its counts in these quarter hours; there for every column.
        watched: Camera id → how well it watched in each of them; there for every column.
    """
    filled = [
        _fill(column, [counts[series.id] for series in column.series], watched[column.camera_id])
        for column in columns
    ]
    cameras = dict.fromkeys(column.camera_id for column in columns)
    together = zip(*(watched[camera] for camera in cameras), strict=True)
    return MovementTable(
        starts=starts if columns else (),
        watched=[min(parts, key=lambda one: one.coverage) for parts in together],
        columns=filled,
        vehicles=_sums([one.vehicles for one in filled]),
    )


def whole_sum(values: Iterable[int | None]) -> int | None:
    """Sum; None when any value is, or when there is none."""
    total: int | None = None
    for value in values:
        if value is None:
            return None
        total = value if total is None else total + value
    return total


def _fill(
    column: Column, parts: Sequence[CountColumns], watched: Sequence[Watched]
) -> FilledColumn:
    counts = parts[0] if len(parts) == 1 else add_columns(parts)
    return FilledColumn(
        column=column,
        states=counts.states(watched),
        counts=counts,
        vehicles=counts.total([user for user in ROAD_USERS if user.is_vehicle]),
    )


def _sums(columns: Sequence[Sequence[int | None]]) -> list[int | None]:
    return [whole_sum(values) for values in zip(*columns, strict=True)]
