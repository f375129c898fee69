"""The other end of the wire: opens reports, keeps them, and acknowledges as it is told to.

Runs in a thread of its own, so that a test can watch it, stop it and start it again. Nothing
is kept twice: the ledger is by (device, epoch, sequence) and bins are by their own key.
"""

from __future__ import annotations

import asyncio
import hashlib
import queue
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar

from aiomqtt import Client, MqttError

from common.encryption import (
    EncryptionManager,
    EnvelopeError,
    Header,
    OpeningKey,
    SigningKey,
    VerifyingKey,
    parse_envelope,
    sign_order,
    verify_envelope,
)
from common.messages import UP_MESSAGES, BinReport, CameraBin, UpMessage
from common.orders import Acknowledgement, Refusal
from common.topics import Topic, Way, every_device
from common.wire import Kind

BinKey = tuple[str, datetime, int, int]
Told = TypeVar("Told", bound=UpMessage)


@dataclass(slots=True)
class Ledger:
    """What is stored, and what came along."""

    reports: dict[tuple[str, int, int], str] = field(default_factory=dict)
    bins: dict[BinKey, CameraBin] = field(default_factory=dict)
    messages: list[UpMessage] = field(default_factory=list)
    headers: list[Header] = field(default_factory=list)
    reused: list[tuple[str, int, int]] = field(default_factory=list)
    arrivals: Counter[tuple[str, int, int]] = field(default_factory=Counter)
    taken: Counter[BinKey] = field(default_factory=Counter)
    digests: set[str] = field(default_factory=set)

    def of(self, kind: type[Told]) -> list[Told]:
        """Stored messages of one kind."""
        return [message for message in self.messages if isinstance(message, kind)]

    def cars(self) -> int:
        """All cars of all stored bins."""
        return sum(
            section.counts[3]
            for bin_ in list(self.bins.values())
            for section in bin_.sections
            if section.counts is not None
        )


class AcknowledgingCoordinator:
    """``with AcknowledgingCoordinator(port, device_key=...) as coordinator: …``."""

    def __init__(
        self,
        port: int,
        *,
        device_key: VerifyingKey,
        order_key: SigningKey | None = None,
        opening: OpeningKey | None = None,
        answer: Callable[[Header], list[bytes]] | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.port = port
        self.order_key = order_key or SigningKey.generate()
        self.opening = [opening or OpeningKey.generate()]
        self.ledger = ledger or Ledger()
        self.answer: Callable[[Header], list[bytes]] = answer or self.stored
        self._device_key = device_key
        self._to_tell: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._kept: set[tuple[str, int, int]] = set()
        self._stop = threading.Event()
        self._listening = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        self._stop.clear()
        self._listening.clear()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._listening.wait(20), "the fake coordinator found no broker"

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join(20)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def tell(self, device: str, kind: Kind, order: bytes) -> None:
        """Send an order down."""
        self._to_tell.put((str(Topic(device, Way.DOWN, kind)), order))

    def stored(self, header: Header) -> list[bytes]:
        """The honest answer."""
        return [self.acknowledgement(header, stored=(header.sequence,))]

    def refused(self, header: Header, reason: str) -> bytes:
        refusal = Refusal(sequence=header.sequence, reason=reason)
        return self.acknowledgement(header, stored=(), refused=(refusal,))

    def acknowledgement(
        self,
        header: Header,
        *,
        stored: tuple[int, ...],
        refused: tuple[Refusal, ...] = (),
        device: str | None = None,
        key: SigningKey | None = None,
    ) -> bytes:
        order = Acknowledgement(
            device=device or header.device,
            epoch=header.epoch,
            stored=stored,
            refused=refused,
            at=datetime.now(UTC),
        )
        return sign_order(key or self.order_key, order.model_dump_json().encode())

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                async with Client(
                    "127.0.0.1", self.port, identifier="coordinator", clean_session=False
                ) as client:
                    client.pending_calls_threshold = 10_000
                    await client.subscribe(every_device(Way.UP), qos=1)
                    self._listening.set()
                    await self._serve(client)
            except MqttError:
                await asyncio.sleep(0.1)

    async def _serve(self, client: Client) -> None:
        messages = aiter(client.messages)
        following = asyncio.ensure_future(anext(messages))
        while not self._stop.is_set():
            while not self._to_tell.empty():
                topic_text, order = self._to_tell.get()
                await client.publish(topic_text, order, qos=1)
            done, _ = await asyncio.wait([following], timeout=0.1)
            if not done:
                continue
            message = following.result()
            following = asyncio.ensure_future(anext(messages))
            data = message.payload
            assert isinstance(data, bytes)
            for answer in self._take(data):
                topic = Topic(str(message.topic).split("/")[2], Way.DOWN, Kind.ACK)
                await client.publish(str(topic), answer, qos=1)
        following.cancel()

    def _take(self, data: bytes) -> list[bytes]:
        self.ledger.digests.add(hashlib.sha256(data).hexdigest())
        envelope = parse_envelope(data)
        verify_envelope(envelope, self._device_key)
        header = envelope.header
        number = (header.device, header.epoch, header.sequence)
        self.ledger.arrivals[number] += 1
        self.ledger.headers.append(header)
        try:
            payload = EncryptionManager(opening=self.opening).open(envelope)
        except EnvelopeError:
            return []
        digest = hashlib.sha256(payload).hexdigest()
        known = self.ledger.reports.setdefault(number, digest)
        if known != digest:
            self.ledger.reused.append(number)
            return [self.refused(header, "sequence_reused")]
        if number not in self._kept:
            self._keep(number, UP_MESSAGES[header.kind].model_validate_json(payload))
        return self.answer(header)

    def _keep(self, number: tuple[str, int, int], message: UpMessage) -> None:
        self._kept.add(number)
        self.ledger.messages.append(message)
        if isinstance(message, BinReport):
            for bin_ in message.bins:
                key = (bin_.camera, bin_.start, bin_.width_s, bin_.part)
                self.ledger.taken[key] += 1
                self.ledger.bins.setdefault(key, bin_)
