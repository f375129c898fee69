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
from coordinator.traffic.movements import MOVEMENT_ORDER, FilledColumn, MovementTable, whole_sum
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
Take = Callable[[FilledColumn], Sequence[int | None]]


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
    rows += _section("All vehicles", table, site.zone, peak, lambda one: one.vehicles)
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
    legs = [_leg(table, leg, take) for leg in table.legs]
    numbers = [_row(legs, [place]) for place in range(len(table.starts))]
    for start, watched, of_quarter in zip(table.starts, table.watched, numbers, strict=True):
        yield [_local(start, zone), round(watched.coverage, 3), *of_quarter]
    yield ["Total", "", *_row(legs, range(len(table.starts)))]
    if peak is None:
        yield ["Peak hour", "none: no hour was watched throughout"]
        return
    end = peak.start + timedelta(hours=1)
    hour = [place for place, start in enumerate(table.starts) if peak.start <= start < end]
    yield [f"Peak hour {_local(peak.start, zone)}", "", *_row(legs, hour)]
    quarters = zip(*(numbers[place] for place in hour), strict=True)
    yield ["Peak hour factor", "", *(_factor(column) for column in quarters)]


_Leg = Sequence[Sequence[int | None] | None]
"""Numbers of each movement in the order of the sheet; None where it is not drawn."""


def _leg(table: MovementTable, leg: tuple[str, str], take: Take) -> _Leg:
    found = {one.column.movement: take(one) for one in table.of_leg(leg)}
    return [found.get(movement) for movement in MOVEMENT_ORDER]


def _row(legs: Sequence[_Leg], places: Iterable[int]) -> list[int | None]:
    """One line of the sheet: some quarter hours of every movement, leg and the junction."""
    wanted = list(places)
    numbers: list[int | None] = []
    of_legs: list[int | None] = []
    for leg in legs:
        movements = [
            None if one is None else whole_sum(one[place] for place in wanted) for one in leg
        ]
        total = whole_sum(
            number for number, one in zip(movements, leg, strict=True) if one is not None
        )
        numbers += [*movements, total]
        of_legs.append(total)
    return [*numbers, whole_sum(of_legs)]


def _factor(quarters: Sequence[int | None]) -> float | None:
    volume, busiest = whole_sum(quarters), max((q or 0 for q in quarters), default=0)
    return None if volume is None or not busiest else round(volume / (4 * busiest), 3)


def _least_coverage(table: MovementTable) -> float | None:
    least = min((watched.coverage for watched in table.watched), default=None)
    return None if least is None else round(least, 3)


def _local(start: datetime, zone: ZoneInfo) -> str:
    return start.astimezone(zone).isoformat(timespec="minutes")


def _name(road_user: RoadUser) -> str:
    return road_user.value.capitalize()


def _taker(road_user: RoadUser) -> Take:
    return lambda one: one.counts.of(road_user)
