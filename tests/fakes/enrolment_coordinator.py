"""A coordinator that only enrols and renews, over real HTTPS on loopback."""

from __future__ import annotations

import json
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from common.certificates import (
    create_issuing,
    create_root,
    issue_device,
    issue_server,
    trust_fingerprint,
)
from common.encryption import OpeningKey, SigningKey, VerifyingKey
from common.enrolment import (
    ENROLMENT_PATH,
    RENEWAL_PATH,
    TRUST_PATH,
    EnrolmentAnswer,
    EnrolmentRequest,
    EnrolmentToken,
    SignedRenewal,
    key_note,
    proven_key,
    read_renewal,
)
from common.errors import TrustError

DEVICE = "box-1"


class EnrolmentCoordinator:
    """Knows one token and one device; what it should do wrongly is set by the test."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.root = create_root("root of the test", now=self.now, days=10)
        self.issuing = create_issuing(self.root, now=self.now, days=5)
        self.opening = OpeningKey.generate()
        self.orders = SigningKey.generate()
        self.token = EnrolmentToken.generate(trust_fingerprint(self.root.certificate_pem))
        self.certificate_hours = 48.0
        self.device = DEVICE
        self.keys: dict[str, VerifyingKey] = {}
        self.requests: list[str] = []
        self.url = ""
        self.answers_to_lose = 0
        self.changes: dict[str, Any] = {}
        self.status: int | None = None
        self.shown_trust = self.root.certificate_pem

    def respond(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        """Status and content; a lost answer has status 0."""
        self.requests.append(f"{method} {path}")
        if self.status is not None:
            return self.status, json.dumps({"detail": "as the test wants"}).encode()
        if path == TRUST_PATH:
            return 200, self.shown_trust
        try:
            answer = self._enrolled(path, body)
        except TrustError as error:
            return 403, json.dumps({"detail": str(error)}).encode()
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            return 0, b""
        content = json.loads(answer.model_dump_json()) | self.changes
        return 200, json.dumps(content).encode()

    def _enrolled(self, path: str, body: bytes) -> EnrolmentAnswer:
        request: Any
        if path == ENROLMENT_PATH:
            request = EnrolmentRequest.model_validate_json(body)
            key = proven_key(request)
            if request.token != self.token.secret or (self.keys and key.key_id not in self.keys):
                raise TrustError("token is not good")
        elif path == RENEWAL_PATH.format(device=self.device):
            signed = SignedRenewal.model_validate_json(body)
            request = read_renewal(signed, self.keys, device=self.device, now=datetime.now(UTC))
            key = proven_key(request)
        else:
            raise TrustError(f"no such path {path}")
        self.keys[key.key_id] = key
        return self._answer(request.csr_pem.encode())

    def _answer(self, csr_pem: bytes) -> EnrolmentAnswer:
        certificate = issue_device(
            self.issuing, csr_pem, device=self.device, now=self.now, hours=self.certificate_hours
        )
        return EnrolmentAnswer.model_validate(
            {
                "device": self.device,
                "site": "harbour",
                "tenant": "city",
                "certificate_pem": certificate.decode(),
                "chain_pem": self.issuing.certificate_pem.decode(),
                "trust_pem": self.root.certificate_pem.decode(),
                "sealing_keys": [key_note(self.opening.public, self.now)],
                "order_keys": [key_note(self.orders.public, self.now)],
                "broker": {"host": "127.0.0.1", "port": 8883, "protocol": "5"},
                "release_root": '{"signed": "as the test wants"}',
            }
        )


@contextmanager
def enrolment_coordinator(*, server_is_strange: bool = False) -> Iterator[EnrolmentCoordinator]:
    """Serve until the end of the block; a strange server shows another CA's certificate."""
    coordinator = EnrolmentCoordinator()
    issuing = EnrolmentCoordinator().issuing if server_is_strange else coordinator.issuing
    chain, key = issue_server(
        issuing,
        names=["localhost"],
        ips=[ip_address("127.0.0.1")],
        now=coordinator.now,
        days=1,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        both = Path(folder, "server.pem")
        both.write_bytes(chain + key)
        context.load_cert_chain(both)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond("GET", b"")

        def do_POST(self) -> None:
            self._respond("POST", self.rfile.read(int(self.headers["content-length"])))

        def _respond(self, method: str, body: bytes) -> None:
            status, content = coordinator.respond(method, self.path, body)
            if not status:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    # The handshake belongs to the thread of the connection, not to the one that accepts.
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    coordinator.url = f"https://127.0.0.1:{server.server_address[1]}"
    try:
        yield coordinator
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
