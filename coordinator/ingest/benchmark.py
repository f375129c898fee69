"""Sealed reports of simulated boxes → how many a second are verified, opened and committed.

The worker is the real one, with its threads, batches and signed answers; only the broker is
replaced by a list. Several workers are several processes, as in production.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from time import perf_counter, process_time
from typing import Any

from common.encryption import EncryptionManager, OpeningKey, SigningKey
from common.errors import ConflictError
from common.timing import SystemClock
from coordinator.database import Database
from coordinator.ingest.broker_link import Link, Sink
from coordinator.ingest.enrolled_boxes_store import enrol_simulated
from coordinator.ingest.intake import Intake, IntakeSettings
from coordinator.ingest.keys_store import FleetKeys
from coordinator.ingest.metrics import IngestMetrics
from coordinator.ingest.opening import choose_opener
from coordinator.ingest.simulated_boxes import LINES, SimulatedBox
from coordinator.ingest.taking import ReportTaker
from coordinator.ingest.verdicts import Accepted, Received
from coordinator.ingest.worker import IngestWorker, WorkerParts, WorkerSettings
from coordinator.schema import migrate

VALUES_PER_REPORT = 2 * len(LINES) * 6 + 4
"""Counts per class, line and direction, and four figures of the camera."""

_TENANT = "benchmark"
_FIRST_NUMBER = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSettings:
    """What is measured.

    Attributes:
        database: Address of a database without simulated boxes; it is migrated first.
        reports: Per worker.
        boxes: Per worker.
    """

    database: str
    workers: int = 1
    reports: int = 6000
    boxes: int = 50
    batch: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFigures:
    """What one worker measured; times in seconds, crypto and parsing of processor time."""

    stored: int
    answers: int
    elapsed_s: float
    processor_s: float
    crypto_s: float
    parsing_s: float
    database_s: float
    peak_memory_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkResult:
    """What all workers measured together."""

    database: str
    cores: int
    batch: int
    report_bytes: int
    values_per_report: int
    reports: int
    elapsed_s: float
    reports_per_s: float
    crypto_share: float
    parsing_share: float
    database_share: float
    workers: tuple[WorkerFigures, ...]


def benchmark_ingest(settings: BenchmarkSettings) -> BenchmarkResult:
    """Seal first, then let all workers begin at once.

    Raises:
        ConflictError: The database holds simulated boxes already, or a worker failed.
        UnreachableError: The database is away.
    """
    database = Database(settings.database)
    migrate(database)
    kind = "postgresql" if database.is_postgresql else "sqlite"
    database.close()
    spawning = multiprocessing.get_context("spawn")
    pipes = [spawning.Pipe() for _ in range(settings.workers)]
    processes = [
        spawning.Process(target=_work, args=(settings, number, theirs))
        for number, (_, theirs) in enumerate(pipes)
    ]
    for process in processes:
        process.start()
    with _ended(processes):
        ready = [
            _received(ours, process) for (ours, _), process in zip(pipes, processes, strict=True)
        ]
        started_s = perf_counter()
        for ours, _ in pipes:
            ours.send("begin")
        figures = [
            _received(ours, process) for (ours, _), process in zip(pipes, processes, strict=True)
        ]
        elapsed_s = perf_counter() - started_s
    return _result(settings, kind, ready[0], elapsed_s, figures)


def _result(
    settings: BenchmarkSettings,
    kind: str,
    report_bytes: int,
    elapsed_s: float,
    figures: Sequence[WorkerFigures],
) -> BenchmarkResult:
    stored = sum(each.stored for each in figures)
    parts = [
        sum(getattr(each, name) for each in figures)
        for name in ("crypto_s", "parsing_s", "database_s")
    ]
    crypto, parsing, database = (round(part / sum(parts), 3) for part in parts)
    return BenchmarkResult(
        database=kind,
        cores=os.cpu_count() or 1,
        batch=settings.batch,
        report_bytes=report_bytes,
        values_per_report=VALUES_PER_REPORT,
        reports=stored,
        elapsed_s=round(elapsed_s, 3),
        reports_per_s=round(stored / elapsed_s, 1),
        crypto_share=crypto,
        parsing_share=parsing,
        database_share=database,
        workers=tuple(figures),
    )


def _work(settings: BenchmarkSettings, number: int, pipe: Connection) -> None:
    database = Database(settings.database)
    opening, now = OpeningKey.generate(), datetime.now(UTC)
    first = _FIRST_NUMBER + number * settings.boxes
    boxes = [
        SimulatedBox(first + n, tenant=_TENANT, site_id=first + n, sealing=opening.public)
        for n in range(settings.boxes)
    ]
    enrol_simulated(database, boxes, now=now)
    messages = _sealed(boxes, settings.boxes + settings.reports, now)
    broker = _ListBroker(messages[settings.boxes :], IngestMetrics())
    parts = _parts(database, opening, broker, settings.workers)
    # The first report of each box makes its camera and series: once in the life of a box.
    first_reports = [parts.intake.examine(message) for message in messages[: settings.boxes]]
    parts.taker.take_in([each for each in first_reports if isinstance(each, Accepted)])
    parts.metrics.start_anew()
    pipe.send(len(messages[0].data))
    pipe.recv()
    pipe.send(asyncio.run(_measure(settings, parts, broker)))
    database.close()


def _parts(
    database: Database, opening: OpeningKey, broker: _ListBroker, workers: int
) -> WorkerParts:
    metrics, clock = broker.metrics, SystemClock()
    manager, signing = EncryptionManager(opening=[opening]), SigningKey.generate()
    return WorkerParts(
        intake=Intake(
            keys=FleetKeys(database, clock=clock),
            manager=lambda: manager,
            clock=clock,
            metrics=metrics,
            settings=IntakeSettings(opener=choose_opener(workers=workers)),
        ),
        taker=ReportTaker(database, clock=clock, metrics=metrics),
        links=broker,
        signing=lambda: signing,
        clock=clock,
        metrics=metrics,
    )


def _sealed(boxes: Sequence[SimulatedBox], reports: int, now: datetime) -> list[Received]:
    """One minute of every box after the other, as a fleet sends them."""
    minutes = -(-reports // len(boxes))
    first = now.replace(second=0, microsecond=0) - timedelta(minutes=minutes)
    told = [each.minutes(first, minutes) for each in boxes]
    return [
        each.seal(told[position][n], sequence=n + 1, created_at=now)
        for n in range(minutes)
        for position, each in enumerate(boxes)
    ][:reports]


async def _measure(
    settings: BenchmarkSettings, parts: WorkerParts, broker: _ListBroker
) -> WorkerFigures:
    metrics = parts.metrics
    worker = IngestWorker(
        parts,
        WorkerSettings(batch=settings.batch, queue=len(broker.messages), queue_bytes=2**40),
    )
    stop = asyncio.Event()
    started_s, processor_s = perf_counter(), process_time()
    running = asyncio.create_task(worker.run(stop))
    await broker.answered.wait()
    stop.set()
    await running
    return WorkerFigures(
        stored=metrics.stored,
        answers=broker.answers,
        elapsed_s=round(perf_counter() - started_s, 3),
        processor_s=round(process_time() - processor_s, 3),
        crypto_s=round(metrics.crypto_s, 3),
        parsing_s=round(metrics.parsing_s, 3),
        database_s=round(metrics.database_s, 3),
        peak_memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


class _ListBroker:
    """Delivers a list at once; counts answers, and knows the last one."""

    def __init__(self, messages: Sequence[Received], metrics: IngestMetrics) -> None:
        self.messages = messages
        self.metrics = metrics
        self.answered = asyncio.Event()
        self.answers = 0

    @asynccontextmanager
    async def __call__(self, sink: Sink) -> AsyncIterator[Link]:
        for message in self.messages:
            sink(message)
        yield self

    async def publish(self, topic: str, payload: bytes) -> None:  # noqa: ARG002
        self.answers += 1
        if self.metrics.stored + self.metrics.refused >= len(self.messages):
            self.answered.set()

    async def lost(self) -> None:
        await asyncio.Event().wait()


@contextmanager
def _ended(processes: Sequence[multiprocessing.process.BaseProcess]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.join(10)
            if process.is_alive():
                process.kill()


def _received(pipe: Connection, process: multiprocessing.process.BaseProcess) -> Any:
    while not pipe.poll(0.2):
        if not process.is_alive() and not pipe.poll(0):
            raise ConflictError(
                f"a worker ended with code {process.exitcode} before it measured anything",
                hint="use a database without simulated boxes; its message is above",
            )
    return pipe.recv()
