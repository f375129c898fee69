"""Values that the outbox takes and gives, and rows ↔ bytes that a stolen disk does not tell."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import datetime

from common.encryption import AtRestKey
from common.messages import CameraBin
from common.wire import ClockState, Kind

_LEVEL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The last stored bin that was taken over; its key tells whether the store is still that one.

    Attributes:
        row: Its ``row_id``, 0 for none.
    """

    row: int = 0
    camera: str = ""
    start_s: int = 0
    part: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshBin:
    """A bin as it may leave, and the row of the store that it was made of."""

    row: int
    bin: CameraBin


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingReport:
    """A numbered report without acknowledgement; it never changes any more.

    Attributes:
        bins: How many it holds, 0 for other kinds.
    """

    epoch: int
    sequence: int
    kind: Kind
    created_at: datetime
    clock: ClockState
    bins: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxStatus:
    """How much waits.

    Attributes:
        bins: Not yet in a report.
        reports: Numbered, not acknowledged.
        used_bytes: Of the file.
    """

    bins: int
    reports: int
    used_bytes: int


class RowCipher:
    """Compresses and encrypts."""

    def __init__(self, key: AtRestKey) -> None:
        self._key = key

    def close(self, plain: bytes, context: str) -> bytes:
        """Bytes for the row that ``context`` names."""
        return self._key.encrypt(zlib.compress(plain, level=_LEVEL), context.encode())

    def open(self, content: bytes, context: str) -> bytes:
        """What ``close`` was given for this row.

        Raises:
            TrustError: The row was changed, or closed with another key.
        """
        # Only what we compressed ourselves passes the decryption, so its size is known to be sane.
        return zlib.decompress(self._key.decrypt(content, context.encode()))
