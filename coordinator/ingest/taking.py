"""Accepted reports → one transaction that stores them all, and what to tell their boxes.

The ledger decides first: a place in a stream is taken once, so a report that arrives again
changes nothing. A report that the database refuses on its own account is found by halving
the batch and quarantined; its neighbours are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import perf_counter

import structlog

from common.messages import BinReport
from common.timing import Clock
from coordinator.database import Database
from coordinator.ingest.metrics import IngestMetrics
from coordinator.ingest.transaction_store import (
    DataRefusedError,
    camera_names,
    camera_of,
    commit_batch,
    quarantine_entry,
)
from coordinator.ingest.verdicts import Accepted, Fate, Outcome, Refused, Rejected
from coordinator.partitions_store import make_room_for, month_of
from coordinator.reports.store import QuarantineEntry, add_to_quarantine
from coordinator.traffic.catalogue_store import CameraName, SeriesCatalogue
from coordinator.traffic.intake_rows import SeriesName, series_keys, series_names

SEEN_EVERY = timedelta(seconds=30)

log = structlog.get_logger(__name__)


class ReportTaker:
    """Takes in batches for one worker; used by one thread at a time."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        metrics: IngestMetrics | None = None,
        tell_repeated: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare; nothing is read before the first batch.

        Args:
            database: Where to.
            clock: What time it is.
            metrics: Where reports are counted.
            tell_repeated: Is told the box of each report that was stored before; never waits.
        """
        self._tell_repeated = tell_repeated
        self._database = database
        self._clock = clock
        self._metrics = metrics or IngestMetrics()
        self._catalogue = SeriesCatalogue(database)
        self._months: set[datetime] = set()
        self._seen: dict[str, datetime] = {}

    def take_in(self, batch: Sequence[Accepted]) -> list[Outcome]:
        """Store what is new; returns after the commit, one outcome a report, in order.

        Raises:
            UnreachableError: The database is away; nothing is lost when the same batch is
                taken in again later.
        """
        started_s = perf_counter()
        try:
            outcomes = self._take_in(batch)
        finally:
            self._metrics.database_s += perf_counter() - started_s
        self._metrics.batches += 1
        for outcome in outcomes:
            if outcome.fate is Fate.STORED:
                self._metrics.stored += 1
            elif outcome.fate is Fate.DUPLICATE:
                self._metrics.duplicates += 1
                if self._tell_repeated is not None:
                    self._tell_repeated(outcome.place.device)
            else:
                self._metrics.refused += 1
                self._metrics.rejected[outcome.reason] += 1
        return outcomes

    def quarantine(self, rejected: Sequence[Rejected]) -> None:
        """Remember messages that were not believed.

        Raises:
            UnreachableError: The database is away.
        """
        if not rejected:
            return
        with self._database.session() as session:
            add_to_quarantine(
                session.connection(), [_entry(each) for each in rejected], at=self._clock.now()
            )
        for each in rejected:
            self._metrics.rejected[each.reason] += 1
            self._metrics.refused += each.place is not None

    def _take_in(self, batch: Sequence[Accepted]) -> list[Outcome]:
        refused = self._learn(batch)
        outcomes = iter(self._store([each for i, each in enumerate(batch) if i not in refused]))
        if refused:
            self._quarantine_accepted(
                [(batch[i], Refused.TOO_MANY_SERIES, detail) for i, detail in refused.items()]
            )
        return [
            Outcome(each.place, Fate.REFUSED, Refused.TOO_MANY_SERIES)
            if i in refused
            else next(outcomes)
            for i, each in enumerate(batch)
        ]

    def _learn(self, batch: Sequence[Accepted]) -> dict[int, str]:
        """Make sure of ids and partitions; index → detail of reports that name too much."""
        self._make_room(
            {
                month_of(b.start)
                for each in batch
                if isinstance(each.message, BinReport)
                for b in each.message.bins
            }
        )
        # Cameras and series are new once in their life: a look at the names is most of it.
        unknown = [(i, each) for i, each in enumerate(batch) if not self._is_known(each)]
        if not unknown:
            return {}
        now = self._clock.now()
        if not self._catalogue.learn(_wanted([each for _, each in unknown]), now=now):
            return {}
        # Together they told too much; one after the other the first of them still fit.
        return {
            i: next(iter(too_much.values()))
            for i, each in unknown
            if (too_much := self._catalogue.learn(_wanted([each]), now=now))
        }

    def _is_known(self, each: Accepted) -> bool:
        message = each.message
        if isinstance(message, BinReport):
            return all(
                self._catalogue.knows(camera_of(each, b.camera), series_keys(b))
                for b in message.bins
            )
        return all(self._catalogue.knows(name, ()) for name in camera_names(each))

    def _make_room(self, months: set[datetime]) -> None:
        """Transactions of their own: the lock that they take would hold up other workers."""
        for month in sorted(months - self._months):
            make_room_for(self._database, first=month, last=month)
            self._months.add(month)

    def _store(self, batch: Sequence[Accepted], *, is_again: bool = False) -> list[Outcome]:
        if not batch:
            return []
        try:
            return self._commit(batch)
        except DataRefusedError as error:
            if is_again and len(batch) == 1:
                return self._give_up(batch[0], error)
        if not is_again:
            # Retention may have dropped a partition that we took for granted.
            self._months.clear()
            self._learn(batch)
            return self._store(batch, is_again=True)
        middle = len(batch) // 2
        return self._store(batch[:middle], is_again=True) + self._store(
            batch[middle:], is_again=True
        )

    def _commit(self, batch: Sequence[Accepted]) -> list[Outcome]:
        now = self._clock.now()
        seen = self._seen_now(batch, now)
        outcomes = commit_batch(self._database, self._catalogue, batch, seen=seen, now=now)
        self._seen |= seen
        return outcomes

    def _seen_now(self, batch: Sequence[Accepted], now: datetime) -> dict[str, datetime]:
        return {
            device: now
            for device in {each.place.device for each in batch}
            if device not in self._seen or now - self._seen[device] >= SEEN_EVERY
        }

    def _give_up(self, each: Accepted, error: DataRefusedError) -> list[Outcome]:
        fault = str(error)
        self._quarantine_accepted([(each, Refused.NOT_STORED, fault)])
        log.error("report_not_stored", device_id=each.place.device, fault=fault)
        return [Outcome(each.place, Fate.REFUSED, Refused.NOT_STORED)]

    def _quarantine_accepted(self, refused: Sequence[tuple[Accepted, Refused, str]]) -> None:
        with self._database.session() as session:
            add_to_quarantine(
                session.connection(),
                [quarantine_entry(*each) for each in refused],
                at=self._clock.now(),
            )


def _wanted(batch: Sequence[Accepted]) -> dict[CameraName, set[SeriesName]]:
    wanted: dict[CameraName, set[SeriesName]] = {}
    for each in batch:
        for name in camera_names(each):
            wanted.setdefault(name, set())
        if isinstance(each.message, BinReport):
            for b in each.message.bins:
                wanted[camera_of(each, b.camera)].update(series_names(b))
    return wanted


def _entry(each: Rejected) -> QuarantineEntry:
    return QuarantineEntry(
        reason=each.reason,
        topic=each.topic,
        device=each.device,
        size_bytes=each.size_bytes,
        digest=each.digest,
        detail=each.detail,
    )
