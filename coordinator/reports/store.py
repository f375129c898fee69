"""The ledger of received reports, and the bounded quarantine."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, text
from sqlmodel import Session, col

from coordinator.bulk_store import BulkInsert, Row, moment, moment_text, raw, whole, words
from coordinator.fleet.tables import DeviceRow
from coordinator.reports.tables import QuarantineCountRow, QuarantineRow

NOBODY = "?"
"""Device under which messages of strangers are counted: random ids must not fill the table."""

MOST_DETAILS_PER_REASON = 200
_MOST_DETAILS_AT_ONCE = 20

Place = tuple[str, int, int]
"""Device, epoch, sequence."""

_REPORTS = BulkInsert(
    "report",
    [
        words("device_id"), whole("epoch"), whole("sequence"), words("tenant_id"), words("kind"),
        raw("digest"), moment("created_at"), moment("received_at"),
    ],
    key=("device_id", "epoch", "sequence"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEntry:
    """A message that was not believed, as it is remembered."""

    reason: str
    topic: str
    device: str | None
    size_bytes: int
    digest: str
    detail: str = ""


def add_reports(connection: Connection, rows: Sequence[Row]) -> set[Place]:
    """Enter reports into the ledger.

    Args:
        connection: Of the transaction that also stores what the reports say.
        rows: Device, epoch, sequence, tenant, kind, digest, created at and received at
            (both as ``moment_text``).

    Returns:
        The places that were not there before.
    """
    fresh = _REPORTS.new_keys(connection, sorted(rows, key=lambda row: row[:3]))
    return {(row[0], row[1], row[2]) for row in fresh}


def digests_of(connection: Connection, places: Sequence[Place]) -> dict[Place, bytes]:
    """Digests of the reports that stand at these places."""
    found = {}
    query = text(
        "SELECT digest FROM report WHERE device_id = :device AND epoch = :epoch "
        "AND sequence = :sequence"
    )
    for place in places:
        values = dict(zip(("device", "epoch", "sequence"), place, strict=True))
        digest = connection.execute(query, values).scalar()
        if digest is not None:
            found[place] = bytes(digest)
    return found


def add_to_quarantine(
    connection: Connection, entries: Sequence[QuarantineEntry], *, at: datetime
) -> None:
    """Count every entry, and keep the details of the newest few of each reason."""
    by_reason: dict[str, list[QuarantineEntry]] = defaultdict(list)
    for entry in entries:
        by_reason[entry.reason].append(entry)
    counts = Counter((entry.reason, entry.device or NOBODY) for entry in entries)
    now = at if connection.dialect.name == "postgresql" else moment_text(at)
    # One order everywhere: two workers never wait for each other's rows in a ring.
    for (reason, device), messages in sorted(counts.items()):
        connection.execute(
            text(
                "INSERT INTO quarantine_count (reason, device_id, messages, first_at, last_at) "
                "VALUES (:reason, :device, :messages, :now, :now) "
                "ON CONFLICT (reason, device_id) DO UPDATE SET "
                "messages = quarantine_count.messages + excluded.messages, "
                "last_at = excluded.last_at"
            ),
            {"reason": reason, "device": device, "messages": messages, "now": now},
        )
    for reason, group in sorted(by_reason.items()):
        _keep_details(connection, reason, group[-_MOST_DETAILS_AT_ONCE:], now)


def forget_quarantine(connection: Connection, oldest: datetime) -> int:
    """Delete details and counters that nothing was added to since ``oldest``."""
    limit = {"oldest": oldest if connection.dialect.name == "postgresql" else moment_text(oldest)}
    details = connection.execute(text("DELETE FROM quarantine WHERE at < :oldest"), limit)
    counts = connection.execute(text("DELETE FROM quarantine_count WHERE last_at < :oldest"), limit)
    return details.rowcount + counts.rowcount


def forget_reports(connection: Connection, oldest: datetime) -> int:
    """Delete ledger entries so old that the intake would refuse their reports anyway."""
    limit = {"oldest": oldest if connection.dialect.name == "postgresql" else moment_text(oldest)}
    return connection.execute(text("DELETE FROM report WHERE created_at < :oldest"), limit).rowcount


class QuarantineStore:
    """What one tenant may see of the quarantine: its boxes, and what nobody enrolled."""

    def __init__(self, session: Session, tenant_id: str) -> None:
        """Read through ``session`` what concerns ``tenant_id``."""
        self._session = session
        self._devices = select(col(DeviceRow.id)).where(col(DeviceRow.tenant_id) == tenant_id)

    def counts(self) -> Sequence[QuarantineCountRow]:
        """Counters, the newest first."""
        device = col(QuarantineCountRow.device_id)
        ours = device.in_(self._devices) | (device == NOBODY)
        query = (
            select(QuarantineCountRow)
            .where(ours)
            .order_by(
                col(QuarantineCountRow.last_at).desc(),
                col(QuarantineCountRow.reason),
                col(QuarantineCountRow.device_id),
            )
        )
        return self._session.scalars(query).all()

    def newest(
        self, *, reason: str | None = None, device: str | None = None, most: int = 100
    ) -> Sequence[QuarantineRow]:
        """Details, the newest first."""
        known = col(QuarantineRow.device_id)
        query = select(QuarantineRow).where(known.in_(self._devices) | known.is_(None))
        if reason is not None:
            query = query.where(col(QuarantineRow.reason) == reason)
        if device is not None:
            query = query.where(col(QuarantineRow.device_id) == device)
        return self._session.scalars(query.order_by(col(QuarantineRow.id).desc()).limit(most)).all()


def _keep_details(
    connection: Connection, reason: str, entries: Sequence[QuarantineEntry], now: Any
) -> None:
    connection.execute(
        text(
            "INSERT INTO quarantine (at, reason, topic, device_id, size_bytes, digest, detail) "
            "VALUES (:at, :reason, :topic, :device, :size_bytes, :digest, :detail)"
        ),
        [
            {
                "at": now, "reason": reason, "topic": _printable(entry.topic),
                "device": entry.device, "size_bytes": entry.size_bytes, "digest": entry.digest,
                "detail": _printable(entry.detail),
            }
            for entry in entries
        ],
    )  # fmt: skip
    connection.execute(
        text(
            "DELETE FROM quarantine WHERE reason = :reason AND id NOT IN "
            "(SELECT id FROM quarantine WHERE reason = :reason ORDER BY id DESC LIMIT :most)"
        ),
        {"reason": reason, "most": MOST_DETAILS_PER_REASON},
    )


def _printable(words_of_strangers: str) -> str:
    """Without control characters: PostgreSQL refuses NUL, and logs and terminals the others."""
    return "".join(c if c.isprintable() else "�" for c in words_of_strangers)
