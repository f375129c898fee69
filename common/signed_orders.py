"""What the coordinator tells a box ↔ bytes that only it can have signed.

Orders are signed, not sealed: acknowledgements and counting geometry are no secret to the
broker. Layout, big-endian: magic ``ITSO``, version (1 byte), key id (8), payload length
(4), payload, Ed25519 signature (64) over everything before it. Nothing follows.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from common.envelope import EnvelopeError, Reason
from common.errors import TrustError
from common.keys import SIGNATURE_BYTES, SigningKey, VerifyingKey

MOST_ORDER_BYTES = 262_144
ORDER_VERSION = 1

# Other than the magic of an envelope: no signature of the one passes for the other.
_MAGIC = b"ITSO"
_PREFIX = struct.Struct(">4sB8sI")


def sign_order(signing: SigningKey, payload_json: bytes) -> bytes:
    """Frame and sign a payload.

    Raises:
        ValueError: The payload is too big.
    """
    size_bytes = _PREFIX.size + len(payload_json) + SIGNATURE_BYTES
    if size_bytes > MOST_ORDER_BYTES:
        raise ValueError(f"order of {size_bytes} bytes, expected at most {MOST_ORDER_BYTES}")
    name = bytes.fromhex(signing.key_id)
    signed = _PREFIX.pack(_MAGIC, ORDER_VERSION, name, len(payload_json)) + payload_json
    return signed + signing.sign(signed)


def read_order(data: bytes, keys: Mapping[str, VerifyingKey]) -> bytes:
    """The payload of an order, after its signature held.

    Args:
        data: What the broker delivered.
        keys: Key id → key; several while the coordinator changes keys.

    Raises:
        EnvelopeError: oversize, truncated, malformed, bad_version, unknown_key or
            bad_signature.
    """
    if len(data) > MOST_ORDER_BYTES:
        raise EnvelopeError(
            Reason.OVERSIZE, f"order of {len(data)} bytes, expected <= {MOST_ORDER_BYTES}"
        )
    if data[:4] != _MAGIC[: len(data)]:
        raise EnvelopeError(Reason.MALFORMED, "no order of ours, expected the magic ITSO")
    if len(data) > 4 and data[4] != ORDER_VERSION:
        raise EnvelopeError(
            Reason.BAD_VERSION, f"order of version {data[4]}, expected {ORDER_VERSION}"
        )
    if len(data) < _PREFIX.size:
        raise EnvelopeError(Reason.TRUNCATED, f"order ends after {len(data)} bytes")
    _, _, name, payload_bytes = _PREFIX.unpack_from(data)
    end = _PREFIX.size + payload_bytes
    if len(data) != end + SIGNATURE_BYTES:
        is_short = len(data) < end + SIGNATURE_BYTES
        raise EnvelopeError(
            Reason.TRUNCATED if is_short else Reason.MALFORMED,
            f"order of {len(data)} bytes announces {end + SIGNATURE_BYTES}",
        )
    key = keys.get(name.hex())
    if key is None:
        raise EnvelopeError(
            Reason.UNKNOWN_KEY,
            f"order signed by key {name.hex()}, expected one of {', '.join(keys) or 'none'}",
        )
    try:
        key.verify(memoryview(data)[:end], bytes(data[end:]))
    except TrustError as error:
        raise EnvelopeError(Reason.BAD_SIGNATURE, str(error)) from error
    return bytes(data[_PREFIX.size : end])
