"""A few MQTT 3.1.1 packets over TLS → one message delivered, or one session taken over.

For what the coordinator does now and then: a wish for a box, the end of a retired box's session.
The stream of reports has its own client.
"""

from __future__ import annotations

import socket
import ssl
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from common.errors import TrustError, UnreachableError

_WAIT_S = 10.0
_CONNECT, _CONNACK, _PUBLISH_QOS1, _PUBACK, _DISCONNECT = 0x10, 0x20, 0x32, 0x40, 0xE0
_CLEAN_SESSION = 0x02


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerLogin:
    """How this side signs in to the broker; the files are read at each connection.

    Attributes:
        host: Name or address; must stand in the broker's certificate.
        client_id: The name in the certificate.
    """

    host: str
    port: int
    protocol: str
    client_id: str
    trust_file: Path
    certificate_file: Path
    key_file: Path

    def tls(self) -> ssl.SSLContext:
        """TLS 1.3 with our certificate; the broker must show one of our CA.

        Raises:
            UnreachableError: The files are not there yet, or damaged.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        try:
            context.load_verify_locations(self.trust_file)
            context.load_cert_chain(self.certificate_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise UnreachableError(
                f"certificate files for the broker cannot be used: {error}",
                hint="run its-camera-ai coordinator init",
            ) from error
        return context


class BriefClient:
    """One clean session for one or a few messages.

    Use it as a context manager.
    """

    def __init__(self, login: BrokerLogin) -> None:
        self._login = login
        self._tls: ssl.SSLSocket | None = None
        self._number = 0

    def __enter__(self) -> Self:
        """Sign in.

        Raises:
            UnreachableError: No broker there, or it refused us.
        """
        address = (self._login.host, self._login.port)
        context = self._login.tls()
        try:
            plain = socket.create_connection(address, timeout=_WAIT_S)
            self._tls = context.wrap_socket(plain, server_hostname=self._login.host)
            body = _text("MQTT") + struct.pack(">BBH", 4, _CLEAN_SESSION, 60)
            self._send(_CONNECT, body + _text(self._login.client_id))
            answer = self._receive(_CONNACK)
        except OSError as error:
            self._close()
            raise UnreachableError(
                f"broker {address[0]}:{address[1]} does not answer: {error}",
                hint="start it, or correct broker.host and broker.port",
            ) from error
        if answer[1:] != b"\0":
            self._close()
            raise UnreachableError(f"broker refused {self._login.client_id} with {answer.hex()}")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._send(_DISCONNECT, b"")
        except OSError:
            return  # it is gone already, which is what we wanted
        finally:
            self._close()

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand one message to the broker, QoS 1.

        Raises:
            UnreachableError: The broker did not take it.
        """
        self._number += 1
        number = struct.pack(">H", self._number)
        try:
            self._send(_PUBLISH_QOS1, _text(topic) + number + payload)
            answer = self._receive(_PUBACK)
        except OSError as error:
            raise UnreachableError(f"broker did not take {topic}: {error}") from error
        if answer != number:
            raise TrustError(f"broker acknowledged {answer.hex()}, expected {number.hex()}")

    def _send(self, kind: int, body: bytes) -> None:
        size, length = len(body), bytearray()
        while True:
            size, digit = divmod(size, 128)
            length.append(digit | (0x80 if size else 0))
            if not size:
                break
        if self._tls is None:
            raise ValueError("client is used outside its with block")
        self._tls.sendall(bytes((kind, *length)) + body)

    def _receive(self, kind: int) -> bytes:
        head = self._exactly(2)
        if head[0] != kind or head[1] > 4:
            raise ConnectionError(f"packet {head.hex()}, expected type {kind:#04x}")
        return self._exactly(head[1])

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            if self._tls is None:
                raise ValueError("client is used outside its with block")
            more = self._tls.recv(count - len(data))
            if not more:
                raise ConnectionError("the broker hung up")
            data += more
        return data

    def _close(self) -> None:
        if self._tls is not None:
            self._tls.close()
            self._tls = None


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw
