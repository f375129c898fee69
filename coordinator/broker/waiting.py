"""The embedded broker's queues → a signal whether boxes may send, and bounded sessions.

amqtt keeps what it cannot deliver in memory without end. Twenty times a second everything
that waits is counted; above the bound boxes are not read until half of it is gone. What waits
for a box that is away is cut to its newest messages: all of it (acknowledgements, wishes) is
said again when the box comes back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import structlog

from coordinator.broker.access import is_coordinator

log = structlog.get_logger(__name__)

MOST_FOR_ONE_BOX = 200
_EVERY_S = 0.05


async def keep_bounds(broker: Any, room: asyncio.Event, *, most: int) -> None:
    """Run until cancelled.

    Args:
        broker: amqtt's ``Broker``.
        room: Cleared while more than ``most`` messages wait.
        most: Messages.
    """
    while True:
        sessions = [session for session, _ in broker.sessions.values()]
        for session in sessions:
            _cut(session)
        waiting = sum(_waiting(sessions))
        if room.is_set() and waiting > most:
            log.warning("broker_full", messages=waiting)
            room.clear()
        elif not room.is_set() and waiting <= most // 2:
            log.info("broker_has_room", messages=waiting)
            room.set()
        await asyncio.sleep(_EVERY_S)


def _waiting(sessions: Iterable[Any]) -> Iterable[int]:
    for session in sessions:
        yield session.inflight_out_count
        yield session.retained_messages_count
        yield session.delivered_message_queue.qsize()


def _cut(session: Any) -> None:
    if is_coordinator(session.client_id or ""):
        return
    while session.retained_messages_count > MOST_FOR_ONE_BOX:
        session.retained_messages.get_nowait()
