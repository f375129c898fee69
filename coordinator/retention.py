"""The calendar → room for the months to come, and nothing kept beyond its time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from coordinator.database import Database
from coordinator.ingest.plausibility import BEHIND
from coordinator.partitions_store import forget_before, make_room_for
from coordinator.reports.store import forget_quarantine, forget_reports
from coordinator.security.actors import current_actor
from coordinator.security.audit_entries import Action, Deed
from coordinator.security.audit_store import WHOLE_DATABASE, append
from coordinator.traffic.intake_store import forget_told

AHEAD = timedelta(days=40)
"""A month and some days: a coordinator that stands still over a weekend has room on Monday."""

MARGIN = timedelta(days=2)
"""Base rows stay this much longer than late bins are taken in: the local day of the oldest late
bin can still be summed from all of its minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How long what is kept; roll-ups stay for good."""

    minutes_days: int
    quarantine_days: int

    @property
    def behind(self) -> timedelta:
        """Oldest bins that the intake may take in."""
        return min(timedelta(days=self.minutes_days), BEHIND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """What one round did.

    Attributes:
        made: Partitions.
        dropped: Partitions, or rows on SQLite.
        forgotten: Entries of the quarantine and of the ledger, incidents and told losses.
    """

    made: int
    dropped: int
    forgotten: int


def keep_house(database: Database, kept: Kept, *, now: datetime) -> Housekeeping:
    """Make partitions ahead and drop what is over; safe to repeat, once a day is enough.

    Raises:
        UnreachableError: The database is away.
    """
    made = make_room_for(database, first=now, last=now + AHEAD)
    with database.session() as session:
        connection = session.connection()
        dropped = forget_before(connection, now - timedelta(days=kept.minutes_days) - MARGIN)
        forgotten = forget_quarantine(connection, now - timedelta(days=kept.quarantine_days))
        forgotten += forget_reports(connection, now - BEHIND - MARGIN)
        forgotten += forget_told(connection, now - timedelta(days=kept.minutes_days))
        if dropped or forgotten:
            told = {
                "minutes_days": kept.minutes_days,
                "quarantine_days": kept.quarantine_days,
                "dropped": dropped,
                "forgotten": forgotten,
            }
            deed = Deed(
                actor=current_actor(),
                action=Action.HISTORY_DROPPED,
                subject="retention",
                detail=told,
                at=now,
            )
            append(session, WHOLE_DATABASE, deed)
    return Housekeeping(made=made, dropped=dropped, forgotten=forgotten)
