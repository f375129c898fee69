"""Messages that are wrong in every way, between good ones, through a real mosquitto.

The real ingest judges them over both databases: each wrong one is quarantined with its reason
or, where repeating is legitimate, stored once; every good one is stored and answered.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import aiomqtt
import pytest
from sqlalchemy import text

from common.encryption import SigningKey, parse_envelope, read_order
from common.orders import Acknowledgement
from common.timing import SystemClock
from common.topics import Way, every_device
from coordinator.broker.access import INGEST_NAMES
from coordinator.broker.brief_client import BrokerLogin
from coordinator.database import Database
from coordinator.ingest.broker_link import Login, mqtt_links
from coordinator.ingest.intake import Intake
from coordinator.ingest.keys_store import FleetKeys
from coordinator.ingest.metrics import IngestMetrics
from coordinator.ingest.simulated_boxes import SimulatedBox
from coordinator.ingest.taking import ReportTaker
from coordinator.ingest.verdicts import Received
from coordinator.ingest.worker import IngestWorker, WorkerParts
from coordinator.reports.store import MOST_DETAILS_PER_REASON
from coordinator.schema import migrate
from tests.fakes.boxes import MANAGER, box, enrol
from tests.fakes.broker_trust import RunningBroker, Trust, running_mosquitto
from tests.fakes.mosquitto_broker import MosquittoBroker, plain_folder
from tests.fakes.postgres_server import postgres_server, postgres_url
from tests.fakes.rubbish import Fleet, Wrong, random_bytes, wrong_in_every_way

__all__ = ["postgres_server", "postgres_url"]
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1500)]

GOOD = 400
RANDOM = int(os.environ.get("ITS_RANDOM_MESSAGES", "4000"))
MOST_IN_FLIGHT = 1200
WAIT_S = 700.0
ORDERS = SigningKey.generate()


@dataclass(frozen=True)
class PlainLogin:
    """A broker that asks for nothing, so that ingest alone must refuse."""

    port: int
    protocol: str = "3.1.1"
    client_id: str = "coordinator-ingest-0"
    host: str = "127.0.0.1"

    def tls(self) -> ssl.SSLContext | None:
        return None


@dataclass
class Told:
    """What boxes heard."""

    stored: set[tuple[str, int]] = field(default_factory=set)
    refused: dict[tuple[str, int], str] = field(default_factory=dict)

    async def listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            data = read_order(bytes(message.payload or b""), {ORDERS.key_id: ORDERS.public})
            ack = Acknowledgement.model_validate_json(data)
            device = str(message.topic).split("/")[2]
            self.stored |= {(device, sequence) for sequence in ack.stored}
            self.refused |= {(device, each.sequence): each.reason for each in ack.refused}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = (
        f"sqlite:///{tmp_path / 'its.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    with closing(Database(url)) as made:
        migrate(made)
        yield made


def fleet_in(database: Database) -> tuple[Fleet, list[Received]]:
    """Boxes in every state, and the good reports of one of them."""
    now = datetime.now(UTC)
    good, other, stranger, retired, revoked = boxes = [box(number) for number in range(1, 6)]
    enrol(database, *(each for each in boxes if each is not stranger))
    with database.session() as session:
        connection = session.connection()
        connection.execute(
            text("UPDATE device SET state = 'retired' WHERE id = :id"), {"id": retired.device}
        )
        connection.execute(
            text("UPDATE device_key SET revoked_at = valid_from WHERE device_id = :id"),
            {"id": revoked.device},
        )
    first = now.replace(second=0, microsecond=0) - timedelta(hours=12)
    reports = good.minutes(first, GOOD)
    sealed = [
        good.seal(report, sequence=n, created_at=now) for n, report in enumerate(reports, start=1)
    ]
    fleet = Fleet(
        good=good, other=other, stranger=stranger, retired=retired, revoked=revoked,
        known=sealed[0], known_report=reports[0], now=now,
    )  # fmt: skip
    return fleet, sealed


def worker_on(database: Database, login: Login) -> IngestWorker:
    metrics, clock = IngestMetrics(), SystemClock()
    return IngestWorker(
        WorkerParts(
            intake=Intake(
                keys=FleetKeys(database, clock=clock),
                manager=lambda: MANAGER,
                clock=clock,
                metrics=metrics,
            ),
            taker=ReportTaker(database, clock=clock, metrics=metrics),
            links=mqtt_links(lambda: login, wanted=every_device(Way.UP)),
            signing=lambda: ORDERS,
            clock=clock,
            metrics=metrics,
        )
    )


@asynccontextmanager
async def working(worker: IngestWorker) -> AsyncIterator[None]:
    """The worker, connected; its end is waited for."""
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    try:
        async with asyncio.timeout(WAIT_S):
            await until(lambda: worker.metrics.is_connected == 1, running)
            yield
    finally:
        stop.set()
        await running


async def until(condition: object, *running: asyncio.Task[None]) -> None:
    """Wait for a claim, or for the failure of what should make it true."""
    assert callable(condition)
    while not condition():
        for task in running:
            if task.done():
                task.result()
        await asyncio.sleep(0.005)


def handled(metrics: IngestMetrics) -> int:
    return metrics.stored + metrics.duplicates + metrics.rejected.total()


async def send(
    client: aiomqtt.Client, messages: Iterable[Received], metrics: IngestMetrics
) -> tuple[int, float]:
    """Publish without filling the queue of ingest; returns how many, and seconds until handled."""
    began_s, wanted = time.perf_counter(), handled(metrics)
    before, rest = wanted, iter(messages)
    while batch := list(islice(rest, 100)):
        wanted += len(batch)
        await asyncio.gather(*(client.publish(m.topic, m.data, qos=1) for m in batch))
        await until(lambda most=wanted - MOST_IN_FLIGHT: handled(metrics) > most)
    await until(lambda: handled(metrics) == wanted)
    return wanted - before, time.perf_counter() - began_s


def mixed(*parts: Iterable[Received], seed: int = 1) -> list[Received]:
    """All of them in an order that nobody chose, the good ones out of order too."""
    messages = [message for part in parts for message in part]
    random.Random(seed).shuffle(messages)  # noqa: S311 - an order, no secret
    return messages


def quarantined(database: Database) -> Counter[str]:
    with database.session() as session:
        rows = session.connection().execute(text("SELECT reason, messages FROM quarantine_count"))
        found: Counter[str] = Counter()
        for reason, messages in rows:
            found[reason] += messages
        return found


def number(database: Database, query: str) -> int:
    with database.session() as session:
        return int(session.connection().execute(text(query)).scalar_one())


def test_what_is_wrong_is_quarantined_with_its_reason_and_all_that_is_good_is_stored(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet, good = fleet_in(database)
    wrong = wrong_in_every_way(fleet)
    third = GOOD // 3
    rubbish = [message for each in wrong for message in each.messages]
    noise = list(random_bytes(fleet.known.topic, RANDOM, seed=5))
    told = Told()
    seconds: list[tuple[int, float]] = []

    async def scene(port: int, worker: IngestWorker) -> None:
        async with (
            working(worker),
            aiomqtt.Client("127.0.0.1", port, identifier="everybody", timeout=60) as client,
        ):
            client.pending_calls_threshold = MOST_IN_FLIGHT
            await client.subscribe("its/v1/+/down/ack", qos=1)
            listening = asyncio.create_task(told.listen(client))
            seconds.append(await send(client, good[:third], worker.metrics))
            seconds.append(
                await send(client, mixed(good[third : 2 * third], rubbish), worker.metrics)
            )
            seconds.append(await send(client, mixed(good[2 * third :], noise), worker.metrics))
            everything = {(fleet.good.device, n) for n in range(1, GOOD + 1)}
            await until(lambda: told.stored == everything, listening)
            listening.cancel()

    with MosquittoBroker(plain_folder()) as broker:
        worker = worker_on(database, PlainLogin(broker.port))
        asyncio.run(scene(broker.port, worker))

    found = quarantined(database)
    of_noise = found - expected(wrong)
    assert found - of_noise == expected(wrong)
    assert of_noise.total() == RANDOM
    assert set(of_noise) <= {"malformed", "truncated", "oversize", "bad_version"}
    assert told.refused == answers(fleet.good, wrong)
    assert number(database, "SELECT count(*) FROM camera_bin") == GOOD
    assert number(database, "SELECT count(DISTINCT device_id) FROM camera_bin") == 1
    assert number(database, "SELECT count(*) FROM quarantine") <= (
        MOST_DETAILS_PER_REASON * len(found) + MOST_IN_FLIGHT
    )
    assert (worker.metrics.stored, worker.metrics.dropped) == (GOOD, 0)
    assert worker.metrics.duplicates == sum(len(w.messages) for w in wrong if not w.reason)
    with capsys.disabled():
        show(seconds, third=third, found=found)


def expected(wrong: Sequence[Wrong]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for each in wrong:
        if each.reason:
            counts[each.reason] += len(each.messages)
    return counts


def answers(sender: SimulatedBox, wrong: Sequence[Wrong]) -> dict[tuple[str, int], str]:
    """What the box is told to forget: what it really sent, and nothing that others did."""
    return {
        (sender.device, parse_envelope(message.data).header.sequence): each.reason
        for each in wrong
        if each.is_answered
        for message in each.messages
    }


def show(seconds: list[tuple[int, float]], *, third: int, found: Counter[str]) -> None:
    (alone, alone_s), (_, _), (many, many_s) = seconds
    good_s = alone_s / alone
    noise_s = (many_s - third * good_s) / (many - third)
    sys.stdout.write(
        f"\n{alone / alone_s:.0f} good reports/s alone; {many / many_s:.0f} messages/s with "
        f"{many - third} random ones: one of those costs {noise_s / good_s:.0%} of a good "
        f"report; quarantined: {dict(sorted(found.items()))}\n"
    )


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return Trust(tmp_path / "trust")


def test_the_broker_stops_what_ingest_would_refuse_and_serves_the_others(
    trust: Trust, database: Database
) -> None:
    fleet, good = fleet_in(database)
    stolen = replace(
        fleet.known, topic=fleet.known.topic.replace(fleet.good.device, fleet.other.device)
    )
    too_big = replace(fleet.known, data=bytes(300_000))
    last = next(
        fleet.other.seal(report, sequence=1, created_at=fleet.now)
        for report in fleet.other.minutes(noon_of_yesterday(fleet.now), 1)
    )

    async def scene(broker: RunningBroker, worker: IngestWorker) -> None:
        logins = {
            each.device: trust.login(each.device, broker.port)
            for each in (fleet.good, fleet.other, fleet.revoked)
        }
        broker.revoke([trust.serial(logins[fleet.revoked.device])])
        async with working(worker):
            own = logins[fleet.good.device]
            await say(own, good[0])
            for wrong in (stolen, too_big):
                # mosquitto ends the connection of whoever does this; the box comes back.
                with suppress(aiomqtt.MqttError):
                    await say(own, wrong)
            with pytest.raises(aiomqtt.MqttError):
                await say(logins[fleet.revoked.device], good[1])
            await say(own, good[1], good[2])
            await say(logins[fleet.other.device], last)
            await until(lambda: worker.metrics.stored == 4)

    with running_mosquitto(trust) as broker:
        worker = worker_on(database, trust.login(INGEST_NAMES[0], broker.port))
        asyncio.run(scene(broker, worker))

    assert worker.metrics.received == 4
    assert quarantined(database) == {}
    assert number(database, "SELECT count(*) FROM camera_bin") == 4


def noon_of_yesterday(now: datetime) -> datetime:
    return now.replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)


async def say(login: BrokerLogin, *messages: Received) -> None:
    """Publish with the certificate of a box."""
    async with aiomqtt.Client(
        login.host, login.port, identifier=login.client_id, tls_context=login.tls(),
        protocol=aiomqtt.ProtocolVersion.V311, timeout=8,
    ) as client:  # fmt: skip
        for message in messages:
            await client.publish(message.topic, message.data, qos=1)
