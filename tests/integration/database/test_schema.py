"""Migrations on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import inspect, text
from sqlmodel import select

from common.errors import ConflictError
from coordinator.database import Database
from coordinator.fleet.tables import SiteRow, TenantRow
from coordinator.partitions_store import make_room_for, partitions
from coordinator.schema import differences, migrate, migrate_down, require_current, schema_version
from coordinator.traffic.rollup_tables import CountRollupRow, KindRollupRow
from coordinator.traffic.tables import CameraBinRow, CameraRow, SeriesRow

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def test_an_empty_database_gets_exactly_the_tables_of_the_models(empty_database: Database) -> None:
    version = migrate(empty_database)

    assert version.is_current
    assert differences(empty_database) == []


def test_migrating_twice_changes_nothing(database: Database) -> None:
    before = schema_version(database)

    assert migrate(database) == before


def test_a_bin_survives_a_step_up_and_a_step_down_removes_it(empty_database: Database) -> None:
    migrate(empty_database, to="0001")
    with empty_database.session() as session:
        session.add(TenantRow(id="t", name="Town", created_at=NOON))
        session.flush()
        session.add(SiteRow(id=1, tenant_id="t", slug="elm", name="Elm", created_at=NOON))
    migrate(empty_database)
    make_room_for(empty_database, first=NOON, last=NOON)
    with empty_database.session() as session:
        session.add(CameraRow(id=7, tenant_id="t", site_id=1, slug="north", created_at=NOON))
        session.add(_bin(7))

    with empty_database.session() as session:
        assert session.exec(select(CameraBinRow)).one().start == NOON
    migrate_down(empty_database, to="0001")

    tables = inspect(empty_database.engine).get_table_names()
    assert "site" in tables
    assert not [name for name in tables if name.startswith("camera")]
    with empty_database.session() as session:
        assert session.exec(select(SiteRow.slug)).one() == "elm"


def test_sums_of_kinds_are_made_from_the_sums_that_are_there(empty_database: Database) -> None:
    migrate(empty_database, to="0005")
    with empty_database.session() as session:
        session.add(TenantRow(id="t", name="Town", created_at=NOON))
        session.flush()
        session.add(SiteRow(id=1, tenant_id="t", slug="elm", name="Elm", created_at=NOON))
        session.flush()
        session.add(CameraRow(id=7, tenant_id="t", site_id=1, slug="north", created_at=NOON))
        session.flush()
        for number, kind, cars in (
            (1, "flow", 3),
            (2, "flow", 4),
            (3, "flow", None),
            (4, "line", 9),
        ):
            session.add(
                SeriesRow(id=number, tenant_id="t", camera_id=7, kind=kind, name=f"n{number}")
            )
            session.add(
                CountRollupRow(
                    series_id=number, width_s=900, start=NOON, tenant_id="t", car=cars, bins=15,
                    watched_bins=15, withheld_bins=1,
                )
            )  # fmt: skip

    migrate(empty_database)

    with empty_database.session() as session:
        found = {row.kind: row for row in session.exec(select(KindRollupRow))}
    assert {kind: (row.car, row.person, row.bins) for kind, row in found.items()} == {
        "flow": (7, None, 45), "line": (9, None, 15),
    }  # fmt: skip
    assert (found["flow"].camera_id, found["flow"].start, found["flow"].withheld_bins) == (
        7, NOON, 3,
    )  # fmt: skip
    migrate_down(empty_database, to="0005")
    assert "traffic_kind_rollup" not in inspect(empty_database.engine).get_table_names()


def test_going_down_to_the_base_leaves_no_table(database: Database) -> None:
    make_room_for(database, first=NOON, last=NOON)

    migrate_down(database, to="base")

    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    assert schema_version(database).current is None


def test_a_program_refuses_a_database_that_is_behind(empty_database: Database) -> None:
    migrate(empty_database, to="0001")

    with pytest.raises(ConflictError, match=r"version 0001, expected 0015"):
        require_current(empty_database)


def test_a_database_of_a_newer_program_is_left_alone(database: Database) -> None:
    with database.session() as session:
        session.connection().execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(ConflictError, match="9999, which this program does not know"):
        migrate(database)


def test_a_failed_step_leaves_nothing_behind(empty_database: Database) -> None:
    with empty_database.session() as session:
        session.connection().execute(text("CREATE TABLE site (id INTEGER)"))

    with pytest.raises(Exception, match="already exists"):
        migrate(empty_database)

    assert inspect(empty_database.engine).get_table_names() == ["site"]


def test_partitions_are_made_once_and_cover_the_interval(postgres_url: str) -> None:
    database = Database(postgres_url)
    migrate(database)
    first, last = datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)

    assert make_room_for(database, first=first, last=last) == 12
    assert make_room_for(database, first=first, last=last) == 0

    with database.session() as session:
        assert partitions(session.connection())["traffic_count"] == [
            "traffic_count_p202512",
            "traffic_count_p202601",
            "traffic_count_p202602",
        ]
    database.close()


def _bin(camera_id: int) -> CameraBinRow:
    return CameraBinRow(
        camera_id=camera_id, start=NOON, part=0, width_s=60, tenant_id="t", device_id="box",
        clock="trusted", mode="statistics", coverage_s=60.0, frames_seen=900, frames_dropped=0,
        quality="good",
    )  # fmt: skip
