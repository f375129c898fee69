"""A TLS stream → what amqtt reads and writes, with bounds that it has not itself.

A packet that is too big, or a client that said nothing for one and a half times its keep-alive,
ends the connection; a full broker stops reading from boxes, so that TCP holds them back.
"""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

from amqtt.adapters import (  # type: ignore[import-untyped]
    ReaderAdapter,
    StreamWriterAdapter,
)

MOST_PACKET_BYTES = 270_000
"""The greatest order (262,144 bytes) with its topic."""

_CLOSE_S = 5.0


class BoundedReader(ReaderAdapter):  # type: ignore[misc]
    """Bytes of one client."""

    def __init__(
        self,
        reader: StreamReader,
        first: bytes,
        *,
        room: asyncio.Event | None,
        silence_s: float | None,
    ) -> None:
        """Read ``first`` again, then the stream.

        Args:
            reader: The stream after the CONNECT packet.
            first: The CONNECT packet.
            room: Set while the broker can take more; None for who must never wait.
            silence_s: Longest time without a byte; None for any.
        """
        self._reader = reader
        self._first = first
        self._room = room
        self._silence_s = silence_s
        self._heard_s = asyncio.get_running_loop().time()
        self._is_over = False

    async def read(self, n: int = -1) -> bytes:
        """Exactly ``n`` bytes, or none when the connection is over."""
        if self._first:
            now, self._first = self._first[:n], self._first[n:]
            return now
        if self._is_over or not 0 <= n <= MOST_PACKET_BYTES:
            self._is_over = True
            return b""
        if n == 0:
            return b""
        loop = asyncio.get_running_loop()
        if self._room is not None and not self._room.is_set():
            await self._room.wait()
            self._heard_s = loop.time()  # it was we who kept it waiting
        elif n == 1 and self._is_silent(loop.time()):
            self._is_over = True
            return b""
        data = await self._reader.readexactly(n)
        self._heard_s = loop.time()
        return data

    def _is_silent(self, now_s: float) -> bool:
        """Amqtt itself only stops waiting after the keep-alive, asks again, and never ends it."""
        return self._silence_s is not None and now_s - self._heard_s > self._silence_s

    def feed_eof(self) -> None:
        """Nothing more is wanted."""
        self._is_over = True


class BoundedWriter(StreamWriterAdapter):  # type: ignore[misc]
    """Bytes to one client; closing does not wait for one that reads nothing."""

    def __init__(self, writer: StreamWriter) -> None:
        super().__init__(writer)
        self._transport = writer.transport

    async def close(self) -> None:
        """Close, by force after a few seconds."""
        try:
            await asyncio.wait_for(super().close(), _CLOSE_S)
        except (TimeoutError, OSError):
            self._transport.abort()
