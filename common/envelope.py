"""Bytes from the broker → an envelope whose bounds and header hold, or the reason why not.

Layout, big-endian: magic ``ITSE``, version (1 byte), header length (2), body length (4),
header as canonical JSON, body (HPKE ``enc`` and ciphertext), Ed25519 signature (64) over
everything before it. Nothing follows.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError, field_validator

from common.errors import TrustError
from common.ids import Slug
from common.keys import KEY_ID_PATTERN, SIGNATURE_BYTES, SigningKey, VerifyingKey
from common.wire import ClockState, Kind, Message

ENVELOPE_VERSION = 1
MOST_ENVELOPE_BYTES = 65_536
MOST_HEADER_BYTES = 1_024
SEAL_BYTES = 1_136
"""What HPKE adds: 1,120 of ``enc`` (ML-KEM-768, X25519) and 16 of the AES-GCM tag."""

MAGIC = b"ITSE"
_PREFIX = struct.Struct(">4sBHI")

KeyId = Annotated[str, StringConstraints(pattern=KEY_ID_PATTERN)]
Serial = Annotated[int, Field(ge=1, le=2**62)]


class Reason(StrEnum):
    """Why something signed or sealed was not believed; a column of the quarantine."""

    OVERSIZE = "oversize"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    BAD_VERSION = "bad_version"
    UNKNOWN_KEY = "unknown_key"
    BAD_SIGNATURE = "bad_signature"
    CANNOT_OPEN = "cannot_open"
    NOT_CANONICAL = "not_canonical"
    TOO_BIG_INSIDE = "too_big_inside"


class EnvelopeError(TrustError):
    """An envelope or order that was not believed; ``reason`` says why in one word."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class UnsealedHeader(Message):
    """What the sender says of a report before it is sealed.

    Attributes:
        epoch: Stream of the box; a new one whenever its outbox began anew.
        sequence: Position in the stream, from 1.
        created_at: When the report was made, in UTC.
    """

    device: Slug
    kind: Kind
    epoch: Serial
    sequence: Serial
    created_at: AwareDatetime
    clock: ClockState = ClockState.TRUSTED

    @field_validator("created_at")
    @classmethod
    def _is_utc(cls, value: AwareDatetime) -> AwareDatetime:
        # One moment, one spelling: 10:00Z and 12:00+02:00 would be two canonical headers.
        if value.utcoffset() != timedelta(0):
            raise ValueError(f"created_at {value} is not in UTC")
        return value


class Header(UnsealedHeader):
    """What everybody on the way can read of a report.

    Attributes:
        sealed_to: Id of the coordinator's key that opens the body.
        signed_by: Id of the device's key that signed everything.
    """

    version: Literal[1] = 1
    sealed_to: KeyId
    signed_by: KeyId

    @classmethod
    def of(cls, header: UnsealedHeader, *, sealed_to: str, signed_by: str) -> Self:
        """The header of a report that goes to one key and is signed by another."""
        return cls(**header.model_dump(), sealed_to=sealed_to, signed_by=signed_by)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A report on its way; the signature is not checked yet.

    Attributes:
        header: Checked for form alone: until ``verify_envelope`` anybody may have written it.
        header_json: The bytes that the header was read from.
        body: HPKE ``enc`` and ciphertext.
        signature: 64 bytes.
        signed_part: Everything before the signature.
    """

    header: Header
    header_json: bytes = field(repr=False)
    body: bytes | memoryview = field(repr=False)
    signature: bytes = field(repr=False)
    signed_part: bytes | memoryview = field(repr=False)


def parse_envelope(data: bytes) -> Envelope:
    """Split an envelope after every bound was checked.

    Raises:
        EnvelopeError: oversize, truncated, malformed, bad_version or not_canonical.
    """
    header_bytes, body_bytes = _lengths(data)
    whole = memoryview(data)
    body_at = _PREFIX.size + header_bytes
    end = body_at + body_bytes
    header_json = bytes(whole[_PREFIX.size : body_at])
    return Envelope(
        header=_read_header(header_json),
        header_json=header_json,
        body=whole[body_at:end],
        signature=bytes(whole[end:]),
        signed_part=whole[:end],
    )


def verify_envelope(envelope: Envelope, key: VerifyingKey) -> None:
    """Return only when the header and body are what the holder of the key sent.

    Raises:
        EnvelopeError: unknown_key (the header names another key) or bad_signature.
    """
    if envelope.header.signed_by != key.key_id:
        raise EnvelopeError(
            Reason.UNKNOWN_KEY,
            f"signed by key {envelope.header.signed_by}, expected {key.key_id}",
        )
    try:
        key.verify(envelope.signed_part, envelope.signature)
    except TrustError as error:
        raise EnvelopeError(Reason.BAD_SIGNATURE, str(error)) from error


def header_to_json(header: Header) -> bytes:
    """The one spelling of a header: fields as declared, no spaces, moments in UTC with Z."""
    return header.model_dump_json().encode()


def signed_envelope(header_json: bytes, body: bytes, signing: SigningKey) -> bytes:
    """Frame and sign.

    Raises:
        ValueError: The parts do not fit into an envelope.
    """
    size_bytes = _PREFIX.size + len(header_json) + len(body) + SIGNATURE_BYTES
    if len(header_json) > MOST_HEADER_BYTES or size_bytes > MOST_ENVELOPE_BYTES:
        raise ValueError(
            f"header of {len(header_json)} and envelope of {size_bytes} bytes, expected at most "
            f"{MOST_HEADER_BYTES} and {MOST_ENVELOPE_BYTES}; split the report"
        )
    prefix = _PREFIX.pack(MAGIC, ENVELOPE_VERSION, len(header_json), len(body))
    signed = b"".join((prefix, header_json, body))
    return signed + signing.sign(signed)


def _lengths(data: bytes) -> tuple[int, int]:
    if len(data) > MOST_ENVELOPE_BYTES:
        raise EnvelopeError(
            Reason.OVERSIZE, f"envelope of {len(data)} bytes, expected <= {MOST_ENVELOPE_BYTES}"
        )
    if data[:4] != MAGIC[: len(data)]:
        raise EnvelopeError(Reason.MALFORMED, "no envelope of ours, expected the magic ITSE")
    if len(data) > 4 and data[4] != ENVELOPE_VERSION:
        raise EnvelopeError(
            Reason.BAD_VERSION, f"envelope of version {data[4]}, expected {ENVELOPE_VERSION}"
        )
    if len(data) < _PREFIX.size:
        raise EnvelopeError(Reason.TRUNCATED, f"envelope ends after {len(data)} bytes")
    _, _, header_bytes, body_bytes = _PREFIX.unpack_from(data)
    if header_bytes > MOST_HEADER_BYTES or body_bytes > MOST_ENVELOPE_BYTES:
        raise EnvelopeError(
            Reason.OVERSIZE,
            f"header of {header_bytes} and body of {body_bytes} bytes announced, expected at "
            f"most {MOST_HEADER_BYTES} and {MOST_ENVELOPE_BYTES}",
        )
    if body_bytes < SEAL_BYTES:
        raise EnvelopeError(
            Reason.MALFORMED, f"body of {body_bytes} bytes, expected {SEAL_BYTES} or more"
        )
    expected = _PREFIX.size + header_bytes + body_bytes + SIGNATURE_BYTES
    if len(data) != expected:
        reason = Reason.TRUNCATED if len(data) < expected else Reason.MALFORMED
        raise EnvelopeError(reason, f"envelope of {len(data)} bytes announces {expected}")
    return header_bytes, body_bytes


def _read_header(header_json: bytes) -> Header:
    try:
        header = Header.model_validate_json(header_json)
    except ValidationError as error:
        wrong = [".".join(map(str, item["loc"])) or "header" for item in error.errors()]
        reason = Reason.BAD_VERSION if wrong == ["version"] else Reason.MALFORMED
        # The fields alone: the values are a stranger's.
        raise EnvelopeError(reason, f"header is not valid: {', '.join(wrong)[:200]}") from None
    # Two spellings of one header would be two digests of one report.
    if header_to_json(header) != header_json:
        raise EnvelopeError(Reason.NOT_CANONICAL, "header JSON is not in its canonical spelling")
    return header
