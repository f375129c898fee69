"""The ingest worker over a real mosquitto, which dies and comes back."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiomqtt import Client, MqttError

from common.encryption import SigningKey, read_order
from common.errors import UnreachableError
from common.free_ports import free_port
from common.orders import Acknowledgement
from common.topics import Way, every_device, one_device
from coordinator.database import Database
from coordinator.ingest.broker_link import mqtt_links
from coordinator.ingest.intake import Intake
from coordinator.ingest.metrics import IngestMetrics
from coordinator.ingest.simulated_boxes import SimulatedBox
from coordinator.ingest.taking import ReportTaker
from coordinator.ingest.verdicts import Received
from coordinator.ingest.worker import IngestWorker, WorkerParts
from coordinator.schema import migrate
from tests.fakes.boxes import MANAGER, NOW, FakeKeys, box, enrol
from tests.fakes.clocks import StandingClock
from tests.fakes.mosquitto_broker import MosquittoBroker, plain_folder

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
ORDERS = SigningKey.generate()


@dataclass(frozen=True)
class PlainLogin:
    port: int
    protocol: str = "3.1.1"
    client_id: str = "coordinator-ingest-0"
    host: str = "127.0.0.1"

    def tls(self) -> ssl.SSLContext | None:
        return None


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_reports_are_acknowledged_over_a_broker_that_is_killed(
    tmp_path: Path, protocol: str
) -> None:
    database = Database(f"sqlite:///{tmp_path / 'its.db'}")
    migrate(database)
    north = box()
    enrol(database, north)
    share = "ingest" if protocol == "5" else None

    with MosquittoBroker(plain_folder()) as broker:
        login = PlainLogin(broker.port, protocol)
        worker = worker_on(database, north, login, share)

        async def scene() -> None:
            stop = asyncio.Event()
            running = asyncio.create_task(worker.run(stop))
            messages = [
                north.seal(report, sequence=n, created_at=NOW)
                for n, report in enumerate(north.minutes(NOON - timedelta(hours=1), 10), start=1)
            ]
            await until(lambda: worker.metrics.is_connected == 1)
            assert await told_by(broker.port, north, messages[:5]) == {1, 2, 3, 4, 5}
            broker.kill()
            await until(lambda: worker.metrics.is_connected == 0)
            broker.start()
            await until(lambda: worker.metrics.is_connected == 1)
            assert await told_by(broker.port, north, messages[4:]) == {5, 6, 7, 8, 9, 10}
            stop.set()
            await running

        asyncio.run(asyncio.wait_for(scene(), 60))

    assert (worker.metrics.stored, worker.metrics.duplicates) == (10, 1)
    database.close()


def test_a_broker_that_is_not_there_is_told_as_unreachable() -> None:
    async def connect() -> None:
        async with mqtt_links(lambda: PlainLogin(free_port()), wanted="its/v1/+/up/+")(print):
            pass

    with pytest.raises(UnreachableError, match=r"broker 127\.0\.0\.1:\d+ did not serve"):
        asyncio.run(connect())


def worker_on(
    database: Database, north: SimulatedBox, login: PlainLogin, share: str | None
) -> IngestWorker:
    metrics, clock = IngestMetrics(), StandingClock(NOW)
    return IngestWorker(
        WorkerParts(
            intake=Intake(
                keys=FakeKeys([north.identity]), manager=lambda: MANAGER, clock=clock,
                metrics=metrics,
            ),
            taker=ReportTaker(database, clock=clock, metrics=metrics),
            links=mqtt_links(lambda: login, wanted=every_device(Way.UP, share=share)),
            signing=lambda: ORDERS,
            clock=clock,
            metrics=metrics,
        )
    )  # fmt: skip


async def told_by(port: int, north: SimulatedBox, messages: list[Received]) -> set[int]:
    """Publish as the box would, and collect what is acknowledged."""
    told: set[int] = set()
    try:
        async with Client("127.0.0.1", port, identifier=north.device) as client:
            await client.subscribe(one_device(north.device, Way.DOWN), qos=1)
            for message in messages:
                await client.publish(message.topic, message.data, qos=1)
            async for answer in client.messages:
                payload = read_order(bytes(answer.payload), {ORDERS.key_id: ORDERS.public})
                told |= set(Acknowledgement.model_validate_json(payload).stored)
                if len(told) == len(messages):
                    break
    except MqttError as error:
        raise AssertionError(f"broker went away under the box: {error}") from error
    return told


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - counters have no events
        await asyncio.sleep(0.01)
