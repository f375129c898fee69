"""A client that stays → server-sent events about bins as they are committed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from common.ids import Slug
from common.security import Permission
from coordinator.database import Database
from coordinator.dependencies import ClockDep, DatabaseDep, TenantDep
from coordinator.problems import problems
from coordinator.security.access import may
from coordinator.streams import for_a_while
from coordinator.traffic.live_feed import LiveFeed, Subscription
from coordinator.traffic.live_store import Key, LiveBin, LiveStore
from coordinator.traffic.live_views import LiveBinView, live_bin_view

router = APIRouter(
    tags=["live"], dependencies=[may(Permission.TRAFFIC_READ)], responses=problems(422, 503)
)


def live_feed(
    request: Request, database: DatabaseDep, tenant: TenantDep, clock: ClockDep
) -> LiveFeed:
    """The one feed of this process and tenant."""
    if not hasattr(request.app.state, "live_feeds"):
        request.app.state.live_feeds = {}
    feeds: dict[str, LiveFeed] = request.app.state.live_feeds
    if tenant not in feeds:
        feeds[tenant] = LiveFeed(_reader(database, tenant), clock)
    return feeds[tenant]


async def live_subscription(
    feed: Annotated[LiveFeed, Depends(live_feed)],
    last_event_id: Annotated[
        str | None, Header(max_length=32, description="Id of the last event seen")
    ] = None,
) -> AsyncIterator[Subscription]:
    """Joins before the answer begins, so that a refusal is a proper problem answer."""
    client = await feed.subscribe(last_event_id)
    try:
        yield client
    finally:
        await feed.leave(client)


@router.get("/live", response_class=EventSourceResponse)
async def follow(
    client: Annotated[Subscription, Depends(live_subscription)],
    site: Annotated[Slug | None, Query(description="Only this site")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Bins as they are committed, as events named `bin`; a quiet stream sends comments.

    Every event is sent at least once. The stream ends after five minutes; `Last-Event-ID`
    continues after that event.
    """
    # The answer's head travels with its first bytes: without them a quiet stream looks dead.
    yield ServerSentEvent(comment="following")
    async for event in for_a_while(client.events()):
        if site in (None, event.bin.site):
            view: LiveBinView = live_bin_view(event.bin)
            yield ServerSentEvent(event="bin", id=event.id, data=view)


def _reader(
    database: Database, tenant: str
) -> Callable[[datetime, frozenset[Key]], Sequence[LiveBin]]:
    """Reads on sessions of its own: events outlive the transaction of a request."""

    def read(since: datetime, known: frozenset[Key]) -> Sequence[LiveBin]:
        with database.session() as session:
            session.connection(execution_options={"its_read_only": True})
            store = LiveStore(session, tenant)
            return store.with_counts([b for b in store.bins_since(since) if b.key not in known])

    return read
