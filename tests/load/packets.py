"""The few MQTT 3.1.1 packets that a box exchanges ↔ bytes (OASIS MQTT 3.1.1, chapter 3)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 0x20, 0x30, 0x40, 0x90, 0xD0
PINGREQ = b"\xc0\x00"
DISCONNECT = b"\xe0\x00"
_CONNECT, _SUBSCRIBE, _PUBLISH_QOS1 = 0x10, 0x82, 0x32
_CLEAN_SESSION, _QOS1 = 0x02, 1


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of the broker; ``kind`` without its flags."""

    kind: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Publication:
    """A message of the broker, QoS 1."""

    topic: str
    number: int
    payload: bytes


def connect(client_id: str, *, keep_alive_s: int) -> bytes:
    """Sign in with a clean session."""
    body = _text("MQTT") + struct.pack(">BBH", 4, _CLEAN_SESSION, keep_alive_s)
    return _packet(_CONNECT, body + _text(client_id))


def subscribe(wanted: str, *, number: int) -> bytes:
    """Ask for a topic filter, QoS 1."""
    return _packet(_SUBSCRIBE, struct.pack(">H", number) + _text(wanted) + bytes([_QOS1]))


def publish(topic: str, payload: bytes, *, number: int) -> bytes:
    """One message, QoS 1."""
    return _packet(_PUBLISH_QOS1, _text(topic) + struct.pack(">H", number) + payload)


def acknowledge(publication: Publication) -> bytes:
    """The broker may forget it."""
    return _packet(PUBACK, struct.pack(">H", publication.number))


def publication(packet: Packet) -> Publication:
    """What a PUBLISH of QoS 1 brings."""
    (size,) = struct.unpack_from(">H", packet.body)
    topic = packet.body[2 : 2 + size].decode()
    (number,) = struct.unpack_from(">H", packet.body, 2 + size)
    return Publication(topic, number, packet.body[4 + size :])


def whole_packets(received: bytearray) -> Iterator[Packet]:
    """Take every packet that is complete off the front of what was received."""
    while len(received) >= 2:
        size, shift, at = 0, 0, 1
        while True:
            if at >= len(received):
                return
            size |= (received[at] & 0x7F) << shift
            shift, at = shift + 7, at + 1
            if not received[at - 1] & 0x80:
                break
        if len(received) < at + size:
            return
        packet = Packet(received[0] & 0xF0, bytes(received[at : at + size]))
        del received[: at + size]
        yield packet


def _packet(first: int, body: bytes) -> bytes:
    size, length = len(body), bytearray()
    while True:
        size, digit = divmod(size, 128)
        length.append(digit | (0x80 if size else 0))
        if not size:
            return bytes((first, *length)) + body


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw
