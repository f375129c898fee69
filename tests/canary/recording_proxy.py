"""Connections of boxes → the broker, with every byte inside the TLS written down.

The proxy holds the broker's key towards the box and the box's towards the broker, which only
a test can: what it records is what a broker sees, and all that a box says to it.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 65_536
_WAIT_S = 10.0
_PUBLISH = 3


@dataclass
class Conversation:
    """What one connection carried."""

    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)


class RecordingProxy:
    """Runs in a thread of its own from ``with`` on."""

    def __init__(
        self,
        *,
        port: int,
        to_port: int,
        as_broker: Callable[[], ssl.SSLContext],
        as_box: Callable[[], ssl.SSLContext],
    ) -> None:
        """Prepare.

        Args:
            port: Where boxes connect.
            to_port: The broker.
            as_broker: What the box sees; asked at the start.
            as_box: What the broker sees; asked at each connection.
        """
        self.conversations: list[Conversation] = []
        self._port = port
        self._to_port = to_port
        self._as_broker = as_broker
        self._as_box = as_box
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="recorder")
        self._server: asyncio.Server | None = None

    @property
    def recorded(self) -> bytes:
        """Everything, one connection and one direction after the other."""
        return b"\n".join(
            bytes(part) for each in list(self.conversations) for part in (each.up, each.down)
        )

    def published(self) -> list[tuple[str, bytes]]:
        """Topics and payloads that boxes published."""
        return [
            message for each in list(self.conversations) for message in publications(bytes(each.up))
        ]

    def __enter__(self) -> Self:
        self._thread.start()

        async def listen() -> asyncio.Server:
            return await asyncio.start_server(
                self._serve, "127.0.0.1", self._port, ssl=self._as_broker()
            )

        self._server = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(_WAIT_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_WAIT_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WAIT_S)
        self._loop.close()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(
                "127.0.0.1", self._to_port, ssl=self._as_box()
            )
        except OSError:
            writer.transport.abort()
            return
        conversation = Conversation()
        self.conversations.append(conversation)
        try:
            await asyncio.gather(
                _pump(reader, far_writer, conversation.up),
                _pump(far_reader, writer, conversation.down),
            )
        finally:
            writer.transport.abort()
            far_writer.transport.abort()


def publications(stream: bytes) -> Iterator[tuple[str, bytes]]:
    """MQTT 3.1.1 packets of one direction → topics and payloads of those that publish.

    OASIS MQTT 3.1.1, 2.2 (fixed header, remaining length) and 3.3 (PUBLISH). A packet that is
    not whole yet ends the stream.
    """
    at = 0
    while at < len(stream):
        first, at = stream[at], at + 1
        length, shift = 0, 0
        while at < len(stream):
            digit, at = stream[at], at + 1
            length |= (digit & 0x7F) << shift
            shift += 7
            if digit < 0x80:
                break
        packet, at = stream[at : at + length], at + length
        if first >> 4 != _PUBLISH or len(packet) < length:
            continue
        topic_end = 2 + int.from_bytes(packet[:2], "big")
        has_number = (first >> 1) & 3
        yield packet[2:topic_end].decode(), packet[topic_end + (2 if has_number else 0) :]


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: bytearray
) -> None:
    with suppress(OSError):
        while content := await reader.read(_CHUNK_BYTES):
            record += content
            writer.write(content)
            await writer.drain()
    # One side ended: so does the other, which wakes the pump of the other way.
    writer.transport.abort()
