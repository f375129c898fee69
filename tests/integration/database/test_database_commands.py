"""``its-camera-ai database``: fill, look, back up, restore, on both databases."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import col, select
from typer.testing import CliRunner

from common.cli import run
from common.errors import ConflictError
from coordinator.backup_store import back_up, restore
from coordinator.database import Database
from coordinator.database_commands import app
from coordinator.fleet.tables import SiteRow, TenantRow
from coordinator.partitions_store import make_room_for, partitions
from coordinator.reports.store import QuarantineEntry, add_to_quarantine
from coordinator.reports.tables import QuarantineRow, ReportRow
from coordinator.retention import Kept, keep_house
from coordinator.schema import schema_version
from coordinator.simulated_history import draw_history
from coordinator.traffic.rollup_tables import CountRollupRow
from coordinator.traffic.tables import CameraBinRow, CameraRow, CountRow, IncidentRow, LossRow

pytestmark = pytest.mark.integration

DAY = datetime(2026, 3, 14, tzinfo=UTC)


@pytest.fixture
def second_url(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path / 'second.db'}"
    url: str = request.getfixturevalue("postgres_server").create_database()
    return url


def command(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def seeded(url: str, *more: str) -> str:
    command("migrate", "--database", url)
    return command(
        "seed", "--database", url, "--sites", "1", "--days", "2", "--first", "2026-03-14", *more
    )


def test_a_seeded_database_holds_minutes_and_their_sums(database_url: str) -> None:
    output = seeded(database_url, "--timezone", "Europe/Vienna")

    assert "1 sites over 2 days" in output
    database = Database(database_url)
    with database.session() as session:
        minutes = session.exec(select(CountRow)).all()
        days = session.exec(select(CountRollupRow).where(CountRollupRow.width_s == 86400)).all()
        hours = session.exec(select(CountRollupRow).where(CountRollupRow.width_s == 3600)).all()
    database.close()
    told = sum(row.car or 0 for row in minutes)
    assert told == sum(row.car or 0 for row in days) == sum(row.car or 0 for row in hours) > 10_000
    # Two UTC days touch three days of Vienna, for each of 8 directions and 12 flows.
    assert len(days) == 3 * 20
    assert any(row.car is None for row in minutes)


def test_seeding_the_same_names_again_is_refused(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seeded(database_url, "--no-sums")

    with pytest.raises(SystemExit) as stopped:
        run(app, ["seed", "--database", database_url])

    assert stopped.value.code == ConflictError.exit_code
    assert "give another --prefix" in capsys.readouterr().err


def test_status_tells_versions_rows_and_partitions(database_url: str) -> None:
    seeded(database_url, "--no-sums")
    command("analyze", "--database", database_url)

    found = json.loads(command("status", "--database", database_url, "--json"))

    assert found["schema"] == found["newest_schema"]
    assert found["rows"]["traffic_count"] > 50_000
    assert found["oldest_bin"].startswith("2026-03-14 00:00:00")
    if found["kind"] == "postgresql":
        assert found["partitions"]["traffic_count"] == ["traffic_count_p202603"]
        assert found["extensions"] == {}
    assert "traffic_count" in command("status", "--database", database_url)


def test_status_of_an_empty_database_says_that_nothing_is_there(database_url: str) -> None:
    found = json.loads(command("status", "--database", database_url, "--json"))

    assert (found["schema"], found["rows"], found["oldest_bin"]) == (None, {}, None)


def test_a_backup_restores_every_row_into_an_empty_database(
    database_url: str, second_url: str, tmp_path: Path
) -> None:
    seeded(database_url)
    file = tmp_path / "backup"
    command("backup", str(file), "--database", database_url)

    command("restore", str(file), "--database", second_url)

    assert file.stat().st_mode & 0o777 == 0o600
    first, second = Database(database_url), Database(second_url)
    for table in ("site", "camera_bin", "traffic_count", "traffic_count_rollup", "camera_layout"):
        assert checksum(first, table) == checksum(second, table), table
    assert schema_version(second).is_current
    first.close()
    second.close()


def test_a_backup_overwrites_nothing_and_a_restore_fills_nothing_that_is_full(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "backup"
    back_up(database, file)

    with pytest.raises(ConflictError, match="exists, expected a new file"):
        back_up(database, file)
    with pytest.raises(ConflictError, match="expected an empty one"):
        restore(database, file)


def test_a_backup_of_the_other_kind_is_refused(empty_database: Database, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_bytes(b"PGDMP" if not empty_database.is_postgresql else b"SQLite format 3\0")

    with pytest.raises(ConflictError, match="expected one of"):
        restore(empty_database, file)


def test_retention_drops_old_minutes_and_makes_room_ahead(database: Database) -> None:
    seed_months(database)
    now = datetime(2026, 3, 15, tzinfo=UTC)
    kept = Kept(minutes_days=20, quarantine_days=30)

    did = keep_house(database, kept, now=now)

    with database.session() as session:
        starts = session.exec(select(CameraBinRow.start).order_by(col(CameraBinRow.start))).all()
        found = partitions(session.connection())
    # 20 days and a margin of 2 before 15 March is 21 February.
    assert DAY - timedelta(days=90) not in starts
    assert DAY in starts
    if database.is_postgresql:
        assert found["traffic_count"] == [f"traffic_count_p20260{month}" for month in (2, 3, 4)]
        assert (did.made, did.dropped) == (4, 8)
    else:
        assert (found, did.made, did.dropped) == ({}, 0, 2)
    assert keep_house(database, kept, now=now).dropped == 0


def test_retention_forgets_the_quarantine_and_the_oldest_of_the_ledger(
    database: Database,
) -> None:
    entry = QuarantineEntry(reason="schema", topic="t", device=None, size_bytes=1, digest="0" * 64)
    with database.session() as session:
        for age in (1, 40):
            add_to_quarantine(session.connection(), [entry], at=DAY - timedelta(days=age))
        for sequence, age in ((1, 399), (2, 403)):
            session.add(
                ReportRow(
                    device_id="box", epoch=1, sequence=sequence, tenant_id="t", kind="bins",
                    digest=b"", created_at=DAY - timedelta(days=age), received_at=DAY,
                )
            )  # fmt: skip

    keep_house(database, Kept(minutes_days=400, quarantine_days=30), now=DAY)

    with database.session() as session:
        assert session.exec(select(ReportRow.sequence)).all() == [1]
        assert session.exec(select(QuarantineRow.at)).all() == [DAY - timedelta(days=1)]


def test_the_same_seed_draws_the_same_history() -> None:
    first, again, other = (draw_history(seed).day(3, DAY) for seed in (1, 1, 2))

    assert (first.counts == again.counts).all()
    assert (first.counts != other.counts).any()


def seed_months(database: Database) -> None:
    """One minute in December, in January, and two in this March."""
    days = [DAY - timedelta(days=90), DAY - timedelta(days=60), DAY - timedelta(days=20), DAY]
    for day in days:
        make_room_for(database, first=day, last=day)
    with database.session() as session:
        session.add_all(
            CameraBinRow(
                camera_id=1, start=day, part=0, width_s=60, tenant_id="t", device_id="box",
                clock="trusted", mode="statistics", coverage_s=60.0, frames_seen=9,
                frames_dropped=0, quality="good",
            )
            for day in days
        )  # fmt: skip


def checksum(database: Database, table: str) -> list[tuple[object, ...]]:
    with database.session() as session:
        rows = session.connection().execute(text(f"SELECT * FROM {table}"))  # noqa: S608
        return sorted((tuple(map(str, row)) for row in rows), key=repr)


def test_retention_forgets_old_incidents_and_told_losses(database: Database) -> None:
    with database.session() as session:
        session.add(TenantRow(id="t", name="T", created_at=DAY))
        session.flush()
        site = SiteRow(tenant_id="t", slug="s", name="S", created_at=DAY)
        session.add(site)
        session.flush()
        camera = CameraRow(tenant_id="t", site_id=site.id or 0, slug="c", created_at=DAY)
        session.add(camera)
        session.flush()
        for age in (1, 50):
            at = DAY - timedelta(days=age)
            session.add(
                IncidentRow(
                    tenant_id="t", camera_id=camera.id or 0, section="s", incident="wrong_way",
                    road_user="car", at=at,
                )
            )  # fmt: skip
            session.add(LossRow(tenant_id="t", device_id="box", reason="too_old", told_at=at))

    keep_house(database, Kept(minutes_days=40, quarantine_days=30), now=DAY)

    with database.session() as session:
        incidents = session.exec(select(IncidentRow.at)).all()
        losses = session.exec(select(LossRow.told_at)).all()
    assert list(incidents) == list(losses) == [DAY - timedelta(days=1)]


def test_migrating_makes_the_data_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    config = tmp_path / "coordinator.yaml"
    config.write_text("data_folder: not/yet\n", encoding="utf-8")

    done = CliRunner().invoke(app, ["migrate", "--config", str(config)])

    assert done.exit_code == 0
    assert (tmp_path / "not" / "yet" / "coordinator.sqlite").is_file()
