"""Simulated boxes → rows that make a coordinator believe them, for benchmarks and history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import text

from coordinator.bulk_store import moment_text
from coordinator.database import Database
from coordinator.ingest.simulated_boxes import SimulatedBox

_TENANT = text(
    "INSERT INTO tenant (id, name, created_at) VALUES (:tenant, :tenant, :now) "
    "ON CONFLICT DO NOTHING"
)
_SITE = text(
    "INSERT INTO site (id, tenant_id, slug, name, timezone, created_at) "
    "VALUES (:site, :tenant, :slug, :slug, 'UTC', :now)"
)
_DEVICE = text(
    "INSERT INTO device (id, tenant_id, site_id, state, enrolled_at, ended_why) "
    "VALUES (:device, :tenant, :site, 'enrolled', :now, '')"
)
_KEY = text(
    "INSERT INTO device_key (key_id, device_id, tenant_id, public_key, valid_from) "
    "VALUES (:key_id, :device, :tenant, :key, :now)"
)


def enrol_simulated(database: Database, boxes: Sequence[SimulatedBox], *, now: datetime) -> None:
    """Enter boxes, their keys and their sites, each of which must be new.

    Raises:
        UnreachableError: The database is away.
    """
    with database.session() as session:
        connection = session.connection()
        at = now if database.is_postgresql else moment_text(now)
        rows = [_row(each, at) for each in boxes]
        for statement in (_TENANT, _SITE, _DEVICE, _KEY):
            connection.execute(statement, rows)


def _row(each: SimulatedBox, at: Any) -> dict[str, Any]:
    identity = each.identity
    return {
        "tenant": identity.tenant,
        "site": identity.site_id,
        "slug": f"simulated-{identity.site_id}",
        "device": each.device,
        "key_id": each.signing.key_id,
        "key": each.signing.public.raw,
        "now": at,
    }
