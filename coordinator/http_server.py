"""An application and an address → uvicorn in a thread of this process.

Not the broker's loop and not the main thread: answers come while a burst of reports is
delivered, and signals stay with whoever stops the whole process in order.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import structlog
import uvicorn
from starlette.types import ASGIApp

from common.errors import ConfigError

log = structlog.get_logger(__name__)

_STARTED_S = 20.0
_GRACE_S = 5
_BACKLOG = 256
_BELIEVED_PROXIES = ["127.0.0.1", "::1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAddress:
    """Where an application listens; with certificate files by TLS 1.3.

    ``behind_proxy``: a proxy on this machine says for whom it asks, and whether by TLS.
    """

    name: str
    host: str
    port: int
    certificate_file: Path | None = None
    key_file: Path | None = None
    behind_proxy: bool = False


class HttpServer:
    """One listening application."""

    def __init__(self, app: ASGIApp, address: HttpAddress) -> None:
        self._app = app
        self._address = address
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None
        self._context: ssl.SSLContext | None = None

    @property
    def is_alive(self) -> bool:
        """True while it answers."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Listen; returns when requests are answered.

        Raises:
            ConfigError: The address is taken, or the certificate cannot be used.
        """
        address = self._address
        if address.certificate_file is not None:
            self._tls()  # a file that cannot be used is told here, not in the server's thread
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        try:
            self._socket = socket.create_server(
                (address.host, address.port), family=family, backlog=_BACKLOG
            )
        except OSError as error:
            raise ConfigError(
                f"{address.name} cannot listen at {address.host}:{address.port}: {error.strerror}",
                hint=f"give {address.name} another address or port, or stop what is there",
            ) from error
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            proxy_headers=address.behind_proxy,
            forwarded_allow_ips=_BELIEVED_PROXIES,
            server_header=False,
            ws="none",  # nobody here speaks WebSocket
            lifespan="off",
            timeout_graceful_shutdown=_GRACE_S,
            ssl_context_factory=None if address.certificate_file is None else self._tls,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name=address.name, daemon=True)
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(_STARTED_S * 50)):
            if self._server.started or not self._thread.is_alive():
                break
            waited.wait(0.02)
        if not self._server.started:
            raise ConfigError(f"{address.name} did not start", hint="look at the log before this")
        log.info("http_started", name=address.name, host=address.host, port=address.port)

    def stop(self) -> None:
        """Answer what was asked, then end; safe to call twice."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(_GRACE_S + 5)
        if self._socket is not None:
            self._socket.close()

    def reload_certificate(self) -> None:
        """Use the certificate files as they are now for new connections.

        Raises:
            ConfigError: They cannot be used; the ones before go on.
        """
        if self._context is not None:
            self._load_certificate(self._context)

    def _run(self) -> None:
        if self._server is not None and self._socket is not None:
            asyncio.run(self._server.serve(sockets=[self._socket]))

    def _tls(self, *_default: object) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._load_certificate(context)
        self._context = context
        return context

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        address = self._address
        if address.certificate_file is None:
            raise ValueError("no certificate for a listener with TLS")
        try:
            context.load_cert_chain(address.certificate_file, address.key_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"{address.name} cannot use certificate {address.certificate_file} with key "
                f"{address.key_file}: {error.strerror or error}",
                hint="both in PEM, the certificate with its chain, readable by this user",
            ) from error
