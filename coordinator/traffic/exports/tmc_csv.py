"""A turning-movement table → the CSV sheet that traffic engineers know.

One block a leg (approach) with its movements Right, Thru, Left, U-Turn and a total; one
section a class group, first all vehicles together; below each section totals and the peak
hour of the junction with its factor. What was not watched is an empty cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from common.road_users import ROAD_USERS, RoadUser
from common.site import Movement
from coordinator.traffic.exports.csv_cells import Value, csv_text
from coordinator.traffic.movements import MOVEMENT_ORDER, Cell, MovementTable, Row, whole_sum
from coordinator.traffic.peak_hour import PeakHour
from coordinator.traffic.periods import Period
from coordinator.traffic.scenes import Site

_TITLES = MappingProxyType(
    {
        Movement.RIGHT: "Right",
        Movement.THRU: "Thru",
        Movement.LEFT: "Left",
        Movement.U_TURN: "U-Turn",
    }
)
Take = Callable[[Cell], int | None]


def tmc_csv(site: Site, period: Period, table: MovementTable) -> str:
    """The whole sheet; times are local, with their offset from UTC, so that DST days add up."""
    peak = table.peak_hour
    rows: list[Sequence[Value]] = [
        ["Turning movement count"],
        ["Site", site.name, site.slug],
        ["Time zone", site.timezone],
        ["From (UTC)", period.start],
        ["To (UTC)", period.end],
        ["Coverage, least of any quarter hour", _least_coverage(table)],
        [],
    ]
    rows += _section("All vehicles", table, site.zone, peak, lambda cell: cell.vehicles)
    for road_user in ROAD_USERS:
        rows += [[], *_section(_name(road_user), table, site.zone, peak, _taker(road_user))]
    return csv_text(rows)


def _section(
    title: str, table: MovementTable, zone: ZoneInfo, peak: PeakHour | None, take: Take
) -> Iterable[Sequence[Value]]:
    yield [title]
    yield ["", "", *(text for _, leg in table.legs for text in (leg, *[""] * 4))]
    yield [
        "Start",
        "Coverage",
        *(text for _ in table.legs for text in (*_TITLES.values(), "Total")),
        "Int. total",
    ]
    for row in table.rows:
        yield [
            _local(row.start, zone),
            round(row.watched.coverage, 3),
            *_numbers(table, [row], take),
        ]
    yield ["Total", "", *_numbers(table, table.rows, take)]
    if peak is None:
        yield ["Peak hour", "none: no hour was watched throughout"]
        return
    hour = [row for row in table.rows if peak.start <= row.start < peak.start + timedelta(hours=1)]
    yield [f"Peak hour {_local(peak.start, zone)}", "", *_numbers(table, hour, take)]
    quarters = [_numbers(table, [row], take) for row in hour]
    yield ["Peak hour factor", "", *(_factor(column) for column in zip(*quarters, strict=True))]


def _numbers(table: MovementTable, rows: Sequence[Row], take: Take) -> list[int | None]:
    numbers: list[int | None] = []
    of_legs: list[int | None] = []
    for leg in table.legs:
        places = {
            column.movement: n
            for n, column in enumerate(table.columns)
            if (column.camera, column.leg) == leg
        }
        movements = [
            whole_sum(take(row.cells[places[movement]]) for row in rows)
            if movement in places
            else None
            for movement in MOVEMENT_ORDER
        ]
        total = whole_sum(
            movements[n] for n, movement in enumerate(MOVEMENT_ORDER) if movement in places
        )
        numbers += [*movements, total]
        of_legs.append(total)
    return [*numbers, whole_sum(of_legs)]


def _factor(quarters: Sequence[int | None]) -> float | None:
    volume, busiest = whole_sum(quarters), max((q or 0 for q in quarters), default=0)
    return None if volume is None or not busiest else round(volume / (4 * busiest), 3)


def _least_coverage(table: MovementTable) -> float | None:
    least = min((row.watched.coverage for row in table.rows), default=None)
    return None if least is None else round(least, 3)


def _local(start: datetime, zone: ZoneInfo) -> str:
    return start.astimezone(zone).isoformat(timespec="minutes")


def _name(road_user: RoadUser) -> str:
    return road_user.value.capitalize()


def _taker(road_user: RoadUser) -> Take:
    return lambda cell: None if cell.counts is None else cell.counts[road_user]
