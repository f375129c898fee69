"""The live feed with a reader and a clock that the test holds."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from common.errors import UnreachableError
from coordinator.traffic.live_feed import MOST_WAITING, LiveFeed, Subscription
from coordinator.traffic.live_store import Key, LiveBin
from tests.fakes.clocks import StandingClock

pytestmark = pytest.mark.unit

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class StoredBins:
    """What a database would hold."""

    def __init__(self) -> None:
        self.bins: list[LiveBin] = []

    def add(self, minute: int, *, camera: int = 1) -> None:
        start = EIGHT + timedelta(minutes=minute)
        self.bins.append(
            LiveBin(
                key=(camera, start, 0, 60), site="s", camera="c", coverage_s=60.0, quality="good"
            )
        )

    def read(self, since: datetime, known: frozenset[Key]) -> Sequence[LiveBin]:
        return [one for one in self.bins if one.key[1] >= since and one.key not in known]


def run(coroutine: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(coroutine, 20))


def minutes(client: Subscription) -> list[int]:
    found = [event.bin for event in client.replayed]
    while not client.queue.empty():
        event = client.queue.get_nowait()
        assert event is not None
        found.append(event.bin)
    return [int((one.key[1] - EIGHT).total_seconds() // 60) for one in found]


def feed_of(stored: StoredBins, clock: StandingClock) -> LiveFeed:
    # The tests look by themselves.
    return LiveFeed(stored.read, clock, every_s=3600)


def test_only_what_comes_after_joining_is_news() -> None:
    async def scene() -> None:
        stored, clock = StoredBins(), StandingClock(EIGHT)
        stored.add(-1)
        feed = feed_of(stored, clock)
        client = await feed.subscribe()
        stored.add(0)
        await feed.look()
        await feed.look()
        assert minutes(client) == [0]
        await feed.leave(client)

    run(scene())


def test_a_client_that_comes_back_gets_what_it_missed() -> None:
    async def scene() -> None:
        stored, clock = StoredBins(), StandingClock(EIGHT)
        feed = feed_of(stored, clock)
        stays, goes = await feed.subscribe(), await feed.subscribe()
        stored.add(0)
        await feed.look()
        event = goes.queue.get_nowait()
        assert event is not None
        await feed.leave(goes)
        clock.move(60)
        stored.add(1)
        await feed.look()
        again = await feed.subscribe(event.id)
        assert minutes(again) == [1]
        assert minutes(stays) == [0, 1]
        await feed.leave(stays)
        await feed.leave(again)

    run(scene())


def test_another_process_repeats_rather_than_leaves_out() -> None:
    async def scene() -> None:
        stored, clock = StoredBins(), StandingClock(EIGHT)
        first = feed_of(stored, clock)
        client = await first.subscribe()
        stored.add(0)
        await first.look()
        event = client.queue.get_nowait()
        assert event is not None
        await first.leave(client)
        clock.move(120)
        stored.add(1)
        second = feed_of(stored, clock)
        again = await second.subscribe(event.id)
        assert minutes(again) == [0, 1]
        await second.leave(again)

    run(scene())


def test_a_client_that_does_not_read_is_let_go_and_the_others_are_served() -> None:
    async def scene() -> None:
        stored, clock = StoredBins(), StandingClock(EIGHT)
        feed = feed_of(stored, clock)
        slow, quick = await feed.subscribe(), await feed.subscribe()
        for camera in range(MOST_WAITING + 1):
            stored.add(0, camera=camera)
            if camera == MOST_WAITING - 1:
                await feed.look()
                assert len(minutes(quick)) == MOST_WAITING
        await feed.look()
        assert [event async for event in slow.events()] == []
        assert minutes(quick) == [0]
        await feed.leave(quick)

    run(scene())


@pytest.mark.parametrize(
    "event_id", ["", "x", "12-3", "9" * 40, "-1-1", "1772438400000-x", "²²²²²²²²²²²²²-1"]
)
def test_an_odd_id_is_as_good_as_none(event_id: str) -> None:
    async def scene() -> None:
        stored = StoredBins()
        stored.add(-1)
        feed = feed_of(stored, StandingClock(EIGHT))
        client = await feed.subscribe(event_id)
        assert client.replayed == []
        await feed.leave(client)

    run(scene())


def test_a_database_that_is_away_is_told_to_who_joins() -> None:
    def away(since: datetime, known: frozenset[Key]) -> Sequence[LiveBin]:
        raise UnreachableError("away")

    async def scene() -> None:
        feed = LiveFeed(away, StandingClock(EIGHT))
        with pytest.raises(UnreachableError):
            await feed.subscribe()

    run(scene())
