"""The quarantine stays small whatever strangers send, and the API shows it."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from coordinator.database import Database
from coordinator.fleet.tables import DeviceKeyRow, DeviceRow
from coordinator.ingest.intake import Intake
from coordinator.ingest.keys_store import FleetKeys
from coordinator.ingest.taking import ReportTaker
from coordinator.ingest.verdicts import Accepted, Received, Rejected
from coordinator.reports.store import (
    MOST_DETAILS_PER_REASON,
    NOBODY,
    QuarantineStore,
)
from tests.fakes.boxes import MANAGER, NOW, box, enrol, intake_for
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


def judged(intake: Intake, messages: list[Received]) -> list[Rejected]:
    verdicts = [intake.examine(message) for message in messages]
    assert not [verdict for verdict in verdicts if isinstance(verdict, Accepted)]
    return [verdict for verdict in verdicts if isinstance(verdict, Rejected)]


def test_random_ids_and_bytes_fill_neither_table(database: Database) -> None:
    north = box()
    enrol(database, north)
    intake, taker = intake_for(north), ReportTaker(database, clock=StandingClock(NOW))
    chance = random.Random(1)  # noqa: S311

    for _ in range(10):
        taker.quarantine(
            judged(
                intake,
                [
                    Received(
                        topic=f"its/v1/box-{chance.randrange(10**9)}/up/bins",
                        data=chance.randbytes(chance.randrange(100)),
                    )
                    for _ in range(300)
                ],
            )
        )

    with database.session() as session:
        counts = QuarantineStore(session, "town").counts()
        details = session.connection().execute(
            text("SELECT reason, count(*) FROM quarantine GROUP BY reason")
        )
        assert sum(row.messages for row in counts) == 3000
        assert {row.device_id for row in counts} == {NOBODY}
        assert all(number <= MOST_DETAILS_PER_REASON for _, number in details)


def test_strange_characters_of_strangers_do_not_stop_the_database(database: Database) -> None:
    taker = ReportTaker(database, clock=StandingClock(NOW))
    enrol(database, box())

    taker.quarantine(
        judged(
            intake_for(box()),
            [Received(topic="its/v1/a\x00b\x1b[2J\ud800/up/bins"[:40], data=b"x")],
        )
    )

    with database.session() as session:
        (row,) = QuarantineStore(session, "town").newest()
    assert "\x00" not in row.topic
    assert "\x1b" not in row.topic


def test_a_replayed_message_is_a_duplicate_and_not_stored_again(database: Database) -> None:
    north = box()
    enrol(database, north)
    intake, taker = intake_for(north), ReportTaker(database, clock=StandingClock(NOW))
    message = north.seal(north.minutes(NOON, 1)[0], sequence=1, created_at=NOW)
    verdicts = [intake.examine(message) for _ in range(50)]

    outcomes = taker.take_in([v for v in verdicts if isinstance(v, Accepted)])

    assert [o.fate.value for o in outcomes] == ["stored"] + ["duplicate"] * 49


@pytest.mark.parametrize(
    ("what", "reason"),
    [pytest.param("device", "retired", id="retired box"),
     pytest.param("key", "key_revoked", id="revoked key")],
)  # fmt: skip
def test_a_box_is_refused_within_seconds_of_its_end(
    database: Database, what: str, reason: str
) -> None:
    north = box()
    enrol(database, north)
    clock = StandingClock(NOW)
    intake = Intake(
        keys=FleetKeys(database, clock=clock, refresh_s=2.0), manager=lambda: MANAGER, clock=clock
    )
    message = north.seal(north.minutes(NOON, 1)[0], sequence=1, created_at=NOW)
    assert isinstance(intake.examine(message), Accepted)

    with database.session() as session:
        if what == "device":
            device = session.get_one(DeviceRow, north.device)
            device.state = "retired"
            session.add(device)
        else:
            key = session.get_one(DeviceKeyRow, north.signing.key_id)
            key.revoked_at = NOW
            session.add(key)
    clock.move(2.1)

    (verdict,) = judged(intake, [message])
    assert (verdict.reason, verdict.device, verdict.place) == (reason, north.device, None)


def test_questions_about_strangers_do_not_ask_the_database(database: Database) -> None:
    north = box()
    enrol(database, north)
    keys = FleetKeys(database, clock=StandingClock(NOW))
    assert keys.knows(north.device)
    database.close()
    with database.session() as session:
        session.connection().execute(text("ALTER TABLE device_key RENAME TO gone"))

    assert not any(keys.knows(f"stranger-{n}") for n in range(1000))
    assert keys.find(north.device, north.signing.key_id) is not None


def test_details_are_found_by_reason_and_box(database: Database) -> None:
    north, south = box(1), box(2)
    enrol(database, north, south)
    intake, taker = intake_for(north, south), ReportTaker(database, clock=StandingClock(NOW))
    good = north.seal(north.minutes(NOON, 1)[0], sequence=1, created_at=NOW)
    late = south.seal(south.minutes(NOON, 1)[0], sequence=1, created_at=NOW + timedelta(minutes=10))

    taker.quarantine(judged(intake, [replace(good, data=good.data[:-1]), late, late]))

    with database.session() as session:
        store = QuarantineStore(session, "town")
        assert [row.device_id for row in store.newest(reason="truncated")] == [north.device]
        assert [row.reason for row in store.newest(device=south.device)] == ["future_clock"] * 2
        assert len(store.newest(most=2)) == 2
        counts = {(row.reason, row.device_id): row.messages for row in store.counts()}
    assert counts == {("truncated", north.device): 1, ("future_clock", south.device): 2}
