"""Certificates and a revocation list → an MQTT 3.1.1 broker in a thread of this process.

A thread with a loop of its own, because amqtt works long stretches between two awaits: in the
API's loop every burst of reports would be felt as a slow answer. We listen ourselves and hand
amqtt what passed: TLS 1.3, a certificate of ours that is not revoked, a client id that belongs
to it, no foreign last will. What waits in memory is bounded (``_Bounds``); a report that falls
out is sent again, because only a signed acknowledgement ends it.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from amqtt.broker import Broker  # type: ignore[import-untyped]
from amqtt.errors import AMQTTError  # type: ignore[import-untyped]

from common.errors import ConfigError, TrustError
from coordinator.broker.access import is_coordinator, may_publish, may_sign_in
from coordinator.broker.bounded_streams import BoundedReader, BoundedWriter
from coordinator.broker.connect_packet import REFUSED, ConnectPacket, read_connect
from coordinator.broker.waiting import keep_bounds

log = structlog.get_logger(__name__)

_LISTENER = "devices"
_SIGN_IN_S = 10.0
_STOP_S = 10.0
_SESSION_S = 24 * 3600
_PLUGINS = "coordinator.broker.plugins"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """Where it listens, with what, and how much it holds."""

    host: str
    port: int
    trust_file: Path
    certificate_file: Path
    key_file: Path
    most_connections: int = 1000
    most_waiting: int = 4000


class EmbeddedBroker:
    """Starts, stops, and ends the connections of revoked certificates."""

    def __init__(self, settings: EmbeddedSettings) -> None:
        self._settings = settings
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._failure: Exception | None = None
        self._revoked: frozenset[str] = frozenset()
        self._connections: dict[StreamWriter, str] = {}
        self._context: ssl.SSLContext | None = None
        self._room: asyncio.Event | None = None
        self._broker: Any = None

    @property
    def is_alive(self) -> bool:
        """True while it serves."""
        return self._thread is not None and self._thread.is_alive() and self._failure is None

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    def start(self) -> None:
        """Listen; returns when clients may come.

        Raises:
            ConfigError: The address is taken, or a certificate cannot be used.
        """
        self._started.clear()
        self._failure = None
        self._thread = threading.Thread(target=self._run, name="broker", daemon=True)
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            settings = self._settings
            raise ConfigError(
                f"broker cannot listen at {settings.host}:{settings.port}: {self._failure}",
                hint="correct broker.host and broker.port, or stop what listens there",
            ) from self._failure

    def stop(self) -> None:
        """End every connection and the thread; safe to call twice."""
        if self._thread is None or self._loop is None or self._stop is None:
            return
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_STOP_S)
        self._thread = None

    def set_revoked(self, serials: Iterable[str]) -> None:
        """Refuse these certificates from now on, and end their connections."""
        self._revoked = frozenset(serials)
        if self._loop is not None and self.is_alive:
            self._loop.call_soon_threadsafe(self._end_revoked)

    def reload_certificate(self) -> None:
        """Use the certificate files as they are now for new connections."""
        if self._context is not None:
            self._context.load_cert_chain(self._settings.certificate_file, self._settings.key_file)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except (OSError, ssl.SSLError, AMQTTError) as error:
            self._failure = error
            log.error("broker_stopped", reason=str(error))  # noqa: TRY400 - told to the caller
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._context = _tls(self._settings)
        server = await asyncio.start_server(
            self._accept,
            self._settings.host,
            self._settings.port,
            ssl=self._context,
            start_serving=False,  # the address first: without it there is nothing to start
        )
        self._broker = Broker(_configuration(), loop=self._loop)
        await self._broker.start()
        await server.start_serving()
        keeping = asyncio.create_task(
            keep_bounds(self._broker, self._room, most=self._settings.most_waiting)
        )
        log.info("broker_started", host=self._settings.host, port=self._settings.port)
        self._started.set()
        try:
            async with server:
                await self._stop.wait()
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await self._broker.shutdown()
            for writer in list(self._connections):
                writer.transport.abort()
        log.info("broker_ended")

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        serial = ""
        try:
            name, serial = _peer(writer)
            self._connections[writer] = serial
            connect = await asyncio.wait_for(self._signed_in(reader, name, serial), _SIGN_IN_S)
        except (TrustError, EOFError, OSError, TimeoutError) as error:
            log.info("client_refused", reason=str(error), certificate=serial)
            self._connections.pop(writer, None)
            if isinstance(error, TrustError) and not writer.is_closing():
                writer.write(REFUSED)
            writer.close()
            return
        try:
            await self._broker.external_connected(
                self._bounded(reader, name, connect), BoundedWriter(writer), _LISTENER
            )
        except (AMQTTError, OSError, asyncio.IncompleteReadError) as error:
            log.info("client_lost", device=name, reason=repr(error))
        finally:
            self._connections.pop(writer, None)
            writer.close()

    async def _signed_in(self, reader: StreamReader, name: str, serial: str) -> ConnectPacket:
        if serial in self._revoked:
            raise TrustError(f"certificate {serial} of {name} is revoked")
        if not is_coordinator(name) and len(self._connections) > self._settings.most_connections:
            raise TrustError(f"{len(self._connections)} connections, no room for {name}")
        connect = await read_connect(reader)
        if not may_sign_in(name, connect.client_id):
            raise TrustError(f"client id {connect.client_id[:64]!r}, expected {name}")
        if connect.will_topic is not None and not may_publish(name, connect.will_topic):
            raise TrustError(f"last will of {name} on a foreign topic")
        return connect

    def _bounded(self, reader: StreamReader, name: str, connect: ConnectPacket) -> BoundedReader:
        return BoundedReader(
            reader,
            connect.raw,
            room=None if is_coordinator(name) else self._room,
            silence_s=1.5 * connect.keep_alive_s or None,
        )

    def _end_revoked(self) -> None:
        for writer, serial in list(self._connections.items()):
            if serial in self._revoked:
                log.info("revoked_client_ended", certificate=serial)
                writer.transport.abort()


def _tls(settings: EmbeddedSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(settings.trust_file)
    context.load_cert_chain(settings.certificate_file, settings.key_file)
    return context


def _peer(writer: StreamWriter) -> tuple[str, str]:
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    certificate = tls.getpeercert() or {}
    subject: Any = certificate.get("subject", ())
    names = [value for part in subject for key, value in part if key == "commonName"]
    if len(names) != 1:
        raise TrustError(f"certificate names {names}, expected one")
    return str(names[0]), str(certificate["serialNumber"]).lower().lstrip("0")


def _configuration() -> dict[str, Any]:
    return {
        "listeners": {
            "default": {"type": "external", "bind": ""},
            _LISTENER: {"type": "external", "bind": ""},
        },
        "session_expiry_interval": _SESSION_S,
        "plugins": {f"{_PLUGINS}.CertifiedPlugin": {}, f"{_PLUGINS}.TopicsPlugin": {}},
    }
