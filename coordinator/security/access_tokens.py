"""A session ↔ the short-lived JWT of its API calls (RFC 9068, signed with Ed25519).

The algorithm is pinned here and never taken from a token (RFC 8725 3.1). A token says which
session it belongs to and nothing of roles: both are looked up at every request, so that an ended
session or a taken role counts at once and not when the token runs out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import jwt
from jwt.algorithms import OKPAlgorithm

from common.encryption import SigningKey
from common.errors import TrustError
from common.private_files import create_private
from common.timing import Clock
from coordinator.security.opaque import new_id

LIFE_S = 300
_ALGORITHM = "EdDSA"
_TYPE = "at+jwt"
_AUDIENCE = "its-camera-ai/api/v1"
_CLAIMS = ("iss", "aud", "sub", "sid", "jti", "iat", "exp")
_MOST_CHARACTERS = 2048
_AHEAD_S = 60
"""So far the clock of another process of this coordinator may be ahead of ours."""


class ForgedTokenError(TrustError):
    """A token that we never issued: of another key, algorithm, kind or place, or changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessClaims:
    """What a good token says."""

    account_id: str
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A token as it is handed out."""

    text: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"AccessToken(until {self.expires_at})"


class AccessTokens:
    """Issues and reads the tokens of one tenant."""

    def __init__(self, key_file: Path, *, tenant: str, clock: Clock) -> None:
        """Sign with the key in ``key_file``, mode 0600, made where it is missing.

        Raises:
            ConfigError: Readable by others, or not a key.
            UnreachableError: The folder cannot be written.
        """
        if not key_file.exists() and not key_file.is_symlink():
            create_private(key_file, SigningKey.generate().to_pem())
        key = SigningKey.load(key_file)
        self._key_id = key.key_id
        self._key = OKPAlgorithm().prepare_key(key.to_pem())
        self._issuer = f"its-camera-ai/{tenant}"
        self._clock = clock

    def issue(self, claims: AccessClaims) -> AccessToken:
        """A token for five minutes."""
        now = self._clock.now().replace(microsecond=0)
        expires_at = now + timedelta(seconds=LIFE_S)
        payload = {
            "iss": self._issuer,
            "aud": _AUDIENCE,
            "sub": claims.account_id,
            "sid": claims.session_id,
            "jti": new_id(),
            "iat": int(now.timestamp()),
            "exp": int(expires_at.timestamp()),
        }
        text = jwt.encode(
            payload,
            self._key,  # type: ignore[arg-type]
            algorithm=_ALGORITHM,
            headers={"typ": _TYPE, "kid": self._key_id},
        )
        return AccessToken(text=text, expires_at=expires_at)

    def read(self, text: str) -> AccessClaims:
        """What the token says.

        Raises:
            ForgedTokenError: We never issued it.
            TrustError: It has run out.
        """
        if len(text) > _MOST_CHARACTERS:
            raise ForgedTokenError(f"access token of {len(text)} characters is none of ours")
        try:
            header = jwt.get_unverified_header(text)
            if (header.get("kid"), header.get("typ")) != (self._key_id, _TYPE):
                raise ForgedTokenError("access token of another key or kind, expected ours")
            claims = jwt.decode(
                text,
                self._key,  # type: ignore[arg-type]
                algorithms=[_ALGORITHM],
                audience=_AUDIENCE,
                issuer=self._issuer,
                # Times are compared below, with the clock of this coordinator.
                options={
                    "require": list(_CLAIMS), "verify_exp": False, "verify_iat": False,
                    "verify_nbf": False,
                },
            )  # fmt: skip
        except jwt.InvalidTokenError as error:
            raise ForgedTokenError(f"access token does not hold: {error}") from error
        self._require_now(claims["iat"], claims["exp"])
        return AccessClaims(account_id=str(claims["sub"]), session_id=str(claims["sid"]))

    def _require_now(self, issued: object, expires: object) -> None:
        now = self._clock.now().timestamp()
        if not isinstance(issued, int) or not isinstance(expires, int):
            raise ForgedTokenError("access token without times, expected whole seconds")
        if not issued - _AHEAD_S <= now < expires or expires - issued > LIFE_S:
            raise TrustError("access token is not good at this time", hint="refresh it")
