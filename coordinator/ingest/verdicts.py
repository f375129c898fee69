"""A message's fate → accepted with its content, or rejected with one word that says why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from common.messages import UpMessage
from common.wire import Kind
from coordinator.ingest.devices import DeviceIdentity

MOST_DETAIL_CHARACTERS = 256


class Refused(StrEnum):
    """Reasons beside those of the envelope (``common.encryption.Reason``)."""

    FOREIGN_TOPIC = "foreign_topic"
    OTHER_DEVICE = "other_device"
    OTHER_KIND = "other_kind"
    UNKNOWN_DEVICE = "unknown_device"
    FUTURE_CLOCK = "future_clock"
    TOO_OLD = "too_old"
    SCHEMA = "schema"
    REPEATED = "repeated"
    SEQUENCE_REUSED = "sequence_reused"
    BIN_TAKEN = "bin_taken"
    TOO_MANY_SERIES = "too_many_series"
    NOT_STORED = "not_stored"
    NOT_ASKED_FOR = "not_asked_for"


@dataclass(frozen=True, slots=True)
class StreamPlace:
    """Where a report stands among those of its box."""

    device: str
    epoch: int
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message as the broker delivered it."""

    topic: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A report that is what its box sent, and says nothing impossible.

    Attributes:
        place: Unique in the ledger.
        digest: SHA-256 of the opened payload: sealing the same report again changes the
            envelope and not this.
        size_bytes: Of the envelope.
    """

    identity: DeviceIdentity
    place: StreamPlace
    kind: Kind
    created_at: datetime
    digest: bytes
    message: UpMessage
    topic: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A message that goes to the quarantine.

    Attributes:
        reason: One word; a ``Refused`` or a reason of the envelope.
        device: The box it is counted for, None when nobody enrolled it.
        place: Set only when the box's own signature holds: then it is told.
        digest: SHA-256 of the message, hexadecimal.
    """

    reason: str
    topic: str
    device: str | None
    place: StreamPlace | None
    size_bytes: int
    digest: str
    detail: str = ""


class Fate(StrEnum):
    """What became of an accepted report."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a box is told of one report, after the commit."""

    place: StreamPlace
    fate: Fate
    reason: str = ""
