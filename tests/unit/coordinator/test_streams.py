"""Streams that end so that whoever listens is asked again who they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from coordinator.streams import for_a_while

pytestmark = pytest.mark.unit


async def numbers(until: int, *, then_wait: bool = False) -> AsyncIterator[int]:
    for number in range(until):
        yield number
    if then_wait:
        await asyncio.Event().wait()


async def taken(events: AsyncIterator[int]) -> list[int]:
    return [event async for event in events]


def test_a_stream_that_ends_is_whole() -> None:
    assert asyncio.run(taken(for_a_while(numbers(3)))) == [0, 1, 2]


def test_a_stream_that_goes_on_ends_after_a_while() -> None:
    events = for_a_while(numbers(3, then_wait=True), most_s=0.05)

    assert asyncio.run(taken(events)) == [0, 1, 2]
