"""Simulated boxes and a coordinator that believes them, for tests of the intake."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from common.encryption import EncryptionManager, OpeningKey
from coordinator.database import Database
from coordinator.fleet.tables import DeviceKeyRow, DeviceRow, SiteRow, TenantRow
from coordinator.ingest.devices import DeviceIdentity
from coordinator.ingest.intake import Intake
from coordinator.ingest.simulated_boxes import SimulatedBox
from coordinator.ingest.verdicts import Accepted, Received
from tests.fakes.clocks import StandingClock

NOW = datetime(2026, 3, 14, 12, 30, tzinfo=UTC)
OPENING = OpeningKey.generate()


def box(number: int = 1, *, site_id: int = 1, tenant: str = "town") -> SimulatedBox:
    """A box whose reports open with ``OPENING``."""
    return SimulatedBox(number, tenant=tenant, site_id=site_id, sealing=OPENING.public)


class FakeKeys:
    """A fleet in a dictionary."""

    def __init__(self, identities: Iterable[DeviceIdentity]) -> None:
        self.identities = {(i.device, i.key.key_id): i for i in identities}

    def find(self, device: str, key_id: str) -> DeviceIdentity | None:
        return self.identities.get((device, key_id))

    def knows(self, device: str) -> bool:
        return any(known == device for known, _ in self.identities)


def intake_for(*boxes: SimulatedBox, now: datetime = NOW) -> Intake:
    """An intake that believes these boxes, at ``now``."""
    return Intake(
        keys=FakeKeys(each.identity for each in boxes),
        manager=lambda: MANAGER,
        clock=StandingClock(now),
    )


def accepted(intake: Intake, messages: Iterable[Received]) -> list[Accepted]:
    """Verdicts on messages that all must be believed."""
    verdicts = [intake.examine(message) for message in messages]
    assert all(isinstance(verdict, Accepted) for verdict in verdicts), verdicts
    return [verdict for verdict in verdicts if isinstance(verdict, Accepted)]


def enrol(database: Database, *boxes: SimulatedBox, timezone: str = "UTC") -> None:
    """Rows of tenants, sites, boxes and keys, as the fleet would have written them."""
    tenants = {each.identity.tenant for each in boxes}
    sites = {each.identity.site_id: each.identity.tenant for each in boxes}
    with database.session() as session:
        session.add_all(TenantRow(id=name, name=name, created_at=NOW) for name in tenants)
        session.flush()
        session.add_all(
            SiteRow(
                id=number, tenant_id=tenant, slug=f"site-{number}", name="Site",
                timezone=timezone, created_at=NOW,
            )
            for number, tenant in sites.items()
        )  # fmt: skip
        session.flush()
        session.add_all(
            DeviceRow(
                id=each.device, tenant_id=each.identity.tenant, site_id=each.identity.site_id,
                state="enrolled", enrolled_at=NOW,
            )
            for each in boxes
        )  # fmt: skip
        session.flush()
        session.add_all(
            DeviceKeyRow(
                key_id=each.signing.key_id, device_id=each.device,
                tenant_id=each.identity.tenant, public_key=each.signing.public.raw,
                valid_from=NOW,
            )
            for each in boxes
        )  # fmt: skip


MANAGER = EncryptionManager(opening=[OPENING])
