"""Signed bundles in a folder → the two answers that a SuperLink wants of a hub.

Flower asks a hub for every app that is named instead of uploaded, and hands the signatures on
to the nodes. This one listens on the machine itself, knows one app, has no key and no state:
``POST /v1/hub/fetch-fab`` and ``GET /v1/hub/fabs/<sha256>.fab``.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog

from common.flower_processes import HUB_PATH, HUB_PREFIX
from models.federated.bundle_signing import SignedBundle

MOST_REQUEST_BYTES = 4096
_BUNDLES = f"{HUB_PREFIX}/hub/fabs/"

log = structlog.get_logger(__name__)


class Hub(ThreadingHTTPServer):
    """Serves one signed bundle on 127.0.0.1: ``serve_forever`` until ``shutdown``."""

    daemon_threads = True

    def __init__(self, bundle: bytes, signed: SignedBundle, *, port: int = 0) -> None:
        """Listen at once; port 0 takes a free one."""
        self.bundle = bundle
        self.signed = signed
        super().__init__(("127.0.0.1", port), _Answers)

    @property
    def url(self) -> str:
        """What ``FLWR_SUPERGRID_API_URL`` becomes."""
        return f"http://127.0.0.1:{self.server_address[1]}{HUB_PREFIX}"


class _Answers(BaseHTTPRequestHandler):
    server: Hub
    timeout = 20  # a caller that says nothing does not keep a thread

    def do_POST(self) -> None:
        """Where the bundle lies and who signed it."""
        if self.path != HUB_PATH:
            return self._say(HTTPStatus.NOT_FOUND, {"detail": "no such path"})
        asked = self._asked()
        if asked is None:
            return self._say(HTTPStatus.BAD_REQUEST, {"detail": "expected app_id in JSON"})
        app, version = asked.get("app_id"), asked.get("app_version")
        signed = self.server.signed
        if app != signed.app or version not in (None, signed.app_version):
            return self._say(
                HTTPStatus.NOT_FOUND, {"detail": {"available_app_versions": [signed.app_version]}}
            )
        words = [word.model_dump() for word in signed.verifications]
        log.info("bundle_asked_for", app_version=signed.app_version)
        return self._say(
            HTTPStatus.OK,
            {
                "fab_url": f"{self.server.url}/hub/fabs/{signed.sha256}.fab",
                "verifications": words,
            },
        )

    def do_GET(self) -> None:
        """The bundle itself."""
        if self.path != f"{_BUNDLES}{self.server.signed.sha256}.fab":
            return self._say(HTTPStatus.NOT_FOUND, {"detail": "no such bundle"})
        return self._send(HTTPStatus.OK, self.server.bundle, "application/octet-stream")

    def _asked(self) -> dict[str, Any] | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or not 0 < int(length) <= MOST_REQUEST_BYTES:
            return None
        try:
            asked = json.loads(self.rfile.read(int(length)))
        except ValueError:
            return None
        return asked if isinstance(asked, dict) else None

    def _say(self, status: HTTPStatus, answer: dict[str, Any]) -> None:
        self._send(status, json.dumps(answer).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing: what happened is logged where it is decided."""
