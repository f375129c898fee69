"""A container and a number → one ingest worker in a thread of this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from functools import partial

import structlog

from common.topics import Way, every_device
from coordinator.broker.access import INGEST_NAMES
from coordinator.config import CoordinatorConfig
from coordinator.container import CoordinatorContainer, broker_login
from coordinator.ingest.broker_link import mqtt_links
from coordinator.ingest.intake import Intake, IntakeSettings
from coordinator.ingest.keys_store import FleetKeys
from coordinator.ingest.metrics import IngestMetrics
from coordinator.ingest.opening import choose_opener
from coordinator.ingest.taking import ReportTaker
from coordinator.ingest.worker import IngestWorker, WorkerParts, WorkerSettings
from coordinator.retention import Kept
from coordinator.security.events import EventKind, SecurityEvents

log = structlog.get_logger(__name__)

_STOP_S = 15.0
_SHARE = "ingest"


class IngestPart:
    """Runs a worker until stopped; what is in hand is finished first."""

    def __init__(self, worker: IngestWorker, name: str) -> None:
        self._worker = worker
        self._name = name
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._ready = threading.Event()

    @property
    def metrics(self) -> IngestMetrics:
        """Counters of the worker."""
        return self._worker.metrics

    @property
    def is_alive(self) -> bool:
        """True while the worker works, connected or trying to connect."""
        return self._thread is not None and self._thread.is_alive()

    def condition(self) -> str:
        """``ok``, or what the worker waits for."""
        if not self.metrics.is_connected:
            return "broker is away"
        return "database is away" if self.metrics.is_database_away else "ok"

    def start(self) -> None:
        """Begin; the broker may come later."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Finish what is in hand; safe to call twice."""
        if self._thread is None or not self._thread.is_alive():
            return
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._worker.run(self._stop)


def kept(settings: CoordinatorConfig) -> Kept:
    """Retention as the housekeeping and the intake want it."""
    retention = settings.retention
    return Kept(minutes_days=retention.minutes_days, quarantine_days=retention.quarantine_days)


def _teller(container: CoordinatorContainer) -> Callable[[str], None]:
    events: SecurityEvents = container.security_events()

    def tell(device: str) -> None:
        events.record(EventKind.REPORT_REPEATED, subject=device, address="broker")

    return tell


def ingest_part(container: CoordinatorContainer, *, index: int, workers: int) -> IngestPart:
    """Worker ``index`` of ``workers`` on the broker of the settings."""
    settings = container.settings()
    database, clock = container.database(), container.clock()
    metrics = IngestMetrics()
    is_shared = settings.broker.protocol == "5" and workers > 1
    login = partial(broker_login, settings, container.certificates(), INGEST_NAMES[index])
    wanted = every_device(Way.UP, share=_SHARE if is_shared else None)
    parts = WorkerParts(
        intake=Intake(
            keys=FleetKeys(database, clock=clock),
            manager=container.ring().manager,
            clock=clock,
            metrics=metrics,
            settings=IntakeSettings(
                behind=kept(settings).behind, opener=choose_opener(workers=workers)
            ),
        ),
        taker=ReportTaker(database, clock=clock, metrics=metrics, tell_repeated=_teller(container)),
        links=mqtt_links(login, wanted=wanted),
        signing=container.ring().order_signing,
        clock=clock,
        metrics=metrics,
    )
    limits = WorkerSettings(
        batch=settings.ingest.batch,
        queue=settings.ingest.queue,
        index=0 if is_shared else index,
        workers=1 if is_shared else workers,
    )
    return IngestPart(IngestWorker(parts, limits), INGEST_NAMES[index])
