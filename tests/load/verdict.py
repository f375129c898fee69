"""Ledgers of the devices and the database → what is lost, and how late the rest was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlmodel import Session

from coordinator.database import Database
from tests.load.device import Device, Told

_Place = tuple[str, int]

_STORED = text("SELECT device_id, sequence FROM report WHERE kind = 'bins'")
_BINS = text("SELECT count(*) FROM camera_bin")
_QUARANTINED = text("SELECT reason, sum(messages) FROM quarantine_count GROUP BY reason")
_COMMITTED = text(
    "SELECT device_id, sequence, pg_xact_commit_timestamp(xmin) FROM report WHERE kind = 'bins'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """Distribution of a delay in milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    most_ms: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Lag | None:
        """None without any."""
        ordered = sorted(seconds)
        if not ordered:
            return None

        def at(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1)

        return cls(p50_ms=at(0.5), p95_ms=at(0.95), p99_ms=at(0.99), most_ms=at(1.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The comparison by (device, sequence).

    Attributes:
        told: Reports that the devices made.
        stored: Reports in the database.
        bins: Camera minutes in the database; each report carries one.
        lost: Made, and not in the database.
        invented: In the database, and not made.
        unanswered: Stored or not, without a signed acknowledgement.
        quarantined: Reason → messages.
        to_commit: From ``created_at``, in the counted time; known for PostgreSQL alone.
        to_answer: From ``created_at`` until the device had verified the answer.
        first_to_answer: The same for the first report of each device, while all connect: its
            camera and series are made with it.
    """

    told: int
    stored: int
    bins: int
    lost: int
    invented: int
    unanswered: int
    quarantined: dict[str, int]
    to_commit: Lag | None
    to_answer: Lag | None
    first_to_answer: Lag | None

    @property
    def is_exact(self) -> bool:
        """True when the database holds what the devices told, once, and all know it."""
        return (
            self.lost == self.invented == self.unanswered == 0
            and self.told == self.stored == self.bins
            and not self.quarantined
        )


def compare(devices: Sequence[Device], database: Database) -> Verdict:
    """Ask the database after everything was answered, or given up."""
    told = {
        (device.box.device, sequence): each
        for device in devices
        for sequence, each in device.ledger.items()
    }
    with database.session() as session:
        stored = {(device, sequence) for device, sequence in session.connection().execute(_STORED)}
        bins = session.connection().execute(_BINS).scalar_one()
        quarantined = {
            reason: int(count) for reason, count in session.connection().execute(_QUARANTINED)
        }
        committed = _committed(session) if database.is_postgresql else {}
    return Verdict(
        told=len(told),
        stored=len(stored),
        bins=bins,
        lost=len(told.keys() - stored),
        invented=len(stored - told.keys()),
        unanswered=sum(each.answered_at is None for each in told.values()),
        quarantined=quarantined,
        to_commit=Lag.of(
            (committed[place] - each.created_at).total_seconds()
            for place, each in told.items()
            if place in committed and place[1] > 1
        ),
        to_answer=Lag.of(_waited_s(told, first=False)),
        first_to_answer=Lag.of(_waited_s(told, first=True)),
    )


def _waited_s(told: Mapping[_Place, Told], *, first: bool) -> Iterator[float]:
    for (_, sequence), each in told.items():
        if each.answered_at is not None and (sequence == 1) is first:
            yield (each.answered_at - each.created_at).total_seconds()


def _committed(session: Session) -> dict[_Place, datetime]:
    rows = session.connection().execute(_COMMITTED)
    return {(device, sequence): at for device, sequence, at in rows}
