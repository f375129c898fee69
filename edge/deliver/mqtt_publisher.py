"""Reports of the outbox → the coordinator, through a broker that comes and goes.

A PUBACK says that the broker has a message, not that it is stored (MQTT 3.1.1, 4.3.2): only
the coordinator's signed acknowledgement, sent after its commit, deletes a report here. The
broker's session is not relied upon: what stays unanswered is sealed and sent again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import structlog
from aiomqtt import Client, Message, MqttError, ProtocolVersion

from common.errors import ConfigError, ItsError, TrustError
from common.orders import Acknowledgement, DownMessage, Wish
from common.timing import Clock
from common.topics import Way, one_device
from edge.capture.reconnecting import BackOff
from edge.deliver.clock_trust import ClockTrust
from edge.deliver.down_orders import read_down
from edge.deliver.flights import Flights, FlightSettings
from edge.deliver.outbox import Outbox
from edge.deliver.outbox_rows import PendingReport
from edge.deliver.sealing import Credentials, LoadCredentials, SealedReport, Sealer

_TIMEOUT_S = 15.0
_KEEPALIVE_S = 30
_MOST_QUEUED = 1000
_LOGGED_EVERY = 20
_ACKS_TOGETHER_S = 0.02
_LOOK_AT_KEYS_S = 60.0
_LONGEST_NAP_S = 5.0
_NOT_SENDABLE = "not_sendable"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Delivery:
    """What the publisher works with."""

    outbox: Outbox
    sealer: Sealer
    load_credentials: LoadCredentials
    trust: ClockTrust
    clock: Clock


class Publisher:
    """Connects, sends, listens, and begins again; runs until it is cancelled."""

    def __init__(
        self,
        delivery: Delivery,
        *,
        settings: FlightSettings,
        on_order: Callable[[Wish], None],
        back_off: BackOff | None = None,
    ) -> None:
        self.flights = Flights(settings)
        self.wake = asyncio.Event()
        self._delivery = delivery
        self._on_order = on_order
        self._back_off = back_off or BackOff(steady_after_s=30.0)
        self._window = settings.window
        self._chance = random.Random()  # noqa: S311 - jitter, not a secret  # nosec B311
        self._credentials: Credentials | None = None
        self._looked_s = 0.0
        self._refused_orders = 0
        self._connections = 0
        self._acks: list[Acknowledgement] = []
        self._has_acks = asyncio.Event()
        self.is_connected = False
        self.is_ending = False

    @property
    def credentials(self) -> Credentials | None:
        """Of the last connection, None before the first."""
        return self._credentials

    async def run(self) -> None:
        """Deliver until cancelled.

        Raises:
            UnreachableError: The disk is full or failing; nothing may be sent or deleted.
        """
        failures = 0
        while True:
            began_s, event = self._now_s, "broker_lost"
            connections = self._connections
            faults: BaseExceptionGroup[Exception] | None = None
            try:
                await self._session()
            except* (MqttError, OSError) as group:
                faults = group
            except* (ConfigError, TrustError) as group:
                faults, event = group, "identity_unusable"
            # A connection that breaks while it closes turns the cancellation into its own error.
            if self.is_ending:
                return
            is_steady = self._now_s - began_s >= self._back_off.steady_after_s
            failures = 1 if is_steady else failures + 1
            is_due = failures % _LOGGED_EVERY in (0, 1) or self._connections > connections
            if faults is not None and is_due:
                reason, hint = _first_words(faults)
                log.warning(event, reason=reason, hint=hint, attempts=failures)
            await asyncio.sleep(self._back_off.wait_s(failures, self._chance.random()))

    async def _session(self) -> None:
        """One connection, from its beginning to its end."""
        credentials = self._load()
        client = _client(credentials, pending=self._window)
        async with client:
            await client.subscribe(one_device(credentials.device, Way.DOWN), qos=1)
            log.info("broker_connected", host=credentials.host, port=credentials.port)
            self._update()
            self.flights.send_all_again(self._now_s)
            self.is_connected = True
            self._connections += 1
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._listen(client))
                    tasks.create_task(self._forget_on())
                    tasks.create_task(self._send_on(client))
            finally:
                self.is_connected = False

    async def _send_on(self, client: Client) -> None:
        while True:
            self.wake.clear()
            self._look_at_keys()
            if self._delivery.trust.may_send:
                self._fill()
                await self._send(client, self.flights.due(self._now_s, self._window))
            due_s = self.flights.next_due_s()
            if due_s is not None and due_s <= self._now_s and self._delivery.trust.may_send:
                await asyncio.sleep(0)
                continue
            nap_s = _LONGEST_NAP_S if due_s is None else max(0.01, due_s - self._now_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(min(nap_s, _LONGEST_NAP_S)):  # wait_for loses cancels
                    await self.wake.wait()

    def _fill(self) -> None:
        """Make as many reports as may be in flight."""
        outbox, state = self._delivery.outbox, self._delivery.trust.state
        outbox.make_loss_report(clock=state)
        outbox.make_bin_reports(self.flights.room(), clock=state)
        self._update()

    async def _send(self, client: Client, due: list[PendingReport]) -> None:
        payloads = self._delivery.outbox.payloads(due)
        sealed = [
            each
            for report, payload in zip(due, payloads, strict=True)
            if payload is not None and (each := self._sealed(report, payload)) is not None
        ]
        self._delivery.sealer.write_down(sealed)
        async with asyncio.TaskGroup() as tasks:
            for each in sealed:
                self.flights.sent(each.report, now_s=self._now_s)
                tasks.create_task(client.publish(each.topic, each.envelope, qos=1))

    def _sealed(self, report: PendingReport, payload: bytes) -> SealedReport | None:
        if self._credentials is None:
            return None
        try:
            return self._delivery.sealer.seal(
                report, payload, self._credentials, clock_state=self._delivery.trust.state
            )
        except ValueError as error:
            # It would block the window for ever; the loss is told instead.
            log.error(  # noqa: TRY400 - a validation error quotes values
                "report_not_sendable",
                kind=report.kind.value,
                sequence=report.sequence,
                size_bytes=len(payload),
                error_type=type(error).__name__,
            )
            self._delivery.outbox.drop(report, reason=_NOT_SENDABLE)
            self._update()
            return None

    async def _listen(self, client: Client) -> None:
        async for message in client.messages:
            order = self._read(message)
            if isinstance(order, Acknowledgement):
                self._acks.append(order)
                self._has_acks.set()
            elif order is not None:
                self._on_order(order)

    async def _forget_on(self) -> None:
        """Delete what is acknowledged, many reports in one transaction."""
        while True:
            await self._has_acks.wait()
            await asyncio.sleep(_ACKS_TOGETHER_S)
            self._has_acks.clear()
            acks, self._acks = self._acks, []
            self._forget(acks)

    def _read(self, message: Message) -> DownMessage | None:
        credentials = self._credentials
        data = message.payload
        if credentials is None or not isinstance(data, bytes):
            return None
        try:
            return read_down(
                str(message.topic), data, keys=credentials.order_keys, device=credentials.device
            )
        except TrustError as error:
            self._refused_orders += 1
            if self._refused_orders == 1 or self._refused_orders % 1000 == 0:
                log.warning("order_refused", error=str(error), orders=self._refused_orders)
            return None

    def _forget(self, acks: list[Acknowledgement]) -> None:
        done: dict[int, set[int]] = {}
        for ack in acks:
            numbers = done.setdefault(ack.epoch, set())
            numbers.update(ack.stored)
            for refusal in ack.refused:
                log.warning(
                    "report_refused",
                    epoch=ack.epoch,
                    sequence=refusal.sequence,
                    reason=refusal.reason,
                )
                state = self._delivery.trust.state
                if self.flights.may_be_lifted(
                    ack.epoch, refusal.sequence, refusal.reason, now=state
                ):
                    self.flights.hold(ack.epoch, refusal.sequence, now_s=self._now_s)
                else:
                    numbers.add(refusal.sequence)
        for epoch, numbers in done.items():
            self._delivery.outbox.acknowledge(epoch, numbers)
        self._update()
        self.wake.set()

    def _load(self) -> Credentials:
        self._looked_s, self._credentials = self._now_s, self._delivery.load_credentials()
        return self._credentials

    def _look_at_keys(self) -> None:
        """Notice rotated keys; what an unknown key closed is sent again at once."""
        if self._now_s - self._looked_s < _LOOK_AT_KEYS_S or self._credentials is None:
            return
        before = self._credentials.encryption
        after = self._load().encryption
        if (before.sealed_to, before.signed_by) != (after.sealed_to, after.signed_by):
            log.info("keys_changed", sealed_to=after.sealed_to, signed_by=after.signed_by)
            self.flights.release(self._now_s)

    def _update(self) -> None:
        self.flights.update(self._delivery.outbox.pending(), now_s=self._now_s)

    @property
    def _now_s(self) -> float:
        return self._delivery.clock.monotonic_s()


def note_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A lost connection is logged once, not by each who waited for it or wrote to its socket."""
    if not isinstance(context.get("exception"), MqttError | OSError):
        log.error("loop_fault", message=context.get("message"), error=context.get("exception"))


def _client(credentials: Credentials, *, pending: int) -> Client:
    is_5 = credentials.protocol == "5"
    client = Client(
        credentials.host,
        credentials.port,
        identifier=credentials.device,
        protocol=ProtocolVersion.V5 if is_5 else ProtocolVersion.V311,
        # The session would bring back what the outbox brings back anyway.
        clean_session=None if is_5 else True,
        clean_start=True if is_5 else 3,
        keepalive=_KEEPALIVE_S,
        timeout=_TIMEOUT_S,
        tls_context=credentials.tls,
        max_queued_incoming_messages=_MOST_QUEUED,
    )
    client.pending_calls_threshold = 2 * pending
    return client


def _first_words(group: BaseExceptionGroup[Exception]) -> tuple[str, str]:
    """What the first error of the group says, and what to do about it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    hint = error.hint if isinstance(error, ItsError) else ""
    return str(error) or type(error).__name__, hint
