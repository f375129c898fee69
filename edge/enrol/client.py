"""Requests of a box → the coordinator's answers, over HTTPS that knows one root.

At first contact the box knows a fingerprint alone: it asks anybody for the root, believes
it only when the fingerprint agrees, and tells its token over a connection that this root
vouches for.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import ValidationError

from common.chain_checks import only_certificate, trust_fingerprint
from common.enrolment import (
    ENROLMENT_PATH,
    RENEWAL_PATH,
    TRUST_PATH,
    EnrolmentAnswer,
    EnrolmentRequest,
    SignedRenewal,
)
from common.errors import ConfigError, ConflictError, ItsError, TrustError, UnreachableError
from edge.enrol.identity import trusting

MOST_ANSWER_BYTES = 262_144
_TIMEOUT_S = 20.0
_CLOCK_HINT = "check the address, and that the clock of this box is right"


class CoordinatorClient:
    """Talks to one coordinator."""

    def __init__(self, url: str, *, timeout_s: float = _TIMEOUT_S) -> None:
        """Prepare; nothing is contacted yet.

        Raises:
            ConfigError: Not an https address.
        """
        try:
            parsed = urlsplit(url)
            is_ours = parsed.scheme == "https" and parsed.hostname and parsed.port != 0
        except ValueError as error:
            raise ConfigError(
                "coordinator address cannot be read, expected https://HOST"
            ) from error
        if not is_ours or parsed.username is not None or parsed.query or parsed.path.strip("/"):
            # Whatever else was written there may hold a password.
            raise ConfigError(
                f"coordinator address with host {parsed.hostname!r}, expected https://HOST:PORT"
            )
        self.url = f"https://{parsed.netloc}"
        self._timeout_s = timeout_s

    def trust_anchor(self, fingerprint: str) -> bytes:
        """The root with this fingerprint, whoever it was that told it.

        Raises:
            TrustError: Another root, or none.
            UnreachableError: The coordinator is away.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # Nothing secret is told, and the answer is known by its fingerprint.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        pem = only_certificate(self._ask("GET", TRUST_PATH, context))
        if (found := trust_fingerprint(pem)) != fingerprint:
            raise TrustError(
                f"trust anchor at {self.url} has fingerprint {found}, expected {fingerprint}",
                hint="another coordinator answers at this address than the one of the token",
            )
        return pem

    def enrol(self, request: EnrolmentRequest, trust_pem: bytes) -> EnrolmentAnswer:
        """Bring the token and the public keys.

        Raises:
            TrustError: The server is not vouched for by the root, or refuses the token.
            ConflictError: The token was used by another box.
            UnreachableError: The coordinator is away.
        """
        content = request.model_dump_json().encode()
        return _answer(self._ask("POST", ENROLMENT_PATH, trusting(trust_pem), content))

    def renew(self, signed: SignedRenewal, *, device: str, trust_pem: bytes) -> EnrolmentAnswer:
        """Bring a signed renewal request.

        Raises:
            TrustError: The server is not vouched for by the root, or refuses the request.
            ConflictError: The device is not enrolled any more.
            UnreachableError: The coordinator is away.
        """
        path = RENEWAL_PATH.format(device=device)
        content = signed.model_dump_json().encode()
        return _answer(self._ask("POST", path, trusting(trust_pem), content))

    def _ask(
        self, method: str, path: str, context: ssl.SSLContext, content: bytes | None = None
    ) -> bytes:
        headers = {"content-type": "application/json"} if content is not None else {}
        with (
            _faults_of(self.url),
            httpx.Client(verify=context, timeout=self._timeout_s, trust_env=False) as client,
            client.stream(method, self.url + path, content=content, headers=headers) as response,
        ):
            body = bytearray()
            for piece in response.iter_bytes():
                body += piece
                if len(body) > MOST_ANSWER_BYTES:
                    raise TrustError(
                        f"answer of {self.url} has more than {MOST_ANSWER_BYTES} bytes"
                    )
            if not response.is_success:
                raise _refusal(self.url, response.status_code, bytes(body))
            return bytes(body)


@contextmanager
def _faults_of(url: str) -> Iterator[None]:
    try:
        yield
    except httpx.ConnectError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise TrustError(
                f"{url} is not vouched for by our root: {error}", hint=_CLOCK_HINT
            ) from error
        raise UnreachableError(f"{url} cannot be reached: {error}") from error
    except httpx.HTTPError as error:
        raise UnreachableError(f"{url} did not answer: {type(error).__name__}") from error


def _refusal(url: str, status: int, body: bytes) -> ItsError:
    """What an ``application/problem+json`` answer means to the box (RFC 9457)."""
    try:
        problem: Any = json.loads(body)
    except ValueError:
        problem = None
    detail = problem.get("detail") if isinstance(problem, dict) else None
    said = "".join(c for c in str(detail or "no reason given") if c.isprintable())[:300]
    message = f"{url} answered {status}: {said}"
    if status in (408, 425, 429) or status >= 500:
        return UnreachableError(message, hint="try again later")
    if status == 409:
        return ConflictError(message, hint="a token is good for one box; create a new one")
    return TrustError(message, hint="create a new token, and check the coordinator's log")


def _answer(body: bytes) -> EnrolmentAnswer:
    try:
        return EnrolmentAnswer.model_validate_json(body)
    except ValidationError as error:
        wrong = sorted({".".join(map(str, item["loc"])) or "answer" for item in error.errors()})
        raise TrustError(f"coordinator's answer is not valid at {', '.join(wrong)}") from error
