"""Questions and wishes of operators → what is known of boxes, and their end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import structlog

from common.errors import ConflictError, UnreachableError
from common.timing import Clock
from coordinator.database import Database
from coordinator.fleet.overview import BoxOverview, read_health
from coordinator.fleet.overview_store import OverviewStore
from coordinator.fleet.reading_store import reading
from coordinator.fleet.revocations import Revocations
from coordinator.fleet.states import DeviceState
from coordinator.fleet.store import FleetStore
from coordinator.fleet.tables import DeviceRow
from coordinator.fleet.views import CertificateView, DeviceDetailView, DeviceView, TwinView
from coordinator.security.audit import SecurityAuditLogger
from coordinator.security.audit_entries import Action, Value

log = structlog.get_logger(__name__)


class Fleet:
    """The boxes of one tenant; safe to share between threads."""

    def __init__(
        self, database: Database, revocations: Revocations, *, tenant: str, clock: Clock
    ) -> None:
        self._database = database
        self._revocations = revocations
        self._tenant = tenant
        self._clock = clock
        self._audit = SecurityAuditLogger(tenant=tenant, clock=clock)

    def list(self, *, state: DeviceState | None = None) -> list[DeviceView]:
        """Every box by id."""
        with reading(self._database) as session:
            store = FleetStore(session, self._tenant)
            sites = store.sites()
            ends = store.certificate_ends()
            return [
                DeviceView.of(
                    row,
                    site=sites[row.site_id].slug,
                    certificate_expires_at=ends.get(row.id),
                )
                for row in store.devices(state=state)
            ]

    def overview(self, *, state: DeviceState | None = None) -> Sequence[BoxOverview]:
        """Every box by id, each with its newest health report and its twin."""
        with reading(self._database) as session:
            store, newest = FleetStore(session, self._tenant), OverviewStore(session, self._tenant)
            sites, ends = store.sites(), store.certificate_ends()
            healths, twins = newest.healths(), newest.twins()
            return [
                BoxOverview(
                    device=DeviceView.of(
                        row,
                        site=sites[row.site_id].slug,
                        certificate_expires_at=ends.get(row.id),
                    ),
                    health=read_health(healths.get(row.id)),
                    twin=TwinView.of(row.id, twins.get(row.id)),
                )
                for row in store.devices(state=state)
            ]

    def show(self, device: str) -> DeviceDetailView:
        """One box with everything that is known of it.

        Raises:
            NotFoundError: No such box.
        """
        with reading(self._database) as session:
            store = FleetStore(session, self._tenant)
            row = store.device(device)
            certificates = [
                CertificateView.model_validate(one, from_attributes=True)
                for one in store.certificates(device)
            ]
            health = store.health(device)
            view = self._view(store, row)
            return DeviceDetailView(
                **view.model_dump(),
                key_ids=[key.key_id for key in store.keys(device)],
                certificates=certificates[:20],
                health=health.content if health is not None else None,
            )

    def retire(self, device: str, *, reason: str) -> DeviceView:
        """Revoke certificates and keys; ingest and broker refuse the box within seconds.

        Raises:
            NotFoundError: No such box.
            ConflictError: It has ended already.
        """
        with self._database.session() as session:
            store = FleetStore(session, self._tenant)
            store.device(device)
            row = store.device_to_change(device)
            if row is None or row.state != DeviceState.ENROLLED:
                raise ConflictError(
                    f"device {device!r} is {row.state if row else 'gone'}, expected an enrolled one"
                )
            now = self._clock.now()
            serials = store.end_device(row, state=DeviceState.RETIRED, why=reason, now=now)
            view = self._view(store, row)
            told: dict[str, Value] = {"reason": reason, "certificates": len(serials)}
            self._audit.record(session, Action.DEVICE_RETIRED, subject=device, detail=told)
        log.info("device_retired", device=device, certificates=len(serials))
        try:
            self._revocations.publish()
        except UnreachableError as error:
            # It is retired all the same: ingest asks the tables, and the next round tells.
            log.warning("broker_not_told", device=device, reason=str(error), hint=error.hint)
        return view

    def sites(self) -> Mapping[str, str]:
        """Slug of every site → its name, by slug."""
        with reading(self._database) as session:
            rows = FleetStore(session, self._tenant).sites().values()
            return {row.slug: row.name for row in sorted(rows, key=lambda row: row.slug)}

    def counts(self) -> dict[str, int]:
        """State → number of boxes."""
        with reading(self._database) as session:
            return FleetStore(session, self._tenant).device_counts()

    def _view(self, store: FleetStore, row: DeviceRow) -> DeviceView:
        ends = [one.expires_at for one in store.certificates(row.id) if one.revoked_at is None]
        return DeviceView.of(
            row,
            site=store.sites()[row.site_id].slug,
            certificate_expires_at=max(ends, default=None),
        )
