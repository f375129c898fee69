"""Connections of boxes → the broker, over a line that drops, stalls, and cuts mid-message."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

_CHUNK_BYTES = 4096
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class _Line:
    """One connection through the proxy."""

    def __init__(self, inner: asyncio.StreamWriter, outer: asyncio.StreamWriter) -> None:
        self.writers = (inner, outer)
        self.cuts_after_bytes: int | None = None
        self.flows = asyncio.Event()
        self.flows.set()

    def cut(self) -> None:
        """End both sides with a reset: nobody is told in order."""
        for writer in self.writers:
            connection = writer.get_extra_info("socket")
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            writer.transport.abort()


class CuttingProxy:
    """Runs in a thread of its own; every kind of mischief may be called from outside."""

    def __init__(self, *, port: int, to_port: int, chance: random.Random) -> None:
        self._port = port
        self._to_port = to_port
        self._chance = chance
        self._lines: set[_Line] = set()
        self._opens = True
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._server: asyncio.Server | None = None

    def cut(self) -> int:
        """Reset every connection."""
        return self._do(lambda line: line.cut())

    def cut_mid_message(self) -> int:
        """Let each connection pass some more bytes, towards either side, and then reset it."""

        def limit(line: _Line) -> None:
            line.cuts_after_bytes = self._chance.randint(1, 3000)

        return self._do(limit)

    def stall(self) -> int:
        """Keep connections open and pass nothing, as a firewall that forgot them does."""
        return self._do(lambda line: line.flows.clear())

    def refuse(self) -> int:
        """Reset every connection, and every new one."""
        self._opens = False
        return self.cut()

    def heal(self) -> None:
        """Pass everything again; what stalled flows on."""
        self._opens = True

        def free(line: _Line) -> None:
            line.cuts_after_bytes = None
            line.flows.set()

        self._do(free)

    def _do(self, what: Callable[[_Line], None]) -> int:
        async def each() -> int:
            lines = list(self._lines)
            for line in lines:
                what(line)
            return len(lines)

        return asyncio.run_coroutine_threadsafe(each(), self._loop).result(10)

    def __enter__(self) -> Self:
        self._thread.start()

        async def listen() -> asyncio.Server:
            return await asyncio.start_server(self._serve, "127.0.0.1", self._port)

        self._server = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for line in list(self._lines):
            line.cut()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._opens:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        except OSError:
            writer.transport.abort()
            return
        line = _Line(writer, far_writer)
        self._lines.add(line)
        try:
            await asyncio.gather(_pump(line, reader, far_writer), _pump(line, far_reader, writer))
        finally:
            self._lines.discard(line)
            line.cut()


async def _pump(line: _Line, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while content := await reader.read(_CHUNK_BYTES):
            await line.flows.wait()
            if line.cuts_after_bytes is not None:
                if len(content) >= line.cuts_after_bytes:
                    writer.write(content[: line.cuts_after_bytes])
                    await writer.drain()
                    break
                line.cuts_after_bytes -= len(content)
            writer.write(content)
            await writer.drain()
    # One side ended: so does the other, which wakes the pump of the other way.
    line.cut()
