"""PostgreSQL stops for a while under load: the worker keeps its size, and nothing is lost.

``ITS_OUTAGE_S=60`` stops it for a minute; ``ITS_OUTAGE_RATE`` reports a second arrive.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path

import aiomqtt
import pytest
from sqlalchemy import text

from common.encryption import SigningKey, read_order
from common.orders import Acknowledgement
from coordinator.database import Database
from coordinator.ingest.verdicts import Received
from coordinator.schema import migrate
from tests.fakes.boxes import OPENING, box, enrol
from tests.fakes.ingest_process import IngestProcess
from tests.fakes.mosquitto_broker import MosquittoBroker, plain_folder
from tests.fakes.postgres_server import PostgresServer, postgres_server

__all__ = ["postgres_server"]
pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

OUTAGE_S = float(os.environ.get("ITS_OUTAGE_S", "8"))
RATE = int(os.environ.get("ITS_OUTAGE_RATE", "200"))
CALM_S = 5.0
AGAIN_S = 10.0
"""After so long without an answer a box sends a report again."""
MOST_AGAIN = 100
"""So many old reports are sent again at a step, at most; boxes back off."""
STEP_S = 0.25
MOST_GROWTH_MB = 60.0
WAIT_S = 300.0
BOXES = 50


@dataclass
class Load:
    """Boxes that send new reports all the time, and the old ones until they are answered.

    Attributes:
        unanswered: Box and sequence → message, and when it was last sent.
        resident_mb: Phase → what the worker held, measured at every step.
        answered: Phase → reports that were answered in it.
    """

    client: aiomqtt.Client
    orders: SigningKey
    worker: IngestProcess
    reports: Iterator[tuple[str, int, Received]]
    unanswered: dict[tuple[str, int], tuple[Received, float]] = field(default_factory=dict)
    resident_mb: dict[str, list[float]] = field(default_factory=dict)
    answered: dict[str, int] = field(default_factory=dict)
    phase: str = "before"
    sent: int = 0

    async def listen(self) -> None:
        keys = {self.orders.key_id: self.orders.public}
        async for message in self.client.messages:
            data = read_order(bytes(message.payload or b""), keys)
            ack = Acknowledgement.model_validate_json(data)
            assert ack.refused == ()
            for sequence in ack.stored:
                if self.unanswered.pop((ack.device, sequence), None) is not None:
                    self.answered[self.phase] = self.answered.get(self.phase, 0) + 1

    async def press(self, phase: str, *, for_s: float) -> None:
        """Send at the rate, and measure."""
        self.phase, ends_s = phase, time.monotonic() + for_s
        while time.monotonic() < ends_s:
            next_s = time.monotonic() + STEP_S
            new = {}
            for device, sequence, message in islice(self.reports, int(RATE * STEP_S)):
                new[device, sequence] = message
            self.sent += len(new)
            await self.publish(new)
            await self.step(next_s)

    async def publish(self, messages: dict[tuple[str, int], Received]) -> None:
        at_s = time.monotonic()
        self.unanswered |= {key: (message, at_s) for key, message in messages.items()}
        await asyncio.gather(
            *(self.client.publish(each.topic, each.data, qos=1) for each in messages.values())
        )

    async def settle(self, phase: str) -> None:
        """Send nothing new, until everything is answered."""
        self.phase = phase
        async with asyncio.timeout(WAIT_S):
            while self.unanswered:
                await self.step(time.monotonic() + STEP_S)

    async def step(self, next_s: float) -> None:
        now_s = time.monotonic()
        late = [
            (key, message)
            for key, (message, at_s) in self.unanswered.items()
            if now_s - at_s > AGAIN_S
        ]
        await self.publish(dict(late[:MOST_AGAIN]))
        assert self.worker.is_running
        self.resident_mb.setdefault(self.phase, []).append(self.worker.resident_mb)
        await asyncio.sleep(max(0.0, next_s - time.monotonic()))


def reports(database: Database) -> Iterator[tuple[str, int, Received]]:
    """One minute of every box after the other, from long ago on."""
    boxes = [box(number, site_id=number) for number in range(1, BOXES + 1)]
    enrol(database, *boxes)
    now = datetime.now(UTC)
    first = now.replace(second=0, microsecond=0) - timedelta(days=20)
    for sequence in count(1):
        for each in boxes:
            (report,) = each.minutes(first + timedelta(minutes=sequence), 1)
            yield each.device, sequence, each.seal(report, sequence=sequence, created_at=now)


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    with closing(Database(postgres_server.create_database())) as made:
        migrate(made)
        yield made


def test_a_worker_keeps_its_size_while_the_database_is_stopped_and_then_stores_everything(
    postgres_server: PostgresServer,
    database: Database,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    orders = SigningKey.generate()
    orders.save(tmp_path / "orders.pem")
    OPENING.save(tmp_path / "opening.pem")

    async def scene(port: int, worker: IngestProcess) -> Load:
        async with aiomqtt.Client("127.0.0.1", port, identifier="boxes", timeout=60) as client:
            client.pending_calls_threshold = 2 * MOST_AGAIN + RATE
            await client.subscribe("its/v1/+/down/ack", qos=1)
            load = Load(client, orders, worker, reports(database))
            listening = asyncio.create_task(load.listen())
            # Caches fill while the first reports arrive; what counts is the size after that.
            await load.press("before", for_s=CALM_S)
            await load.settle("before")
            await load.press("before", for_s=CALM_S)
            postgres_server.stop()
            await load.press("during", for_s=OUTAGE_S)
            await asyncio.to_thread(postgres_server.start)
            await load.settle("after")
            await load.press("after", for_s=CALM_S)
            await load.settle("after")
            listening.cancel()
            return load

    with MosquittoBroker(plain_folder()) as broker:
        url = database.engine.url.render_as_string(hide_password=False)
        worker = IngestProcess(
            url.replace("+psycopg", ""),
            broker.port,
            opening=tmp_path / "opening.pem",
            orders=tmp_path / "orders.pem",
        )
        try:
            load = asyncio.run(scene(broker.port, worker))
        finally:
            ended = worker.stop()

    most_mb = {phase: max(values) for phase, values in load.resident_mb.items()}
    with capsys.disabled():
        sys.stdout.write(
            f"\nPostgreSQL stopped for {OUTAGE_S:.0f} s at {RATE} reports/s: {load.sent} sent, "
            f"answered {load.answered}; worker's memory, most of each phase: "
            + ", ".join(f"{phase} {mb:.1f} MB" for phase, mb in most_mb.items())
            + "\n"
        )
    assert ended == 0
    # What was on its way when the database stopped may still be answered.
    assert load.answered.get("during", 0) <= RATE
    assert most_mb["during"] < most_mb["before"] + MOST_GROWTH_MB
    assert stored(database) == load.sent


def stored(database: Database) -> int:
    with database.session() as session:
        query = text("SELECT count(*) FROM camera_bin")
        return int(session.connection().execute(query).scalar_one())
