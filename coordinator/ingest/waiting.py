"""Messages that wait → batches; bounded in number and bytes, what is too much is dropped."""

from __future__ import annotations

import asyncio
from collections import deque

from coordinator.ingest.verdicts import Received

_LINGER_S = 0.02
"""So long a batch waits for more: far below what a box waits for its answer."""


class WaitingMessages:
    """A queue for one event loop.

    A dropped message is no loss: its box was answered nothing and sends it again.
    """

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._messages: deque[Received] = deque()
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._is_closed = False

    def __len__(self) -> int:
        """How many wait."""
        return len(self._messages)

    @property
    def size_bytes(self) -> int:
        """How much waits."""
        return self._bytes

    def offer(self, message: Received) -> bool:
        """Keep the message, or drop it and say False."""
        size = len(message.data)
        if len(self._messages) >= self._most or self._bytes + size > self._most_bytes:
            return False
        self._messages.append(message)
        self._bytes += size
        self._arrived.set()
        return True

    def close(self) -> None:
        """Nothing more will be offered: ``take`` gives what is left, and then nothing."""
        self._is_closed = True
        self._arrived.set()

    async def take(self, most: int) -> list[Received]:
        """Up to ``most`` messages that arrive within moments; none only after ``close``."""
        while not self._messages and not self._is_closed:
            self._arrived.clear()
            await self._arrived.wait()
        if len(self._messages) < most and not self._is_closed:
            await asyncio.sleep(_LINGER_S)
        batch = [self._messages.popleft() for _ in range(min(most, len(self._messages)))]
        self._bytes -= sum(len(message.data) for message in batch)
        return batch
