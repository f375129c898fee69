"""A one-time link → somebody with a password and a second factor, who asks the API.

Both are real and random; they live in this process and nowhere else, so that nobody can learn
them. Whoever wants to come in later has a link made: ``its-camera-ai security link``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from common.security import Role
from coordinator.demo_http import ask, send_form
from coordinator.demo_processes import run_command

_PASSWORD_BYTES = 24
_RENEW_AFTER_S = 200.0
"""An access token is good for five minutes."""
_STEP_S = 30


class DemoPerson:
    """Somebody of the demo's city, signed in with both factors."""

    def __init__(self, name: str, *, api_url: str) -> None:
        self.name = name
        self._url = api_url
        self._access = ""
        self._refresh = ""
        self._renewed_s = 0.0

    @classmethod
    def first(cls, name: str, *, api_url: str, config_file: Path) -> DemoPerson:
        """The first administrator, as ``security bootstrap`` lets them in.

        Raises:
            ItsError: The coordinator did not let them in.
        """
        link = config_file.with_name(f"{name}.link")
        run_command(
            "security", "bootstrap", "--name", name,
            "--output", str(link), "--config", str(config_file),
        )  # fmt: skip
        return cls(name, api_url=api_url)._moved_in(link)  # noqa: SLF001 - of its own kind

    @classmethod
    def invited(cls, name: str, role: Role, *, api_url: str, config_file: Path) -> DemoPerson:
        """Somebody whom ``security user add`` invites.

        Raises:
            ItsError: The coordinator did not let them in.
        """
        link = config_file.with_name(f"{name}.link")
        run_command(
            "security", "user", "add", name, "--role", role.value,
            "--output", str(link), "--config", str(config_file),
        )  # fmt: skip
        return cls(name, api_url=api_url)._moved_in(link)  # noqa: SLF001 - of its own kind

    def get(self, path: str) -> Any:
        """What ``/api/v1`` answers to this person."""
        return ask(f"{self._url}/api/v1{path}", bearer=self._token())

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """What becomes of this person's wish."""
        url = f"{self._url}/api/v1{path}"
        return ask(url, method="POST", body=body or {}, bearer=self._token())

    def _moved_in(self, link_file: Path) -> DemoPerson:
        """Open the link, choose a password, scan the seed, show its first code."""
        link = urlsplit(link_file.read_text(encoding="utf-8").strip())
        link_file.unlink()
        secret = parse_qs(link.query)["link"][0]
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        send_form(f"{self._url}/welcome", {"link": secret, "password": password, "again": password})
        session = f"{self._url}/api/v1/session"
        half = ask(session, method="POST", body={"name": self.name, "password": password})
        bearer = half["access_token"]
        seed = ask(f"{session}/factor", method="POST", body={}, bearer=bearer)["seed"]
        code = {"code": one_time_code(seed, at_s=time.time())}
        done = ask(f"{session}/factor/confirmation", method="POST", body=code, bearer=bearer)
        self._take(done["sign_in"])
        return self

    def _token(self) -> str:
        if time.monotonic() - self._renewed_s > _RENEW_AFTER_S:
            body = {"refresh_token": self._refresh}
            self._take(ask(f"{self._url}/api/v1/session/refresh", method="POST", body=body))
        return self._access

    def _take(self, signed_in: Mapping[str, Any]) -> None:
        self._access, self._refresh = signed_in["access_token"], signed_in["refresh_token"]
        self._renewed_s = time.monotonic()


def one_time_code(seed: str, *, at_s: float) -> str:
    """What an authenticator on a phone shows (RFC 6238 with SHA-1 and six digits)."""
    key = base64.b32decode(seed.replace(" ", ""))
    digest = hmac.digest(key, struct.pack(">Q", int(at_s) // _STEP_S), hashlib.sha1)
    (number,) = struct.unpack(">I", digest[(place := digest[-1] & 0xF) : place + 4])
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06d}"
