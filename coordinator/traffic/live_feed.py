"""Committed bins → bounded queues, one a client.

The database is asked once a second, however many clients there are, and only while there are
any. A notifier inside the process would be quicker by half a second, but ingest and API may
be different processes on different machines, and then it would be silent.

A bin of a quarter of an hour ago or older that arrives late is no news: it appears in the
answers, not here. An event is sent at least once: a client that comes back with
``Last-Event-ID`` gets what it missed, or, when another process answers it now, everything
since shortly before; ``camera``, ``start`` and ``part`` tell repeats apart.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog

from common.errors import UnreachableError
from common.timing import Clock
from coordinator.traffic.live_store import Key, LiveBin

log = structlog.get_logger(__name__)

WINDOW = timedelta(minutes=15)
MOST_REPLAYED = timedelta(hours=1)
MOST_CLIENTS = 200
MOST_WAITING = 512
_MOST_REMEMBERED = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """A bin with the id that a client may come back with."""

    id: str
    bin: LiveBin


@dataclass(slots=True, eq=False)
class Subscription:
    """Events for one client; ``None`` ends the stream."""

    replayed: list[LiveEvent]
    queue: asyncio.Queue[LiveEvent | None] = field(
        default_factory=lambda: asyncio.Queue(MOST_WAITING)
    )

    async def events(self) -> AsyncIterator[LiveEvent]:
        """What was missed, then what comes, until the client fell too far behind."""
        for event in self.replayed:
            yield event
        while (following := await self.queue.get()) is not None:
            yield following


class LiveFeed:
    """Asks a reader again and again, and tells every client what is new."""

    def __init__(
        self,
        read: Callable[[datetime, frozenset[Key]], Sequence[LiveBin]],
        clock: Clock,
        *,
        every_s: float = 1.0,
    ) -> None:
        """Prepare; nothing is read before the first client.

        Args:
            read: Bins from a start on, those with a known key left out; called in a thread.
            clock: Tells the window.
            every_s: Time between two looks.
        """
        self._read = read
        self._clock = clock
        self._every_s = every_s
        self._clients: set[Subscription] = set()
        self._remembered: deque[LiveEvent] = deque(maxlen=_MOST_REMEMBERED)
        self._seen: set[Key] = set()
        self._since: datetime | None = None
        self._task: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def subscribe(self, last_event_id: str | None = None) -> Subscription:
        """Join; call ``leave`` at the end.

        Args:
            last_event_id: Where a client that comes back was; anything odd is ignored.

        Raises:
            UnreachableError: There are too many clients, or the database is away.
        """
        if len(self._clients) >= MOST_CLIENTS:
            raise UnreachableError(
                f"{len(self._clients)} clients follow the live feed, expected fewer",
                hint="ask again later, or start another API process",
            )
        async with self._starting:
            if self._task is None or self._task.done():
                await self._start()
        missed = await self._missed(last_event_id)
        client = Subscription(replayed=missed)
        self._clients.add(client)
        return client

    async def leave(self, client: Subscription) -> None:
        """Forget a client; the last one ends the looking."""
        self._clients.discard(client)
        if not self._clients and self._task is not None:
            self._task.cancel()
            self._task = None

    async def look(self) -> None:
        """Ask once, and tell everybody what is new."""
        now = self._clock.now()
        found = await asyncio.to_thread(self._read, now - WINDOW, frozenset(self._seen))
        self._seen = {key for key in self._seen if key[1] >= now - WINDOW}
        for number, one in enumerate(found):
            self._seen.add(one.key)
            event = LiveEvent(id=_event_id(now, number), bin=one)
            self._remembered.append(event)
            for client in tuple(self._clients):
                self._tell(client, event)

    async def _start(self) -> None:
        now = self._clock.now()
        known = await asyncio.to_thread(self._read, now - WINDOW, frozenset())
        self._seen = {one.key for one in known}
        self._remembered.clear()
        self._since = now
        self._task = asyncio.create_task(self._keep_looking())

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.look()
            except UnreachableError as error:
                log.warning("live_feed_delayed", reason=str(error))

    async def _missed(self, last_event_id: str | None) -> list[LiveEvent]:
        came_from = _parsed(last_event_id)
        if came_from is None or self._since is None:
            return []
        at, _ = came_from
        if at >= self._since:
            return [e for e in self._remembered if (_parsed(e.id) or came_from) > came_from]
        now = self._clock.now()
        begin = max(at - WINDOW, now - MOST_REPLAYED)
        older = await asyncio.to_thread(self._read, begin, frozenset())
        return [LiveEvent(id=_event_id(now, n), bin=one) for n, one in enumerate(older)]

    def _tell(self, client: Subscription, event: LiveEvent) -> None:
        if client.queue.full():
            # Too slow: it ends here, and may come back with the id of its last event.
            self._clients.discard(client)
            while not client.queue.empty():
                client.queue.get_nowait()
            client.queue.put_nowait(None)
            return
        client.queue.put_nowait(event)


def _event_id(at: datetime, number: int) -> str:
    return f"{int(at.timestamp() * 1000)}-{number}"


def _parsed(event_id: str | None) -> tuple[datetime, int] | None:
    millis, dash, number = (event_id or "").partition("-")
    is_ours = dash and len(millis) == 13 and len(number) <= 9
    if not (is_ours and millis.isascii() and millis.isdigit()):
        return None
    if not (number.isascii() and number.isdigit()):
        return None
    return datetime.fromtimestamp(int(millis) / 1000, UTC), int(number)
