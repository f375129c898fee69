"""Events without an end → the same for some minutes; then a client comes back and is asked anew.

Who may listen is asked when a stream begins. If it went on for ever, a session that was ended
would go on reading; a browser comes back by itself, and ``Last-Event-ID`` says from where.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

MOST_STREAM_S = 300.0
"""As long as an access token is good."""

_Event = TypeVar("_Event")


async def for_a_while(
    events: AsyncIterator[_Event], *, most_s: float = MOST_STREAM_S
) -> AsyncIterator[_Event]:
    """Events until ``most_s`` have passed, or until they end by themselves."""
    until_s = asyncio.get_running_loop().time() + most_s
    while True:
        try:
            async with asyncio.timeout_at(until_s):
                event = await anext(events)
        except (StopAsyncIteration, TimeoutError):
            return
        yield event
