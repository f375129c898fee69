"""One TLS 1.3 connection on the event loop → whole packets in, bytes out.

asyncio's own TLS keeps a quarter of a megabyte of buffers for each connection; ten thousand
of them in one process want a plain non-blocking socket instead.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from tests.load.packets import Packet, whole_packets

_READ_BYTES = 16_384


class Listener(Protocol):
    """Who is told what happens on a connection."""

    def received(self, packet: Packet) -> None: ...

    def lost(self, reason: str) -> None: ...


class Connection:
    """Open from ``open_connection`` until ``close`` or until the listener is told of its loss."""

    def __init__(self, tls: ssl.SSLSocket, listener: Listener) -> None:
        self._tls = tls
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._in = bytearray()
        self._out = bytearray()
        self.is_open = True
        self._loop.add_reader(tls.fileno(), self._read)

    @property
    def is_resumed(self) -> bool:
        """True when the handshake was cut short by an earlier session."""
        return bool(self._tls.session_reused)

    def send(self, data: bytes) -> None:
        """Send now, or as soon as the socket takes it."""
        if not self.is_open:
            return
        self._out += data
        self._write()

    def close(self) -> None:
        """Hang up; the listener is not told."""
        if self.is_open:
            self.is_open = False
            self._loop.remove_reader(self._tls.fileno())
            self._loop.remove_writer(self._tls.fileno())
            self._tls.close()

    def _read(self) -> None:
        try:
            while self.is_open:
                data = self._tls.recv(_READ_BYTES)
                if not data:
                    self._lose("the broker hung up")
                    return
                self._in += data
                for packet in whole_packets(self._in):
                    self._listener.received(packet)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._lose(str(error))

    def _write(self) -> None:
        try:
            while self._out:
                del self._out[: self._tls.send(self._out)]
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            self._loop.add_writer(self._tls.fileno(), self._write)
        except OSError as error:
            self._lose(str(error))
        else:
            self._loop.remove_writer(self._tls.fileno())

    def _lose(self, reason: str) -> None:
        self.close()
        self._listener.lost(reason)


async def open_connection(
    address: tuple[str, int], context: ssl.SSLContext, certificate_file: Path, listener: Listener
) -> Connection:
    """A full handshake with this certificate; no state of an earlier one is used.

    Raises:
        OSError: No broker, or it refused the certificate.
    """
    loop = asyncio.get_running_loop()
    plain = socket.socket()
    try:
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(plain, address)
        # One context for all: nothing is awaited between its certificate and the socket's copy.
        context.load_cert_chain(certificate_file)
        tls = context.wrap_socket(plain, server_hostname=address[0], do_handshake_on_connect=False)
    except BaseException:
        plain.close()
        raise
    try:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await _once(tls, loop.add_reader, loop.remove_reader)
            except ssl.SSLWantWriteError:
                await _once(tls, loop.add_writer, loop.remove_writer)
            else:
                return Connection(tls, listener)
    except BaseException:
        tls.close()
        raise


async def _once(
    tls: ssl.SSLSocket,
    add: Callable[..., None],
    remove: Callable[[int], bool],
) -> None:
    """Wait until the socket can be read, or written."""
    ready, number = asyncio.Event(), tls.fileno()
    add(number, ready.set)
    try:
        await ready.wait()
    finally:
        remove(number)
