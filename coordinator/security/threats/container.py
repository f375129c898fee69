"""Settings and a database → what watches and tells; a part of the coordinator's container."""

from __future__ import annotations

from dependency_injector import containers, providers

from common.timing import Clock
from coordinator.config import CoordinatorConfig
from coordinator.database import Database
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_trail import AuditTrail
from coordinator.security.checkpoints import Checkpoints
from coordinator.security.events import SecurityEvents
from coordinator.security.threats.alert_book import AlertBook
from coordinator.security.threats.engine import ThreatDetectionEngine
from coordinator.security.threats.receiver import open_webhook


class WatchContainer(containers.DeclarativeContainer):
    """One object of each; the coordinator's container names those that others use."""

    settings = providers.Dependency(instance_of=CoordinatorConfig)
    clock: providers.Dependency[Clock] = providers.Dependency()
    database = providers.Dependency(instance_of=Database)
    audit = providers.Dependency(instance_of=SecurityAuditLogger)
    checkpoints = providers.Dependency(instance_of=Checkpoints)

    tenant = settings.provided.tenant.id
    events = providers.ThreadSafeSingleton(SecurityEvents, database, tenant=tenant, clock=clock)
    trail = providers.ThreadSafeSingleton(
        AuditTrail, database, checkpoints, tenant=tenant, clock=clock
    )
    alerts = providers.ThreadSafeSingleton(AlertBook, database, audit, tenant=tenant, clock=clock)
    webhook = providers.ThreadSafeSingleton(open_webhook, settings, database, clock)
    engine = providers.ThreadSafeSingleton(
        ThreatDetectionEngine,
        database,
        tenant=tenant,
        clock=clock,
        is_told=settings.provided.alerts.is_told,
    )
