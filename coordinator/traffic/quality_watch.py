"""Stored bins → an up-to-date gap ledger and the anomalies that were found, camera by camera."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Event

import structlog

from common.errors import UnreachableError
from common.timing import Clock
from coordinator.database import Database
from coordinator.traffic.anomaly_search import search_anomalies
from coordinator.traffic.anomaly_store import AnomalyStore
from coordinator.traffic.gap_store import GapScan, GapStore
from coordinator.traffic.gaps import Reason, learn_threshold_s, ledger, unwatched
from coordinator.traffic.periods import Period
from coordinator.traffic.store import SceneStore, Session

log = structlog.get_logger(__name__)

_LEARN_FROM = timedelta(days=14)
_LOOK_BACK = timedelta(hours=6)
_GRACE = timedelta(minutes=5)
"""A report may take this long before its minutes count as missing."""


class QualityWatch:
    """Scans every site of a tenant, once or again and again."""

    def __init__(self, database: Database, tenant_id: str, clock: Clock) -> None:
        """Prepare; nothing is read yet."""
        self._database = database
        self._tenant_id = tenant_id
        self._clock = clock
        self._searched: dict[str, datetime] = {}

    def run_once(self) -> None:
        """Scan every site, each in a transaction of its own.

        Raises:
            UnreachableError: The database is away.
        """
        with self._database.session() as session:
            sites = [site.slug for site in SceneStore(session, self._tenant_id).sites()]
        now = self._clock.now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        for site in sites:
            with self._database.session() as session:
                # Detectors judge whole hours: between two of them there is nothing new.
                is_due = self._searched.get(site) != hour
                scan_site(session, self._tenant_id, site, now=now, with_anomalies=is_due)
            self._searched[site] = hour

    def run(self, stop: Event, *, every_s: float = 300.0) -> None:
        """Scan until ``stop`` is set; a database that is away is tried again later."""
        while not stop.is_set():
            try:
                self.run_once()
            except UnreachableError as error:
                log.warning("quality_scan_postponed", reason=str(error))
            stop.wait(every_s)


def scan_site(
    session: Session, tenant_id: str, site: str, *, now: datetime, with_anomalies: bool = True
) -> None:
    """Bring the gap ledger of a site up to date and look for anomalies.

    Raises:
        NotFoundError: No such site.
    """
    scene = SceneStore(session, tenant_id).scene(site)
    gaps = GapStore(session, tenant_id)
    for camera in scene.cameras:
        scan_gaps(gaps, camera.id, now=now)
    anomalies = AnomalyStore(session, tenant_id)
    findings = search_anomalies(session, tenant_id, scene, now=now) if with_anomalies else []
    for finding in findings:
        anomalies.record(finding, now=now)
    log.info("site_quality_scanned", site=scene.site.slug, cameras=len(scene.cameras))


def scan_gaps(
    store: GapStore, camera_id: int, *, now: datetime, since: datetime | None = None
) -> None:
    """Write the ledger of one camera from where it may have changed.

    Bins that arrive late fill gaps that were written before, so the newest hours, and gaps
    for which bins arrived, are always written anew. Once a day the threshold is learned again.

    Args:
        store: The ledger.
        camera_id: Camera.
        now: The ledger ends a few minutes before.
        since: Write it anew from here at least.
    """
    first = store.first_bin(camera_id)
    end = now - _GRACE
    if first is None or first >= end:
        return
    known = store.scan(camera_id)
    if known is None or known.scanned_until.date() != end.date():
        known = _learn(store, camera_id, Period(max(first, end - _LEARN_FROM), end))
    begins = [moment for moment in (since, store.filled_since(camera_id)) if moment]
    begin = max(first, min([known.scanned_until - _LOOK_BACK, *begins]))
    begin = store.straddling(camera_id, begin) or begin
    period = Period(begin.replace(second=0, microsecond=0), end)
    works = [work.period for work in store.works([camera_id], period)]
    found = ledger(
        unwatched(store.bins(camera_id, period), period),
        threshold_s=known.threshold_s,
        works=works,
    )
    scan = GapScan(
        threshold_s=known.threshold_s,
        learned_from_pauses=known.learned_from_pauses,
        scanned_until=end,
    )
    store.replace(camera_id, period, found, scan=scan, now=now)
    store.remember(camera_id, scan)


def _learn(store: GapStore, camera_id: int, history: Period) -> GapScan:
    works = [work.period for work in store.works([camera_id], history)]
    pauses = [
        gap.seconds
        for gap in unwatched(store.bins(camera_id, history), history)
        if gap.reason is not Reason.WITHHELD
        and not any(work.overlaps(Period(gap.start, gap.end)) for work in works)
    ]
    return GapScan(
        threshold_s=learn_threshold_s(pauses),
        learned_from_pauses=len(pauses),
        scanned_until=history.start,
    )
