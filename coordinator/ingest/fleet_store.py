"""What boxes say of themselves → their newest health, twin state and last sign of life."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from common.messages import HealthReport
from coordinator.bulk_store import moment_text

_HEALTH = text(
    """
    INSERT INTO device_health (device_id, tenant_id, at, content)
    VALUES (:device, :tenant, :at, :content)
    ON CONFLICT (device_id) DO UPDATE SET at = excluded.at, content = excluded.content
     WHERE device_health.at <= excluded.at
    """
)

_TWIN = text(
    """
    UPDATE twin SET reported_version = :version, reported_state = :state, reported_at = :at
     WHERE device_id = :device AND (reported_at IS NULL OR reported_at <= :at)
    """
)

_SEEN = text(
    """
    UPDATE device SET last_seen_at = :at
     WHERE id = :device AND (last_seen_at IS NULL OR last_seen_at < :at)
    """
)


def add_health(connection: Connection, reports: Iterable[tuple[str, str, HealthReport]]) -> None:
    """Keep the newest health of each box; each report comes with its device and tenant."""
    newest: dict[str, tuple[str, HealthReport]] = {}
    for device, tenant, report in reports:
        if device not in newest or newest[device][1].at <= report.at:
            newest[device] = (tenant, report)
    for device, (tenant, report) in sorted(newest.items()):
        at = _moment(connection, report.at)
        connection.execute(
            _HEALTH,
            {"device": device, "tenant": tenant, "at": at, "content": report.model_dump_json()},
        )
        connection.execute(
            _TWIN,
            {"device": device, "version": report.twin_version, "state": report.twin_state,
             "at": at},
        )  # fmt: skip


def mark_seen(connection: Connection, seen: Mapping[str, datetime]) -> None:
    """Remember when boxes were last heard of."""
    if seen:
        connection.execute(
            _SEEN,
            [{"device": d, "at": _moment(connection, at)} for d, at in sorted(seen.items())],
        )


def _moment(connection: Connection, at: datetime) -> Any:
    return at if connection.dialect.name == "postgresql" else moment_text(at)
