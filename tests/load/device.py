"""A simulated box → sealed reports that it sends until the coordinator's signed answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from common.encryption import VerifyingKey, read_order
from common.errors import TrustError
from common.messages import BinReport
from common.orders import Acknowledgement
from common.topics import Way, one_device
from coordinator.ingest.simulated_boxes import SimulatedBox
from tests.load import packets
from tests.load.connection import Connection, open_connection
from tests.load.packets import Packet

KEEP_ALIVE_S = 30
"""As the product's sender has it."""

RESEND_AFTER_S = 30.0
_HANDSHAKE_S = 60.0


@dataclass(slots=True)
class Told:
    """One report of the ledger.

    Attributes:
        due_s: When it is sent again unless it is answered; on the loop's clock.
        message: Kept until the answer.
    """

    created_at: datetime
    due_s: float
    message: BinReport | None
    sends: int = 0
    answered_at: datetime | None = None


@dataclass(slots=True)
class Tally:
    """What all devices of the generator counted together."""

    handshakes: int = 0
    resumed: int = 0
    connections_lost: int = 0
    reasons: set[str] = field(default_factory=set)
    sent: int = 0
    sent_bytes: int = 0
    resent: int = 0
    answers: int = 0
    answers_refused: int = 0
    answers_unbelievable: int = 0
    puback: int = 0


@dataclass(frozen=True, slots=True)
class Broker:
    """Where devices connect, whom they believe, and what is counted.

    Attributes:
        context: Trusts the coordinator's root; each device loads its own certificate.
    """

    host: str
    port: int
    context: ssl.SSLContext
    order_keys: Mapping[str, VerifyingKey]
    tally: Tally


class Device:
    """One box with its own certificate, keys, connection and ledger."""

    def __init__(self, box: SimulatedBox, certificate_file: Path, broker: Broker) -> None:
        self.box = box
        self.ledger: dict[int, Told] = {}
        self.unanswered: set[int] = set()
        self._certificate_file = certificate_file
        self._broker = broker
        self._connection: Connection | None = None
        self._subscribed: asyncio.Future[None] | None = None
        self._number = 0

    @property
    def is_connected(self) -> bool:
        """True from the broker's SUBACK until the connection breaks."""
        return (
            self._connection is not None and self._connection.is_open and self._subscribed is None
        )

    async def connect(self) -> None:
        """Sign in and listen for answers; what is unanswered is sent again.

        Raises:
            OSError: No broker, it refused us, or it was too slow.
        """
        broker = self._broker
        self._subscribed = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(_HANDSHAKE_S):
            connection = await open_connection(
                (broker.host, broker.port), broker.context, self._certificate_file, self
            )
            self._connection = connection
            device = self.box.device
            connection.send(
                packets.connect(device, keep_alive_s=KEEP_ALIVE_S)
                + packets.subscribe(one_device(device, Way.DOWN), number=1)
            )
            await self._subscribed
        self._subscribed = None
        broker.tally.handshakes += 1
        broker.tally.resumed += connection.is_resumed
        for sequence in sorted(self.unanswered):
            self._send(sequence)

    def report(self, minute: datetime) -> None:
        """Make the report of a minute, and send it."""
        now = datetime.now(UTC)
        message = BinReport(bins=(self.box.minute(minute),))
        sequence = len(self.ledger) + 1
        self.ledger[sequence] = Told(created_at=now, due_s=0.0, message=message)
        self.unanswered.add(sequence)
        self._send(sequence)

    def send_due(self, now_s: float) -> None:
        """Send again what was not answered in time."""
        for sequence in sorted(self.unanswered):
            if self.ledger[sequence].due_s <= now_s:
                self._send(sequence)

    def ping(self) -> None:
        """Keep the connection from being taken for dead."""
        if self.is_connected and self._connection is not None:
            self._connection.send(packets.PINGREQ)

    def close(self) -> None:
        """Leave as MQTT wants it."""
        if self._connection is not None:
            self._connection.send(packets.DISCONNECT)
            self._connection.close()

    def received(self, packet: Packet) -> None:
        """Called by the connection."""
        if packet.kind == packets.PUBLISH:
            published = packets.publication(packet)
            self._read_answer(published.payload)
            if self._connection is not None:
                self._connection.send(packets.acknowledge(published))
        elif packet.kind == packets.PUBACK:
            self._broker.tally.puback += 1
        elif packet.kind == packets.CONNACK and packet.body[1:] != b"\0":
            self.lost(f"broker refused with {packet.body.hex()}")
        elif packet.kind == packets.SUBACK and self._subscribed is not None:
            if packet.body[2:] != b"\x01":
                self.lost(f"broker granted {packet.body.hex()}, expected QoS 1")
            elif not self._subscribed.done():
                self._subscribed.set_result(None)

    def lost(self, reason: str) -> None:
        """Called by the connection; whoever waits for it is told, the others are counted."""
        if self._subscribed is not None and not self._subscribed.done():
            self._subscribed.set_exception(ConnectionError(reason))
            return
        self._broker.tally.connections_lost += 1
        self._broker.tally.reasons.add(reason[:120])

    def _send(self, sequence: int) -> None:
        told = self.ledger[sequence]
        told.due_s = asyncio.get_running_loop().time() + RESEND_AFTER_S * 2.0 ** min(told.sends, 4)
        if not self.is_connected or self._connection is None or told.message is None:
            return
        sealed = self.box.seal(told.message, sequence=sequence, created_at=told.created_at)
        self._number = self._number % 65_535 + 1
        self._connection.send(packets.publish(sealed.topic, sealed.data, number=self._number))
        tally = self._broker.tally
        tally.sent += 1
        tally.sent_bytes += len(sealed.data)
        tally.resent += told.sends > 0
        told.sends += 1

    def _read_answer(self, payload: bytes) -> None:
        tally = self._broker.tally
        try:
            answer = Acknowledgement.model_validate_json(
                read_order(payload, self._broker.order_keys)
            )
        except (TrustError, ValueError):
            tally.answers_unbelievable += 1
            return
        tally.answers += 1
        tally.answers_refused += len(answer.refused)
        now = datetime.now(UTC)
        for sequence in answer.stored:
            told = self.ledger.get(sequence)
            if told is not None and told.answered_at is None:
                told.answered_at, told.message = now, None
                self.unanswered.discard(sequence)
