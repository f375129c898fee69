"""Accepted reports in, rows and outcomes out, on both databases."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from common.errors import UnreachableError
from common.geometry import Direction
from common.messages import (
    AreaFigures,
    BinReport,
    CameraLayout,
    FlowCounts,
    HealthReport,
    IncidentNote,
    IncidentReport,
    LossReport,
    LostBins,
    SectionCounts,
    SiteReport,
)
from common.wire import ClockState
from coordinator.database import Database
from coordinator.fleet.tables import DeviceRow, HealthRow, TwinRow
from coordinator.ingest.taking import ReportTaker
from coordinator.ingest.verdicts import Fate
from coordinator.partitions_store import forget_before
from coordinator.reports.tables import QuarantineCountRow, ReportRow
from coordinator.schema import migrate
from coordinator.traffic.rollup_tables import RollupDueRow
from coordinator.traffic.tables import (
    AreaRow,
    CameraBinRow,
    CameraRow,
    CountRow,
    IncidentRow,
    LayoutRow,
    LossRow,
    SeriesRow,
    SpeedRow,
)
from tests.fakes.boxes import NOW, accepted, box, enrol, intake_for
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def taker(database: Database) -> ReportTaker:
    return ReportTaker(database, clock=StandingClock(NOW))


def count(session: Session, table: str) -> int:
    query = text(f"SELECT count(*) FROM {table}")  # noqa: S608
    return int(session.connection().execute(query).scalar_one())


def test_every_number_of_a_bin_lands_in_its_column(database: Database) -> None:
    north = box()
    enrol(database, north)
    told = north.minute(
        NOON,
        coverage_s=58.5,
        clock=ClockState.UNSURE,
        flags=("too_dark",),
        gaps=((1.0, 2.5),),
        incidents={"wrong_way": 2},
        noise_epsilon=0.5,
        sections=(
            SectionCounts(
                section="Elm (N)/1".replace("(", "").replace(")", ""),
                direction=Direction.LEFT,
                counts=(1, 2, 3, 4, 5, 6),
                inferred=7,
                speeds=((30, 8), (35, 1)),
                speed_sum_kmh=290.5,
                headways=3,
                headway_sum_s=9.25,
                headway_least_s=1.5,
                time_gaps=2,
                time_gap_sum_s=4.5,
            ),
        ),
        flows=(FlowCounts(flow="N-S", counts=None, withheld=True),),
        areas=(AreaFigures(section="box", occupied_share=0.25, queue_most=3, walks=None),),
    )
    intake = intake_for(north)
    batch = accepted(intake, [north.seal(BinReport(bins=(told,)), sequence=1, created_at=NOW)])

    (outcome,) = taker(database).take_in(batch)

    assert outcome.fate is Fate.STORED
    with database.session() as session:
        camera = session.exec(select(CameraRow)).one()
        assert (camera.slug, camera.site_id, camera.tenant_id) == ("cam-1", 1, "town")
        row = session.exec(select(CameraBinRow)).one()
        assert row.start == NOON
        assert (row.coverage_s, row.clock, row.flags, row.gaps) == (
            58.5, "unsure", ["too_dark"], [[1.0, 2.5]],
        )  # fmt: skip
        assert (row.incidents, row.conflicts, row.noise_epsilon) == ({"wrong_way": 2}, None, 0.5)
        series = {s.kind: s for s in session.exec(select(SeriesRow))}
        assert (series["line"].name, series["line"].direction) == ("Elm N/1", "left")
        counts = {c.series_id: c for c in session.exec(select(CountRow))}
        line, flow = counts[series["line"].id or 0], counts[series["flow"].id or 0]
        assert (line.person, line.bicycle, line.car, line.motorcycle, line.bus, line.truck) == (
            1, 2, 3, 4, 5, 6,
        )  # fmt: skip
        assert (line.inferred, line.speeds, line.speed_sum_kmh, line.headway_least_s) == (
            7, 9, 290.5, 1.5,
        )  # fmt: skip
        assert (flow.car, flow.withheld) == (None, True)
        assert {(s.low_kmh, s.vehicles) for s in session.exec(select(SpeedRow))} == {
            (30, 8), (35, 1),
        }  # fmt: skip
        area = session.exec(select(AreaRow)).one()
        assert (area.occupied_share, area.queue_most, area.walks) == (0.25, 3, None)
        report = session.exec(select(ReportRow)).one()
        assert (report.kind, report.tenant_id, report.digest) == ("bins", "town", batch[0].digest)


def test_a_report_that_arrives_again_is_acknowledged_and_stored_once(database: Database) -> None:
    north = box()
    enrol(database, north)
    report = north.minutes(NOON, 1)[0]
    intake, reports = intake_for(north), taker(database)
    # Sealed twice: other bytes, the same content.
    first, again = (north.seal(report, sequence=1, created_at=NOW) for _ in range(2))
    assert first.data != again.data

    together = reports.take_in(accepted(intake, [first, again]))
    later = reports.take_in(accepted(intake, [again]))

    assert [o.fate for o in together + later] == [Fate.STORED, Fate.DUPLICATE, Fate.DUPLICATE]
    with database.session() as session:
        assert count(session, "report") == 1
        assert count(session, "traffic_count") == 6


def test_another_report_at_a_taken_place_is_refused_and_quarantined(database: Database) -> None:
    north = box()
    enrol(database, north)
    one, other = north.minutes(NOON, 2)
    intake, reports = intake_for(north), taker(database)
    messages = [north.seal(r, sequence=1, created_at=NOW) for r in (one, other)]

    outcomes = reports.take_in(accepted(intake, messages))
    outcomes += reports.take_in(accepted(intake, messages[1:]))

    assert [(o.fate, o.reason) for o in outcomes] == [
        (Fate.STORED, ""), (Fate.REFUSED, "sequence_reused"), (Fate.REFUSED, "sequence_reused"),
    ]  # fmt: skip
    with database.session() as session:
        assert count(session, "camera_bin") == 1
        counter = session.exec(select(QuarantineCountRow)).one()
        assert (counter.reason, counter.device_id, counter.messages) == (
            "sequence_reused", north.device, 2,
        )  # fmt: skip


def test_the_first_report_of_a_bin_wins_and_new_bins_beside_it_are_stored(
    database: Database,
) -> None:
    north = box()
    enrol(database, north)
    bins = [north.minute(NOON + timedelta(minutes=n)) for n in range(3)]
    intake, reports = intake_for(north), taker(database)
    told = [BinReport(bins=(bins[0],)), BinReport(bins=(bins[0],)), BinReport(bins=tuple(bins))]
    messages = [north.seal(r, sequence=n, created_at=NOW) for n, r in enumerate(told, start=1)]

    outcomes = reports.take_in(accepted(intake, messages))

    assert [(o.fate, o.reason) for o in outcomes] == [
        (Fate.STORED, ""), (Fate.REFUSED, "bin_taken"), (Fate.STORED, ""),
    ]  # fmt: skip
    with database.session() as session:
        assert count(session, "camera_bin") == 3
        assert count(session, "traffic_count") == 18
        assert session.exec(select(QuarantineCountRow)).one().messages == 2


def test_a_replaced_box_goes_on_with_the_history_of_its_camera(database: Database) -> None:
    old, new, elsewhere = box(1), box(2), box(3, site_id=2)
    enrol(database, old, new, elsewhere)
    intake, reports = intake_for(old, new, elsewhere), taker(database)
    messages = [
        each.seal(each.minutes(NOON + timedelta(minutes=n), 1)[0], sequence=1, created_at=NOW)
        for n, each in enumerate((old, new, elsewhere))
    ]

    reports.take_in(accepted(intake, messages))

    with database.session() as session:
        rows = session.exec(select(CameraBinRow)).all()
        cameras = {row.device_id: row.camera_id for row in rows}
    assert cameras[old.device] == cameras[new.device] != cameras[elsewhere.device]


def test_the_owner_comes_from_the_fleet_and_two_tenants_do_not_mix(database: Database) -> None:
    ours, theirs = box(1, tenant="town"), box(2, tenant="village", site_id=2)
    enrol(database, ours, theirs)
    intake = intake_for(ours, theirs)
    messages = [
        each.seal(each.minutes(NOON, 1)[0], sequence=1, created_at=NOW) for each in (ours, theirs)
    ]

    taker(database).take_in(accepted(intake, messages))

    with database.session() as session:
        for table in ("report", "camera", "series", "camera_bin", "traffic_count"):
            query = text(f"SELECT DISTINCT tenant_id FROM {table}")  # noqa: S608
            owners = session.connection().execute(query)
            assert {owner for (owner,) in owners} == {"town", "village"}, table


def test_the_other_kinds_are_stored_once(database: Database) -> None:
    north = box()
    enrol(database, north)
    with database.session() as session:
        session.add(TwinRow(device_id=north.device, tenant_id="town", desired_version=4))
    layout = CameraLayout(camera="cam-1", frame_size=(1280, 720), is_calibrated=True)
    health = HealthReport(
        at=NOW, software="1.0", model="m", clock=ClockState.TRUSTED, uptime_s=5.0,
        outbox_reports=0, outbox_bytes=0.0, disk_free_bytes=1, twin_version=4,
        twin_state="applied",
    )  # fmt: skip
    older = health.model_copy(update={"at": NOW - timedelta(hours=1), "twin_version": 3})
    told = [
        SiteReport(site="elm", valid_from=NOON, cameras=(layout,)),
        health,
        older,
        LossReport(at=NOW, losses=(LostBins(camera="cam-1", reason="too_old", bins=3),)),
        IncidentReport(
            incidents=(
                IncidentNote(
                    camera="cam-1", section="a", incident="wrong_way", road_user="car", at=NOON
                ),
            )
        ),
    ]
    intake, reports = intake_for(north), taker(database)
    messages = [north.seal(m, sequence=n, created_at=NOW) for n, m in enumerate(told, start=1)]

    for _ in range(2):
        reports.take_in(accepted(intake, messages))

    with database.session() as session:
        assert session.exec(select(LayoutRow)).one().content == layout.model_dump(mode="json")
        assert session.exec(select(LossRow)).one().bins == 3
        assert session.exec(select(IncidentRow)).one().at == NOON
        assert session.exec(select(HealthRow)).one().at == NOW
        twin = session.exec(select(TwinRow)).one()
        assert (twin.reported_version, twin.reported_state) == (4, "applied")
        assert session.exec(select(DeviceRow)).one().last_seen_at == NOW


def test_what_has_to_be_summed_again_is_told_with_the_bins(database: Database) -> None:
    north = box()
    enrol(database, north)
    minute = north.minute(NOON + timedelta(minutes=7))
    merged = north.minute(NOON, width_s=900, coverage_s=900.0)
    report = BinReport(bins=(minute, merged))

    taker(database).take_in(
        accepted(intake_for(north), [north.seal(report, sequence=1, created_at=NOW)])
    )

    with database.session() as session:
        due = {row.start for row in session.exec(select(RollupDueRow))}
    assert due == {NOON, NOON + timedelta(minutes=5), NOON + timedelta(minutes=10)}


def test_one_report_that_the_database_refuses_does_not_spoil_the_others(
    database: Database,
) -> None:
    north = box()
    enrol(database, north)
    intake, reports = intake_for(north), taker(database)
    messages = [
        north.seal(r, sequence=n, created_at=NOW)
        for n, r in enumerate(north.minutes(NOON, 7), start=1)
    ]
    refuse_sequence(database, 5)

    outcomes = reports.take_in(accepted(intake, messages))

    assert [o.fate for o in outcomes] == [
        Fate.REFUSED if n == 5 else Fate.STORED for n in range(1, 8)
    ]
    assert outcomes[4].reason == "not_stored"
    with database.session() as session:
        assert count(session, "camera_bin") == 6
        assert session.exec(select(QuarantineCountRow)).one().reason == "not_stored"


def test_a_database_without_tables_is_away_and_refuses_no_report(database: Database) -> None:
    north = box()
    enrol(database, north)
    batch = accepted(
        intake_for(north), [north.seal(north.minutes(NOON, 1)[0], sequence=1, created_at=NOW)]
    )
    reports = taker(database)
    with database.session() as session:
        session.connection().execute(text("ALTER TABLE report RENAME TO mislaid"))

    with pytest.raises(UnreachableError):
        reports.take_in(batch)

    with database.session() as session:
        session.connection().execute(text("ALTER TABLE mislaid RENAME TO report"))
    assert reports.take_in(batch)[0].fate is Fate.STORED


def test_a_box_that_invents_series_is_stopped(database: Database) -> None:
    north = box()
    enrol(database, north)
    intake, reports = intake_for(north), taker(database)
    messages = [
        north.seal(
            BinReport(
                bins=(
                    north.minute(
                        NOON + timedelta(minutes=report),
                        sections=(),
                        flows=tuple(
                            FlowCounts(flow=f"f{report}-{n}", counts=(0,) * 6) for n in range(200)
                        ),
                    ),
                )
            ),
            sequence=report + 1,
            created_at=NOW,
        )
        for report in range(6)
    ]

    outcomes = reports.take_in(accepted(intake, messages))

    assert [o.reason for o in outcomes] == [""] * 5 + ["too_many_series"]
    with database.session() as session:
        assert count(session, "series") == 1000


def test_two_workers_with_the_same_reports_store_each_once(database: Database) -> None:
    boxes = [box(number, site_id=number) for number in range(1, 6)]
    enrol(database, *boxes)
    intake = intake_for(*boxes)
    batch = accepted(
        intake,
        [
            each.seal(report, sequence=n, created_at=NOW)
            for each in boxes
            for n, report in enumerate(each.minutes(NOON - timedelta(hours=1), 20), start=1)
        ],
    )

    def work(number: int) -> list[Fate]:
        chance = random.Random(number)  # noqa: S311
        mine = chance.sample(batch, len(batch))
        reports = taker(database)
        return [o.fate for at in range(0, 100, 10) for o in reports.take_in(mine[at : at + 10])]

    with ThreadPoolExecutor(3) as workers:
        fates = [fate for found in workers.map(work, range(3)) for fate in found]

    assert (fates.count(Fate.STORED), fates.count(Fate.DUPLICATE)) == (100, 200)
    with database.session() as session:
        assert count(session, "camera_bin") == 100
        assert count(session, "traffic_count") == 600
        assert count(session, "camera") == 5


def test_a_partition_that_retention_dropped_is_made_again(postgres_url: str) -> None:
    database = Database(postgres_url)
    migrate(database)
    north = box()
    enrol(database, north)
    reports, intake = taker(database), intake_for(north)
    messages = [
        north.seal(report, sequence=n, created_at=NOW)
        for n, report in enumerate(north.minutes(NOON, 2), start=1)
    ]
    reports.take_in(accepted(intake, messages[:1]))
    with database.session() as session:
        assert forget_before(session.connection(), datetime(2026, 4, 2, tzinfo=UTC)) == 4

    (outcome,) = reports.take_in(accepted(intake, messages[1:]))

    assert outcome.fate is Fate.STORED
    with database.session() as session:
        assert count(session, "camera_bin") == 1
    database.close()


def refuse_sequence(database: Database, sequence: int) -> None:
    """A fault of the data that no check of ours foresees."""
    with database.session() as session:
        connection = session.connection()
        if database.is_postgresql:
            connection.execute(
                text(f"ALTER TABLE report ADD CONSTRAINT c CHECK (sequence <> {sequence})")
            )
        else:
            connection.execute(
                text(
                    "CREATE TRIGGER c BEFORE INSERT ON report "
                    f"WHEN NEW.sequence = {sequence} "
                    "BEGIN SELECT RAISE(ABORT, 'refused'); END"
                )
            )
