"""What the coordinator keeps anyway → alerts, again and again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import structlog

from common.timing import Clock
from coordinator.database import Database
from coordinator.security.events_store import EventStore
from coordinator.security.threats.alerts_store import AlertStore, Session
from coordinator.security.threats.deliveries_store import DeliveryStore
from coordinator.security.threats.evidence_store import MOST_ROWS, EvidenceStore
from coordinator.security.threats.findings import (
    DEFAULT_LIMITS,
    STANDING,
    Finding,
    Limits,
    Severity,
    ThreatKind,
)
from coordinator.security.threats.report_traces import (
    doubtful_reports,
    repeated_reports,
    two_at_once,
)
from coordinator.security.threats.sign_in_traces import brute_force, spraying
from coordinator.security.threats.silence import silent_devices
from coordinator.security.threats.token_traces import misused_credentials
from coordinator.security.threats.update_traces import odd_updates

log = structlog.get_logger(__name__)

MOST_OF_A_KIND = 20
"""An attack from ten thousand addresses is one alert more, not ten thousand."""

MANY_OTHERS = "many others"

_UPDATES_OF = timedelta(days=1)
_EVENTS_KEPT = timedelta(days=30)
_MOST_EVENTS = 50_000
_FORGET_EVERY = timedelta(hours=1)


class ThreatDetectionEngine:
    """Looks for traces of attacks on one tenant; safe in several processes at once."""

    def __init__(
        self,
        database: Database,
        *,
        tenant: str,
        clock: Clock,
        is_told: bool = False,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            database: With the newest tables.
            tenant: Whose.
            clock: What time it is.
            is_told: Whether somebody is told of new alerts.
            limits: From where on something is a trace.
        """
        self._database = database
        self._tenant = tenant
        self._clock = clock
        self._is_told = is_told
        self._limits = limits
        self._listening_since = clock.now()
        self._forgot_at = clock.now()

    def look(self) -> int:
        """Look once; returns how many alerts are new or worse.

        Raises:
            UnreachableError: The database is away.
        """
        now = self._clock.now()
        findings = bounded(self.findings(now))
        silent = [one.subject for one in findings if one.kind in STANDING]
        told = 0
        if findings or self._has_ended(silent):
            with self._database.session() as session:
                told = self._keep(session, findings, now)
                for kind in STANDING:
                    AlertStore(session, self._tenant).end(kind, silent, now=now)
        if now - self._forgot_at > _FORGET_EVERY:
            self._forgot_at = now
            with self._database.session() as session:
                EventStore(session, self._tenant).forget(now - _EVENTS_KEPT, most=_MOST_EVENTS)
        return told

    def findings(self, now: datetime) -> list[Finding]:
        """Every trace that is there now."""
        limits = self._limits
        with self._database.session() as session:
            session.connection(execution_options={"its_read_only": True})
            evidence = EvidenceStore(session, self._tenant)
            since = now - max(limits.window, limits.reports_window)
            events = EventStore(session, self._tenant).since(since, most=MOST_ROWS)
            doubts = evidence.doubts(now - limits.reports_window)
            streams = evidence.streams()
            quiet = evidence.quiet(now - limits.least_silence)
            fleet = evidence.fleet() if quiet else 0
            updates = evidence.updates(now - _UPDATES_OF)
        return [
            *brute_force(events, now=now, limits=limits),
            *spraying(events, now=now, limits=limits),
            *misused_credentials(events, now=now, limits=limits),
            *doubtful_reports(doubts, now=now, limits=limits),
            *repeated_reports(events, now=now, limits=limits),
            *two_at_once(streams, limits=limits),
            *silent_devices(
                quiet,
                fleet=fleet,
                listening_since=self._listening_since,
                now=now,
                limits=limits,
            ),
            *odd_updates(updates, limits=limits),
        ]

    def open_alerts(self) -> Mapping[Severity, int]:
        """Alerts that nobody has closed.

        Raises:
            UnreachableError: The database is away.
        """
        with self._database.session() as session:
            session.connection(execution_options={"its_read_only": True})
            return AlertStore(session, self._tenant).open_by_severity()

    def _has_ended(self, still: list[str]) -> bool:
        with self._database.session() as session:
            session.connection(execution_options={"its_read_only": True})
            store = AlertStore(session, self._tenant)
            return any(store.has_ended(kind, still) for kind in STANDING)

    def _keep(self, session: Session, findings: Iterable[Finding], now: datetime) -> int:
        store, deliveries = AlertStore(session, self._tenant), DeliveryStore(session, self._tenant)
        told = 0
        for finding in findings:
            kept = store.keep(finding, now=now)
            if kept is None:
                continue
            alert, occasion = kept
            told += 1
            log.warning(
                "alert_raised",
                alert=alert.id,
                kind=finding.kind.value,
                subject=finding.subject,
                severity=finding.severity.value,
                occasion=occasion.value,
            )
            if self._is_told and alert.id is not None:
                deliveries.add(alert.id, occasion, finding.severity, now=now)
        return told


def bounded(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each kind and subject, the worst; of too many of a kind the rest as one."""
    worst: dict[tuple[ThreatKind, str], Finding] = {}
    for finding in findings:
        key = (finding.kind, finding.subject)
        if key not in worst or finding.severity.rank > worst[key].severity.rank:
            worst[key] = finding
    groups: dict[ThreatKind, list[Finding]] = defaultdict(list)
    for finding in worst.values():
        groups[finding.kind].append(finding)
    return [finding for group in groups.values() for finding in _few(group)]


def _few(group: list[Finding]) -> list[Finding]:
    if len(group) <= MOST_OF_A_KIND:
        return group
    # Always the same ones, so that the next look finds their alerts again.
    ordered = sorted(group, key=lambda one: (-one.severity.rank, one.first_at, one.subject))
    rest = ordered[MOST_OF_A_KIND - 1 :]
    others = Finding(
        kind=rest[0].kind,
        subject=MANY_OTHERS,
        severity=max((one.severity for one in rest), key=lambda severity: severity.rank),
        summary=f"{len(rest)} more of the same kind, such as: {rest[0].summary}",
        first_at=min(one.first_at for one in rest),
        last_at=max(one.last_at for one in rest),
        evidence={"others": len(rest)},
    )
    return [*ordered[: MOST_OF_A_KIND - 1], others]
