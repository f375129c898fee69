"""The ingest worker over a broker in memory, and both databases."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from common.encryption import EncryptionManager, SigningKey
from common.errors import UnreachableError
from coordinator.database import Database
from coordinator.ingest.intake import Intake
from coordinator.ingest.metrics import IngestMetrics
from coordinator.ingest.simulated_boxes import SimulatedBox
from coordinator.ingest.taking import ReportTaker
from coordinator.ingest.verdicts import Accepted, Outcome, Received
from coordinator.ingest.worker import IngestWorker, WorkerParts, WorkerSettings
from tests.fakes.boxes import MANAGER, NOW, FakeKeys, box, enrol
from tests.fakes.broker_link import MemoryBroker
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
ORDERS = SigningKey.generate()


class StallingTaker(ReportTaker):
    """A database that is away until somebody starts it."""

    is_away = False

    def take_in(self, batch: list[Accepted]) -> list[Outcome]:  # type: ignore[override]
        if self.is_away:
            raise UnreachableError("database is away")
        return super().take_in(batch)


def worker(
    database: Database,
    broker: MemoryBroker,
    boxes: Iterable[SimulatedBox],
    settings: WorkerSettings | None = None,
    manager: Callable[[], EncryptionManager] = lambda: MANAGER,
) -> tuple[IngestWorker, StallingTaker]:
    metrics = IngestMetrics()
    clock = StandingClock(NOW)
    taker = StallingTaker(database, clock=clock, metrics=metrics)
    parts = WorkerParts(
        intake=Intake(
            keys=FakeKeys(each.identity for each in boxes),
            manager=manager,
            clock=clock,
            metrics=metrics,
        ),
        taker=taker,
        links=broker,
        signing=lambda: ORDERS,
        clock=clock,
        metrics=metrics,
    )
    return IngestWorker(parts, settings), taker


def run(made: IngestWorker, scene: Callable[[], Awaitable[None]]) -> None:
    async def both() -> None:
        stop = asyncio.Event()
        running = asyncio.create_task(made.run(stop))
        async with asyncio.timeout(60):
            try:
                await scene()
            finally:
                stop.set()
                await running

    asyncio.run(both())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - counters have no events
        await asyncio.sleep(0.005)


def sealed(each: SimulatedBox, number: int) -> list[Received]:
    return [
        each.seal(report, sequence=n, created_at=NOW)
        for n, report in enumerate(each.minutes(NOON - timedelta(hours=3), number), start=1)
    ]


def stored_bins(database: Database) -> int:
    with database.session() as session:
        query = text("SELECT count(*) FROM camera_bin")
        return int(session.connection().execute(query).scalar_one())


def test_every_report_is_answered_after_it_is_stored(database: Database) -> None:
    boxes = [box(number, site_id=number) for number in (1, 2, 3)]
    enrol(database, *boxes)
    broker = MemoryBroker(ORDERS)
    made, _ = worker(database, broker, boxes, WorkerSettings(batch=7))
    stored_when_answered: list[int] = []

    async def scene() -> None:
        for each in boxes:
            await broker.send(sealed(each, 20))
        await until(lambda: len(broker.answers) > 0)
        stored_when_answered.append(stored_bins(database))
        await until(lambda: sum(len(broker.stored(each.device)) for each in boxes) == 60)

    run(made, scene)

    assert stored_when_answered[0] >= 7
    assert stored_bins(database) == 60
    assert made.metrics.stored == made.metrics.received == 60


def test_what_is_refused_is_told_and_what_has_no_signature_is_not(database: Database) -> None:
    north, stranger = box(1), box(2)
    enrol(database, north)
    broker = MemoryBroker(ORDERS)
    made, _ = worker(database, broker, [north])
    report = north.minutes(NOON, 1)[0]
    future = north.seal(report, sequence=9, created_at=NOW + timedelta(minutes=6))
    good = north.seal(report, sequence=1, created_at=NOW)
    broken = Received(topic=good.topic, data=good.data[:-1] + bytes([good.data[-1] ^ 1]))

    async def scene() -> None:
        await broker.send([future, broken, *sealed(stranger, 1), good])
        await until(lambda: bool(broker.stored(north.device)))
        await until(lambda: bool(broker.refused(north.device)))

    run(made, scene)

    assert broker.stored(north.device) == {1}
    assert broker.refused(north.device) == {9: "future_clock"}
    assert not any(each.device == stranger.device for each in broker.answers)
    assert made.metrics.rejected == {"future_clock": 1, "bad_signature": 1, "unknown_device": 1}


def test_memory_stays_bounded_while_the_database_is_away(database: Database) -> None:
    north = box()
    enrol(database, north)
    broker = MemoryBroker(ORDERS)
    made, taker = worker(database, broker, [north], WorkerSettings(batch=5, queue=10))
    messages = sealed(north, 100)

    async def scene() -> None:
        taker.is_away = True
        await broker.send(messages[:5])
        await until(lambda: made.metrics.is_database_away == 1)
        await broker.send(messages[5:])
        await until(lambda: made.metrics.dropped > 0)
        assert made.metrics.waiting <= 10
        assert broker.answers == []
        taker.is_away = False
        # Boxes send again what nobody acknowledged.
        while len(broker.stored(north.device)) < 100:
            missing = [m for n, m in enumerate(messages, 1) if n not in broker.stored(north.device)]
            await broker.send(missing[:8])
            await asyncio.sleep(0.02)

    run(made, scene)

    assert stored_bins(database) == 100
    assert made.metrics.dropped >= 80
    assert made.metrics.stored == 100


def test_a_lost_broker_is_looked_for_again(database: Database) -> None:
    north = box()
    enrol(database, north)
    broker = MemoryBroker(ORDERS)
    made, _ = worker(database, broker, [north])
    first, second = sealed(north, 2)

    async def scene() -> None:
        await broker.send([first])
        await until(lambda: broker.stored(north.device) == {1})
        broker.disconnect()
        await until(lambda: broker.connections == 2)
        await broker.send([second])
        await until(lambda: broker.stored(north.device) == {1, 2})

    run(made, scene)

    assert made.metrics.is_connected == 0


def test_an_answer_that_got_lost_is_given_again(database: Database) -> None:
    north = box()
    enrol(database, north)
    broker = MemoryBroker(ORDERS)
    made, _ = worker(database, broker, [north])
    (message,) = sealed(north, 1)

    async def scene() -> None:
        broker.takes_answers = False
        await broker.send([message])
        await until(lambda: made.metrics.unanswered == 1)
        broker.takes_answers = True
        await broker.send([message])
        await until(lambda: broker.stored(north.device) == {1})

    run(made, scene)

    assert (made.metrics.stored, made.metrics.duplicates) == (1, 1)


def test_two_workers_without_shared_subscriptions_split_the_devices(database: Database) -> None:
    boxes = [box(number, site_id=number) for number in range(1, 9)]
    enrol(database, *boxes)
    brokers = [MemoryBroker(ORDERS), MemoryBroker(ORDERS)]
    made = [
        worker(database, broker, boxes, WorkerSettings(index=index, workers=2))[0]
        for index, broker in enumerate(brokers)
    ]
    messages = [message for each in boxes for message in sealed(each, 2)]

    for one, broker in zip(made, brokers, strict=True):

        async def scene(broker: MemoryBroker = broker, one: IngestWorker = one) -> None:
            await broker.send(messages)
            await until(lambda: one.metrics.stored == one.metrics.received)

        run(one, scene)

    assert [each.metrics.duplicates for each in made] == [0, 0]
    assert all(each.metrics.stored > 0 for each in made)
    assert stored_bins(database) == 16


def test_what_is_in_hand_is_finished_when_told_to_stop(database: Database) -> None:
    north = box()
    enrol(database, north)
    broker = MemoryBroker(ORDERS)
    made, _ = worker(database, broker, [north], WorkerSettings(batch=4))
    messages = sealed(north, 12)

    async def scene() -> None:
        await broker.send(messages)

    run(made, scene)

    assert stored_bins(database) == 12
    assert broker.stored(north.device) == set(range(1, 13))


class SlowForTheFirst:
    """Keys that the first who asks gets only after the second has them."""

    def __init__(self) -> None:
        self._is_asked = threading.Lock()
        self._second_has_them = threading.Event()

    def __call__(self) -> EncryptionManager:
        if self._is_asked.acquire(blocking=False):
            assert self._second_has_them.wait(30)
        else:
            self._second_has_them.set()
        return MANAGER


def test_batches_that_are_judged_side_by_side_are_stored_as_they_arrived(
    database: Database,
) -> None:
    north = box()
    enrol(database, north)
    broker = MemoryBroker(ORDERS)
    made, _ = worker(
        database, broker, [north], WorkerSettings(batch=1, judges=2), SlowForTheFirst()
    )
    # Two reports at one place of the stream: whichever is stored first wins it.
    first, second = (
        north.seal(report, sequence=1, created_at=NOW) for report in north.minutes(NOON, 2)
    )

    async def scene() -> None:
        await broker.send([first, second])
        await until(lambda: bool(broker.answers) and made.metrics.refused == 1)

    run(made, scene)

    with database.session() as session:
        at = session.connection().execute(text("SELECT CAST(start AS text) FROM camera_bin"))
        assert [start[:16] for (start,) in at] == ["2026-03-14 12:00"]
