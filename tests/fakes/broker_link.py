"""A broker in memory, for tests of the ingest worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from common.encryption import SigningKey, read_order
from common.errors import UnreachableError
from common.orders import Acknowledgement
from coordinator.ingest.broker_link import Link, Sink
from coordinator.ingest.verdicts import Received


class MemoryBroker:
    """Delivers what a test sends, and keeps what is answered."""

    def __init__(self, signing: SigningKey) -> None:
        self._keys = {signing.key_id: signing.public}
        self._sink: Sink | None = None
        self._end: asyncio.Event | None = None
        self.connections = 0
        self.answers: list[Acknowledgement] = []
        self.takes_answers = True
        self._is_heard = asyncio.Event()

    @asynccontextmanager
    async def __call__(self, sink: Sink) -> AsyncIterator[Link]:
        self._sink, self._end = sink, asyncio.Event()
        self._is_heard.set()
        self.connections += 1
        try:
            yield self
        finally:
            self._sink = None
            self._is_heard.clear()

    async def publish(self, topic: str, payload: bytes) -> None:
        if not self.takes_answers:
            raise UnreachableError("broker took no answer")
        answer = Acknowledgement.model_validate_json(read_order(payload, self._keys))
        assert topic == f"its/v1/{answer.device}/down/ack"
        self.answers.append(answer)

    async def lost(self) -> None:
        assert self._end is not None
        await self._end.wait()
        raise UnreachableError("broker went away")

    def disconnect(self) -> None:
        assert self._end is not None
        self._end.set()

    async def send(self, messages: Iterable[Received]) -> None:
        """Deliver as soon as somebody is connected."""
        await self._is_heard.wait()
        assert self._sink is not None
        for message in messages:
            self._sink(message)

    def stored(self, device: str) -> set[int]:
        """Sequences that were acknowledged as stored."""
        return {s for each in self.answers if each.device == device for s in each.stored}

    def refused(self, device: str) -> dict[int, str]:
        """Sequences that were acknowledged as refused, with the reason."""
        return {r.sequence: r.reason for a in self.answers if a.device == device for r in a.refused}
