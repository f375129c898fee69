"""Keys, headers and envelopes that the tests of sealing share."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from common.encryption import EncryptionManager, OpeningKey, SigningKey, UnsealedHeader
from common.wire import Kind

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
PAYLOAD = b'{"bins":[{"camera":"north","counts":[41,7,0,3,1,0]}]}'


@cache
def signing() -> SigningKey:
    return SigningKey.generate()


@cache
def opening(number: int = 1) -> OpeningKey:
    """One of several key pairs of the coordinator."""
    assert number > 0
    return OpeningKey.generate()


@cache
def box() -> EncryptionManager:
    return EncryptionManager(signing=signing(), sealing=opening().public)


@cache
def coordinator() -> EncryptionManager:
    return EncryptionManager(opening=[opening()])


def header(**changes: Any) -> UnsealedHeader:
    fields: dict[str, Any] = {
        "device": "box-1",
        "kind": Kind.BINS,
        "epoch": 3,
        "sequence": 17,
        "created_at": NOON,
    }
    return UnsealedHeader.model_validate(fields | changes)


@cache
def sealed() -> bytes:
    """One envelope that is in order."""
    return box().seal(header(), PAYLOAD)
