"""Server-sent events about committed bins, through the API, on both databases."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fastapi import FastAPI

from tests.fakes.clocks import StandingClock
from tests.fakes.traffic_city import SITE, TrafficCity, traffic_app

pytestmark = pytest.mark.integration

EIGHT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


class EventStream:
    """One client that stays; ASGI itself, because the usual client waits for the end."""

    def __init__(
        self, app: FastAPI, *, query: str = "", headers: dict[str, str] | None = None
    ) -> None:
        self._app = app
        self._query = query
        self._headers = headers or {}
        self.status = 0
        self._chunks: asyncio.Queue[str] = asyncio.Queue()
        self._left = asyncio.Event()
        self._text = ""

    async def __aenter__(self) -> EventStream:
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1", "method": "GET",
            "path": "/api/v1/live", "raw_path": b"/api/v1/live", "root_path": "",
            "scheme": "http", "query_string": self._query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in self._headers.items()],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        }  # fmt: skip
        self._task = asyncio.ensure_future(self._app(scope, self._receive, self._send))
        while not self.status:
            await asyncio.sleep(0.01)
            assert not self._task.done() or self.status
        return self

    async def __aexit__(self, *_: object) -> None:
        self._left.set()
        await asyncio.wait_for(self._task, 20)

    async def event(self) -> dict[str, Any]:
        """The next event; comments are passed over."""
        while True:
            while "\n\n" not in self._text:
                self._text += await asyncio.wait_for(self._chunks.get(), 30)
            block, _, self._text = self._text.partition("\n\n")
            fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
            if "data" in fields:
                return {**fields, "data": json.loads(fields["data"])}

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message.get("body"):
            self._chunks.put_nowait(message["body"].decode())


def play(scene: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(scene(), 120)

    asyncio.run(bounded())


def test_a_committed_bin_reaches_the_client_with_its_counts(city: TrafficCity) -> None:
    async def scene() -> None:
        app = traffic_app(city.database, StandingClock(EIGHT + timedelta(minutes=2)))
        async with EventStream(app) as stream:
            await asyncio.to_thread(
                city.minute, EIGHT, counts={"N-S": {"car": 3}, "S-N": None}, coverage_s=30.0
            )
            event = await stream.event()
        assert event["event"] == "bin"
        assert event["data"]["site"] == SITE
        assert event["data"]["coverage"] == 0.5
        counts = {one["name"]: one["counts"] for one in event["data"]["series"]}
        assert (counts["N-S"]["car"], counts["S-N"]) == (3, None)

    play(scene)


def test_a_client_that_comes_back_goes_on_after_its_last_event(city: TrafficCity) -> None:
    async def scene() -> None:
        clock = StandingClock(EIGHT + timedelta(minutes=2))
        app = traffic_app(city.database, clock)
        async with EventStream(app) as stays:
            async with EventStream(app) as goes:
                await asyncio.to_thread(city.minute, EIGHT)
                first = await goes.event()
            clock.move(60)
            await asyncio.to_thread(city.minute, EIGHT + timedelta(minutes=1))
            seen = [(await stays.event())["data"]["start"] for _ in range(2)]
            async with EventStream(app, headers={"Last-Event-ID": first["id"]}) as again:
                missed = await again.event()
        assert missed["data"]["start"] == seen[1] == "2026-03-02T08:01:00Z"

    play(scene)


def test_a_site_that_was_not_asked_for_is_not_told(city: TrafficCity) -> None:
    async def scene() -> None:
        app = traffic_app(city.database, StandingClock(EIGHT + timedelta(minutes=2)))
        async with (
            EventStream(app, query="site=elsewhere") as other,
            EventStream(app, query=f"site={SITE}") as ours,
        ):
            await asyncio.to_thread(city.minute, EIGHT)
            await ours.event()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(other.event(), 0.2)

    play(scene)
