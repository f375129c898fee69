"""Redacted pictures → a page that only this machine can open, behind an unguessable address."""

from __future__ import annotations

import hmac
import secrets
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from common.errors import ConfigError, UnreachableError

LOOPBACK = "127.0.0.1"
MOST_VIEWERS = 4
_WAIT_S = 5.0
_BOUNDARY = "picture"
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Redacted live view</title>
<style>body{margin:0;background:#222;color:#eee;font:16px sans-serif;text-align:center}
img{max-width:100%}</style>
<p>Road users and faces are covered. Nothing is stored.</p><img src="pictures" alt="live view">
</html>"""


class LiveView:
    """Shows the newest picture to whoever knows the address, on this machine only."""

    def __init__(self, *, host: str = LOOPBACK, port: int = 0) -> None:
        """Listen; port 0 takes a free one.

        Raises:
            ConfigError: The host is not this machine's loopback: pictures stay on the box.
            UnreachableError: The port is taken.
        """
        if host != LOOPBACK:
            raise ConfigError(
                f"live view on {host}, expected {LOOPBACK}: pictures do not leave the box",
                hint="look from another machine through: ssh -L PORT:127.0.0.1:PORT BOX",
            )
        self._token = secrets.token_urlsafe(24)
        self._changed = threading.Condition()
        self._picture: bytes | None = None
        self._number = 0
        self._is_over = False
        self._viewers = threading.BoundedSemaphore(MOST_VIEWERS)
        try:
            self._server = _Server((host, port), self)
        except OSError as error:
            raise UnreachableError(
                f"port {port} cannot be used: {error.strerror}", hint="name another with --port"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="live-view"
        )

    @property
    def url(self) -> str:
        """What to open; whoever has it can watch until the view ends."""
        return f"http://{LOOPBACK}:{self.port}/{self._token}/"

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def show(self, picture: bytes) -> None:
        """Replace the picture by a newer one.

        Args:
            picture: A JPEG file.
        """
        with self._changed:
            self._picture = picture
            self._number += 1
            self._changed.notify_all()

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Stop answering, also those who watch."""
        with self._changed:
            self._is_over = True
            self._picture = None
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def knows(self, token: str) -> bool:
        """True for the token of this view."""
        return hmac.compare_digest(token.encode(), self._token.encode())

    def admits(self) -> bool:
        """Take a viewer's place; False when all are taken."""
        return self._viewers.acquire(blocking=False)

    def leave(self) -> None:
        """Give the place back."""
        self._viewers.release()

    def next_picture(self, after: int) -> tuple[int, bytes] | None:
        """The picture after the one with this number, or None when the view is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._number > after, timeout=_WAIT_S)
            if self._is_over or self._picture is None:
                return None
            return self._number, self._picture


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], view: LiveView) -> None:
        self.view = view
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A viewer that went away is no fault, and pictures must not reach a traceback."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "its-camera-ai", ""
    timeout = 30

    def do_GET(self) -> None:
        """Answer the page or the pictures, to this machine's browser with the right address."""
        view = self.server.view
        _, _, path = self.path.partition("/")
        token, _, rest = path.partition("/")
        if not (self._is_asked_by_name() and view.knows(token) and rest in ("", "pictures")):
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"not here\n")
        elif rest == "":
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", _PAGE.encode())
        elif not view.admits():
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"too many viewers\n")
        else:
            try:
                self._stream(view)
            finally:
                view.leave()

    def _is_asked_by_name(self) -> bool:
        """A page elsewhere whose name was pointed at 127.0.0.1 sends its own name here."""
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        return host in (LOOPBACK, "localhost")

    def _stream(self, view: LiveView) -> None:
        self.close_connection = True
        self._head(HTTPStatus.OK, f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
        self.end_headers()
        number = 0
        while (found := view.next_picture(number)) is not None:
            number, picture = found
            self.wfile.write(
                f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
                f"Content-Length: {len(picture)}\r\n\r\n".encode()
            )
            self.wfile.write(picture + b"\r\n")

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self._head(status, kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _head(self, status: HTTPStatus, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header(
            "Content-Security-Policy",
            "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'",
        )

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """The address holds the token, so requests are not logged."""
