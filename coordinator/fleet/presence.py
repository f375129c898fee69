"""When a box was last heard of → whether it is there."""

from __future__ import annotations

from datetime import datetime, timedelta

ONLINE_WITHIN = timedelta(minutes=5)
"""Boxes report every minute; five missed ones are no hiccup of a mobile network."""


def is_online(last_seen_at: datetime | None, now: datetime) -> bool:
    """True when the box was heard of lately."""
    return last_seen_at is not None and now - last_seen_at <= ONLINE_WITHIN
