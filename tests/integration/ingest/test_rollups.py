"""Roll-ups against a plain sum in Python: any order, repeats, late parts, merged widths."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import select

from common.geometry import Direction
from common.messages import (
    AreaFigures,
    BinReport,
    CameraBin,
    FlowCounts,
    SectionCounts,
    aligned,
)
from common.road_users import ROAD_USERS
from common.wire import Kind
from coordinator.database import Database
from coordinator.ingest.simulated_boxes import SimulatedBox
from coordinator.ingest.taking import ReportTaker
from coordinator.ingest.verdicts import Accepted, StreamPlace
from coordinator.traffic.rollup_tables import (
    AreaRollupRow,
    CameraRollupRow,
    CountRollupRow,
    KindRollupRow,
    RollupDueRow,
    SpeedRollupRow,
)
from coordinator.traffic.rollups import sum_due, sum_everything_due
from coordinator.traffic.tables import CameraRow, SeriesRow
from tests.fakes.boxes import box, enrol
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

NOW = datetime(2026, 4, 10, tzinfo=UTC)
VIENNA = ZoneInfo("Europe/Vienna")
# The night on which clocks go forward: this local day has 23 hours.
SATURDAY_NIGHT = datetime(2026, 3, 28, 21, tzinfo=UTC)


@pytest.mark.parametrize("seed", range(6))
def test_rollups_equal_a_plain_sum(database: Database, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311
    north = box()
    enrol(database, north, timezone="Europe/Vienna")
    taker = ReportTaker(database, clock=StandingClock(NOW))
    bins = list(random_bins(chance))
    reports = [accepted(north, BinReport(bins=(b,)), n) for n, b in enumerate(bins, start=1)]
    arriving = reports + chance.sample(reports, len(reports) // 3)
    chance.shuffle(arriving)

    while arriving:
        size = chance.randint(1, 40)
        taker.take_in(arriving[:size])
        del arriving[:size]
        if chance.random() < 0.5:
            sum_due(database, most=chance.choice([1, 7, 100]))
    sum_everything_due(database)

    assert_camera_sums(database, bins)
    assert_count_sums(database, bins)
    assert_kind_sums(database, bins)
    assert_speed_sums(database, bins)
    assert_area_sums(database, bins)


def test_a_bucket_in_which_nothing_was_watched_has_no_numbers_and_not_zero(
    database: Database,
) -> None:
    north = box()
    enrol(database, north)
    blind = north.minute(
        SATURDAY_NIGHT,
        coverage_s=0.0,
        quality="no_data",
        sections=(SectionCounts(section="a", direction=Direction.LEFT, counts=None),),
    )
    empty = north.minute(
        SATURDAY_NIGHT + timedelta(minutes=5),
        sections=(SectionCounts(section="a", direction=Direction.LEFT, counts=(0,) * 6),),
    )
    ReportTaker(database, clock=StandingClock(NOW)).take_in(
        [accepted(north, BinReport(bins=(blind, empty)), 1)]
    )

    sum_everything_due(database)

    with database.session() as session:
        narrow = session.exec(
            select(CountRollupRow)
            .where(CountRollupRow.width_s == 300)
            .order_by(CountRollupRow.start)  # type: ignore[arg-type]
        ).all()
    assert [(row.car, row.watched_bins, row.bins) for row in narrow] == [(None, 0, 1), (0, 1, 1)]


def test_a_local_day_has_23_hours_when_clocks_go_forward(database: Database) -> None:
    north = box()
    enrol(database, north, timezone="Europe/Vienna")
    sunday = datetime(2026, 3, 28, 23, tzinfo=UTC)
    bins = [
        north.minute(sunday + timedelta(hours=n), width_s=3600, coverage_s=3600.0)
        for n in range(-1, 24)
    ]
    ReportTaker(database, clock=StandingClock(NOW)).take_in(
        [accepted(north, BinReport(bins=tuple(bins)), 1)]
    )

    sum_everything_due(database)

    with database.session() as session:
        days = session.exec(select(CameraRollupRow).where(CameraRollupRow.width_s == 86400)).all()
    assert {day.start: day.bins for day in days} == {
        datetime(2026, 3, 27, 23, tzinfo=UTC): 1,
        sunday: 23,
        datetime(2026, 3, 29, 22, tzinfo=UTC): 1,
    }


def test_notes_stay_until_their_sums_are_committed(database: Database) -> None:
    north = box()
    enrol(database, north)
    ReportTaker(database, clock=StandingClock(NOW)).take_in(
        [accepted(north, BinReport(bins=(north.minute(SATURDAY_NIGHT),)), 1)]
    )

    assert sum_due(database) == 1
    assert sum_due(database) == 0

    with database.session() as session:
        assert session.exec(select(RollupDueRow)).all() == []


def random_bins(chance: random.Random) -> Iterator[CameraBin]:
    """About 30 hours with holes, parts and merged bins; keys are unique."""
    at = SATURDAY_NIGHT
    while at < SATURDAY_NIGHT + timedelta(hours=30):
        width_s = chance.choice([60, 60, 60, 60, 300, 900, 3600])
        if at.timestamp() % width_s == 0 and chance.random() < 0.3:
            for part in range(chance.choice([1, 1, 1, 2, 3])):
                yield random_bin(chance, at, width_s, part)
            at += timedelta(seconds=width_s)
        else:
            at += timedelta(minutes=chance.choice([1, 2, 5]))


def random_bin(chance: random.Random, start: datetime, width_s: int, part: int) -> CameraBin:
    quality = chance.choice(["good", "degraded", "partial", "no_data"])
    watched = quality != "no_data"
    sections = []
    for name, direction in (("a", Direction.LEFT), ("a", Direction.RIGHT), ("b", Direction.LEFT)):
        withheld = watched and chance.random() < 0.1
        shown = watched and not withheld
        speeds = tuple((low, chance.randint(1, 9)) for low in (30, 35, 50) if chance.random() < 0.5)
        sections.append(
            SectionCounts(
                section=name,
                direction=direction,
                counts=tuple(chance.randint(0, 9) for _ in ROAD_USERS) if shown else None,
                withheld=withheld,
                inferred=chance.randint(0, 2),
                speeds=speeds if shown else (),
                speed_sum_kmh=chance.randint(0, 500) / 4,
                headways=chance.randint(0, 5),
                headway_sum_s=chance.randint(0, 99) / 2,
                headway_least_s=chance.choice([None, 0.5, 1.5, 2.25]),
            )
        )
    area = AreaFigures(
        section="box",
        occupied_share=chance.choice([None, 0.0, 0.25, 0.5]),
        queue_most=chance.choice([None, 0, 4, 7]),
        walks=chance.choice([None, 0, 3]),
        withheld=chance.random() < 0.2,
    )
    return CameraBin(
        camera="cam-1", start=start, part=part, width_s=width_s,
        coverage_s=float(width_s if watched else 0), frames_seen=chance.randint(0, 900),
        frames_dropped=chance.randint(0, 9), quality=quality, sections=tuple(sections),
        flows=tuple(random_flow(chance, name, watched) for name in ("in", "out")), areas=(area,),
    )  # fmt: skip


def random_flow(chance: random.Random, name: str, watched: bool) -> FlowCounts:
    withheld = watched and chance.random() < 0.1
    counts = tuple(chance.randint(0, 9) for _ in ROAD_USERS) if watched and not withheld else None
    return FlowCounts(flow=name, counts=counts, withheld=withheld)


def accepted(each: SimulatedBox, report: BinReport, sequence: int) -> Accepted:
    return Accepted(
        identity=each.identity, place=StreamPlace(each.device, 1, sequence), kind=Kind.BINS,
        created_at=NOW, digest=sequence.to_bytes(32, "big"), message=report, topic="t",
        size_bytes=1,
    )  # fmt: skip


def buckets(b: CameraBin) -> Iterator[tuple[int, datetime]]:
    """Where a bin counts: in every bucket that is as wide as itself or wider."""
    for width_s in (300, 900, 3600):
        if b.width_s <= width_s:
            yield width_s, aligned(b.start, width_s)
    local = b.start.astimezone(VIENNA).replace(hour=0, minute=0, second=0)
    yield 86400, local.astimezone(UTC)


def grouped(bins: Sequence[CameraBin], rows: Any) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = defaultdict(list)
    for b in bins:
        for width_s, start in buckets(b):
            for key, row in rows(b):
                groups[(*key, width_s, start)].append(row)
    return groups


def add(values: Sequence[Any]) -> Any:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def series_names(database: Database) -> dict[int | None, tuple[str, str]]:
    with database.session() as session:
        return {s.id: (s.name, s.direction) for s in session.exec(select(SeriesRow))}


def assert_camera_sums(database: Database, bins: Sequence[CameraBin]) -> None:
    expected = {
        key: (
            len(group),
            sum(b.coverage_s for b in group),
            sum(b.frames_seen for b in group),
            sum(b.coverage_s for b in group if b.quality == "good"),
            sum(b.quality == "degraded" for b in group),
        )
        for key, group in grouped(bins, lambda b: [((), b)]).items()
    }
    with database.session() as session:
        assert session.exec(select(CameraRow.slug)).one() == "cam-1"
        found = {
            (r.width_s, r.start): (
                r.bins, r.coverage_s, r.frames_seen, r.good_s, r.degraded_bins,
            )
            for r in session.exec(select(CameraRollupRow))
        }  # fmt: skip
    assert found == expected


def assert_count_sums(database: Database, bins: Sequence[CameraBin]) -> None:
    def rows(b: CameraBin) -> Iterator[tuple[tuple[str, str], SectionCounts]]:
        for section in b.sections:
            yield (section.section, section.direction.value), section

    expected = {
        key: (
            *(add([s.counts and s.counts[i] for s in group]) for i in range(len(ROAD_USERS))),
            len(group),
            sum(s.counts is not None for s in group),
            sum(s.withheld for s in group),
            sum(n for s in group for _, n in s.speeds),
            sum(s.speed_sum_kmh for s in group),
            sum(s.headways for s in group),
            min((s.headway_least_s for s in group if s.headway_least_s is not None), default=None),
        )
        for key, group in grouped(bins, rows).items()
    }
    names = series_names(database)
    flows = {(flow.flow, "") for b in bins for flow in b.flows}
    with database.session() as session:
        found = {
            (*names[r.series_id], r.width_s, r.start): (
                r.person, r.bicycle, r.car, r.motorcycle, r.bus, r.truck, r.bins,
                r.watched_bins, r.withheld_bins, r.speeds, r.speed_sum_kmh, r.headways,
                r.headway_least_s,
            )
            for r in session.exec(select(CountRollupRow))
            if names[r.series_id] not in flows
        }  # fmt: skip
    assert found == expected


def assert_kind_sums(database: Database, bins: Sequence[CameraBin]) -> None:
    def rows(b: CameraBin) -> Iterator[tuple[tuple[str], SectionCounts | FlowCounts]]:
        yield from ((("line",), section) for section in b.sections)
        yield from ((("flow",), flow) for flow in b.flows)

    expected = {
        key: (
            *(add([told.counts and told.counts[i] for told in group]) for i in range(6)),
            len(group),
            sum(told.withheld for told in group),
        )
        for key, group in grouped(bins, rows).items()
    }
    with database.session() as session:
        found = {
            (r.kind, r.width_s, r.start): (
                r.person, r.bicycle, r.car, r.motorcycle, r.bus, r.truck, r.bins,
                r.withheld_bins,
            )
            for r in session.exec(select(KindRollupRow))
        }  # fmt: skip
    assert found == expected


def assert_speed_sums(database: Database, bins: Sequence[CameraBin]) -> None:
    def rows(b: CameraBin) -> Iterator[tuple[tuple[str, str, int], int]]:
        for section in b.sections:
            for low, vehicles in section.speeds:
                yield (section.section, section.direction.value, low), vehicles

    expected = {key: sum(group) for key, group in grouped(bins, rows).items()}
    names = series_names(database)
    with database.session() as session:
        found = {
            (*names[r.series_id], r.low_kmh, r.width_s, r.start): r.vehicles
            for r in session.exec(select(SpeedRollupRow))
        }
    assert found == expected


def assert_area_sums(database: Database, bins: Sequence[CameraBin]) -> None:
    def mean(group: Sequence[tuple[int, AreaFigures]]) -> float | None:
        known = [(w, a.occupied_share) for w, a in group if a.occupied_share is not None]
        return sum(w * share for w, share in known) / sum(w for w, _ in known) if known else None

    def rows(b: CameraBin) -> Iterator[tuple[tuple[()], tuple[int, AreaFigures]]]:
        for area in b.areas:
            yield (), (b.width_s, area)

    with database.session() as session:
        found = {(r.width_s, r.start): r for r in session.exec(select(AreaRollupRow))}
    groups = grouped(bins, rows)
    assert found.keys() == groups.keys()
    for key, group in groups.items():
        share = mean(group)
        assert found[key].occupied_share == (None if share is None else pytest.approx(share))
        assert found[key].walks == add([a.walks for _, a in group])
        assert found[key].queue_most == max(
            (a.queue_most for _, a in group if a.queue_most is not None), default=None
        )
        assert found[key].bins == len(group)
        assert found[key].withheld_bins == sum(a.withheld for _, a in group)
