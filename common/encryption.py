"""Payloads ↔ sealed, signed envelopes that only the coordinator opens.

The rest of the code base takes its cryptography from here: keys, envelopes, signed
orders and encryption at rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from common.at_rest import AtRestKey
from common.compression import FrameError, compressed, decompressed
from common.envelope import (
    MOST_ENVELOPE_BYTES,
    MOST_HEADER_BYTES,
    Envelope,
    EnvelopeError,
    Header,
    Reason,
    UnsealedHeader,
    header_to_json,
    parse_envelope,
    signed_envelope,
    verify_envelope,
)
from common.keys import OpeningKey, SealingKey, SigningKey, VerifyingKey
from common.signed_orders import read_order, sign_order

__all__ = [
    "MOST_ENVELOPE_BYTES",
    "MOST_HEADER_BYTES",
    "MOST_PAYLOAD_BYTES",
    "AtRestKey",
    "EncryptionManager",
    "Envelope",
    "EnvelopeError",
    "Header",
    "OpeningKey",
    "Reason",
    "SealingKey",
    "SigningKey",
    "UnsealedHeader",
    "VerifyingKey",
    "parse_envelope",
    "read_order",
    "sign_order",
    "verify_envelope",
]

MOST_PAYLOAD_BYTES = 262_144

_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_CONTEXT = b"its/v1 report"


class EncryptionManager:
    """Seals and opens reports; one object serves many threads.

    A box has a signing and a sealing key; the coordinator has opening keys, several while
    reports that were sealed to an older one are still on their way.
    """

    def __init__(
        self,
        *,
        signing: SigningKey | None = None,
        opening: Sequence[OpeningKey] = (),
        sealing: SealingKey | None = None,
    ) -> None:
        self._signing = signing
        self._sealing = sealing
        self._opening = {key.key_id: key for key in opening}

    @property
    def signed_by(self) -> str | None:
        """Id of the key that this side signs with."""
        return self._signing.key_id if self._signing else None

    @property
    def opening(self) -> tuple[OpeningKey, ...]:
        """What reports are opened with."""
        return tuple(self._opening.values())

    @property
    def sealed_to(self) -> str | None:
        """Id of the key that this side seals to."""
        return self._sealing.key_id if self._sealing else None

    def seal(self, header: UnsealedHeader, payload: bytes) -> bytes:
        """Compress, seal to the coordinator, sign.

        Args:
            header: Bound to the body: neither can be exchanged.
            payload: Canonical JSON of a payload model.

        Raises:
            ValueError: No signing or sealing key, or a payload that is too big.
        """
        if self._signing is None or self._sealing is None:
            raise ValueError("sealing needs a signing key and a sealing key")
        if len(payload) > MOST_PAYLOAD_BYTES:
            raise ValueError(
                f"payload of {len(payload)} bytes, expected at most {MOST_PAYLOAD_BYTES}"
            )
        full = Header.of(header, sealed_to=self._sealing.key_id, signed_by=self._signing.key_id)
        header_json = header_to_json(full)
        body = _SUITE.encrypt(compressed(payload), self._sealing.key, info=_info(header_json))
        return signed_envelope(header_json, body, self._signing)

    def open(self, envelope: Envelope) -> bytes:
        """The payload of an envelope; ``verify_envelope`` comes first.

        Raises:
            EnvelopeError: unknown_key, cannot_open or too_big_inside.
        """
        key = self._opening.get(envelope.header.sealed_to)
        if key is None:
            raise EnvelopeError(
                Reason.UNKNOWN_KEY,
                f"sealed to key {envelope.header.sealed_to}, "
                f"expected one of {', '.join(self._opening) or 'none'}",
            )
        try:
            packed = _SUITE.decrypt(envelope.body, key.key, info=_info(envelope.header_json))
        except InvalidTag as error:
            raise EnvelopeError(
                Reason.CANNOT_OPEN, f"body does not open with key {key.key_id} and its header"
            ) from error
        try:
            return decompressed(packed, most_bytes=MOST_PAYLOAD_BYTES)
        except FrameError as error:
            reason = Reason.TOO_BIG_INSIDE if error.is_too_big else Reason.CANNOT_OPEN
            raise EnvelopeError(reason, f"body: {error}") from error


def _info(header_json: bytes) -> bytes:
    return _CONTEXT + hashlib.sha256(header_json).digest()
