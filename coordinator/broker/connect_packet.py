"""The first bytes of a connection → who wants to sign in, checked before the broker sees them.

MQTT 3.1.1, §2.2 and §3.1. The embedded broker believes any client id, and sends a last will
without asking its rules; so both are judged here.
"""

from __future__ import annotations

import struct
from asyncio import StreamReader
from dataclasses import dataclass

from common.errors import TrustError

MOST_CONNECT_BYTES = 4096
REFUSED = bytes((0x20, 2, 0, 5))
"""CONNACK "not authorised" (§3.2.2.3)."""

_CONNECT = 0x10
_WILL = 0x04


@dataclass(frozen=True, slots=True)
class ConnectPacket:
    """What a client says first.

    Attributes:
        raw: The packet as it came, for the broker to read again.
        keep_alive_s: 0: the client need not say anything.
    """

    raw: bytes
    client_id: str
    will_topic: str | None
    keep_alive_s: int


async def read_connect(reader: StreamReader) -> ConnectPacket:
    """The CONNECT packet of a new connection.

    Raises:
        TrustError: Another packet, too big, or malformed.
        IncompleteReadError: The connection ended.
    """
    head = bytearray(await reader.readexactly(2))
    if head[0] != _CONNECT:
        raise TrustError(f"first byte {head[0]:#04x}, expected a CONNECT packet")
    while head[-1] & 0x80:
        if len(head) == 5:
            raise TrustError("length of the CONNECT packet is malformed")
        head += await reader.readexactly(1)
    size_bytes = sum((byte & 0x7F) << 7 * i for i, byte in enumerate(head[1:]))
    if size_bytes > MOST_CONNECT_BYTES:
        raise TrustError(f"CONNECT of {size_bytes} bytes, expected at most {MOST_CONNECT_BYTES}")
    body = await reader.readexactly(size_bytes)
    return _parsed(bytes(head) + body, body)


def _parsed(raw: bytes, body: bytes) -> ConnectPacket:
    try:
        _, rest = _text(body)
        _, flags, keep_alive_s = struct.unpack_from(">BBH", rest)
        client_id, rest = _text(rest[4:])
        will_topic = _text(rest)[0] if flags & _WILL else None
    except (struct.error, UnicodeDecodeError) as error:
        raise TrustError("CONNECT packet is malformed") from error
    return ConnectPacket(raw, client_id, will_topic, keep_alive_s)


def _text(data: bytes) -> tuple[str, bytes]:
    (size_bytes,) = struct.unpack_from(">H", data)
    if len(data) < 2 + size_bytes:
        raise struct.error(f"text of {size_bytes} bytes in {len(data)}")
    return data[2 : 2 + size_bytes].decode(), data[2 + size_bytes :]
