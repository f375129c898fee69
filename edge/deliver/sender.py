"""Everything between the bin store and the broker → one thread that the agent watches over."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Protocol

import structlog

from common.errors import ItsError, UnreachableError
from common.orders import DesiredConfiguration, Wish
from common.plates import PlateRequest
from common.site import Camera
from common.timing import Clock
from common.wire import ClockState, Kind
from edge.deliver.clock_trust import ClockTrust, TimeSource
from edge.deliver.collecting import Collector, OpenPrivacy
from edge.deliver.flights import FlightSettings
from edge.deliver.health_telling import BoxFacts, Deliveries, HealthTeller, TwinWord
from edge.deliver.mqtt_publisher import Delivery, Publisher, note_fault
from edge.deliver.numbering import SITE_TOLD
from edge.deliver.outbox import Outbox
from edge.deliver.plate_desk import NoPlates, PlateDesk, Plates
from edge.deliver.sealing import Egress, LoadCredentials, Sealer
from edge.deliver.site_layout import layout_digest, site_report
from edge.keeping.incident_board import IncidentBoard
from edge.keeping.store import BinStore

log = structlog.get_logger(__name__)


class ClosingEgress(Egress, Protocol):
    """An egress log that is opened for the time the sender runs."""

    def close(self) -> None:
        """Finish; safe to call twice."""
        ...


class Twin(TwinWord, Protocol):
    """Takes desired configurations; ``edge.deliver.twin`` does."""

    def desire(self, wanted: DesiredConfiguration) -> None:
        """Called in the sender's thread with a verified order."""
        ...

    def watch(self) -> None:
        """Called now and then: judge whether the box is well with what is in effect."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SenderParts:
    """What the sender works with; files are opened in its own thread."""

    store: BinStore
    open_outbox: Callable[[], Outbox]
    open_privacy: OpenPrivacy
    open_egress: Callable[[], ClosingEgress]
    load_credentials: LoadCredentials
    time_source: TimeSource
    facts: BoxFacts
    twin: Twin
    site: str
    cameras: tuple[Camera, ...]
    clock: Clock
    incidents: IncidentBoard = field(default_factory=IncidentBoard)
    plates: Plates = field(default_factory=NoPlates)


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderSettings:
    """How the sender works.

    Attributes:
        pass_every_s: How often the store is asked for new bins.
        health_every_s: How often a health report is made while there is a connection.
        clock_wait_s: How long reports wait for a clock that is unsure.
        linger_s: When stopping, how long acknowledgements of the last reports are waited for.
    """

    flights: FlightSettings = field(default_factory=FlightSettings)
    pass_every_s: float = 2.0
    health_every_s: float = 60.0
    clock_wait_s: float = 600.0
    linger_s: float = 5.0


class Sender:
    """Collects, seals, sends; memory and disk stay bounded however long nobody answers."""

    name = "sender"

    def __init__(self, parts: SenderParts, settings: SenderSettings | None = None) -> None:
        self._parts = parts
        self._settings = settings or SenderSettings()
        self._started_at = parts.clock.now()
        self._health = HealthTeller(
            parts.facts, parts.twin, clock=parts.clock, every_s=self._settings.health_every_s
        )
        self._trust = ClockTrust(
            parts.time_source, clock=parts.clock, wait_s=self._settings.clock_wait_s
        )
        self._is_start_known = self._trust.state is ClockState.TRUSTED

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop, and then until the last reports are answered or time is up.

        Raises:
            ItsError: A file cannot be used; calling again may work.
        """
        with (
            closing(self._parts.open_outbox()) as outbox,
            closing(self._parts.open_egress()) as log_,
        ):
            try:
                asyncio.run(self._run(outbox, log_, stop))
            except BaseExceptionGroup as group:
                raise _first(group) from group

    async def _run(self, outbox: Outbox, egress: Egress, stop: threading.Event) -> None:
        asyncio.get_running_loop().set_exception_handler(note_fault)
        parts = self._parts
        delivery = Delivery(
            outbox=outbox,
            sealer=Sealer(egress=egress, clock=parts.clock),
            load_credentials=parts.load_credentials,
            trust=self._trust,
            clock=parts.clock,
        )
        desk = PlateDesk(parts.plates, outbox, trust=self._trust)
        publisher = Publisher(
            delivery, settings=self._settings.flights, on_order=partial(self._obey, desk)
        )
        collector = Collector(
            parts.store, outbox, open_privacy=parts.open_privacy, trust=self._trust
        )
        async with asyncio.TaskGroup() as tasks:
            sending = tasks.create_task(publisher.run())
            work = _Work(outbox, egress, publisher, collector, desk, sending)
            await self._work(work, stop)
            publisher.is_ending = True
            sending.cancel()

    async def _work(self, work: _Work, stop: threading.Event) -> None:
        while not stop.is_set():
            work.check()
            await self._pass(work)
            if work.publisher.is_connected and self._health.is_due():
                self._tell_health(work)
            await _wait(stop, self._settings.pass_every_s)
        await self._pass(work)
        give_up_s = self._parts.clock.monotonic_s() + self._settings.linger_s
        while work.publisher.is_connected and self._parts.clock.monotonic_s() < give_up_s:
            status = work.outbox.status()
            if not status.bins and not status.reports:
                break
            await asyncio.sleep(0.05)
        work.outbox.save_mark()

    async def _pass(self, work: _Work) -> None:
        """Everything that is new in the store, and what belongs to it."""
        self._trust.ask()
        if self._trust.may_send:
            self._tell_site(work)
        read = 0
        while rows := work.collector.collect():
            read += rows
            work.publisher.wake.set()
            await asyncio.sleep(0)
        if work.collector.collect_incidents(self._parts.incidents.take()):
            work.publisher.wake.set()
        if work.desk.tell():
            work.publisher.wake.set()
        work.collector.tell_losses()
        self._parts.twin.watch()
        work.outbox.save_mark()
        if read:
            log.debug("bins_collected", rows=read)

    def _tell_site(self, work: _Work) -> None:
        """The layout, when it is another than the one that was told last."""
        told = work.outbox.fact(SITE_TOLD)
        report = site_report(
            self._parts.site, self._parts.cameras, valid_from=self._valid_from(is_first=not told)
        )
        digest = layout_digest(report)
        if digest != told:
            work.outbox.add_report(report, clock=self._trust.state, facts={SITE_TOLD: digest})
            work.publisher.wake.set()
            log.info("site_told", cameras=len(report.cameras))

    def _valid_from(self, *, is_first: bool) -> datetime:
        since = self._started_at if self._is_start_known else self._parts.clock.now()
        if is_first:
            # What was counted before there was a coordinator was counted with this layout.
            eldest = next(iter(self._parts.store.bins()), None)
            return since if eldest is None else min(since, eldest.start)
        return since

    def _tell_health(self, work: _Work) -> None:
        if work.publisher.flights.has_unsent(Kind.HEALTH):
            return
        credentials = work.publisher.credentials
        deliveries = Deliveries(
            status=work.outbox.status(),
            egress_head=work.egress.head,
            certificate_expires_at=credentials.certificate_expires_at if credentials else None,
            clock=self._trust.state,
        )
        work.outbox.add_report(self._health.report(deliveries), clock=self._trust.state)
        work.publisher.wake.set()

    def _obey(self, desk: PlateDesk, order: Wish) -> None:
        if isinstance(order, PlateRequest):
            desk.take(order)
        else:
            self._parts.twin.desire(order)


@dataclass(frozen=True, slots=True)
class _Work:
    outbox: Outbox
    egress: Egress
    publisher: Publisher
    collector: Collector
    desk: PlateDesk
    sending: asyncio.Task[None]

    def check(self) -> None:
        """A publisher that ended without an error would never be missed.

        Raises:
            UnreachableError: It ended; the agent begins again with another one.
        """
        if self.sending.done():
            raise UnreachableError(
                "the publisher ended while the box was running, expected it to go on",
                hint="the agent starts it again; report this with the agent's log",
            )


async def _wait(stop: threading.Event, seconds: float) -> None:
    """Sleep, but not for long after the agent's threads were told to stop."""
    step_s = min(0.1, seconds)
    for _ in range(max(1, round(seconds / step_s))):
        if stop.is_set():
            return
        await asyncio.sleep(step_s)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error of the group that says most: one of ours, else the first."""
    found: list[BaseException] = []
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop(0)
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions
        else:
            found.append(error)
    return next((error for error in found if isinstance(error, ItsError)), found[0])
