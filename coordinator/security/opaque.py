"""Nothing → a random secret that is shown once, and the digest that is kept of it."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path

from common.errors import ConfigError
from common.private_files import create_private, read_private

_BYTES = 32
_ID_BYTES = 16


def new_secret() -> str:
    """256 random bits as text for addresses, headers and cookies."""
    return secrets.token_urlsafe(_BYTES)


def new_id() -> str:
    """128 random bits as hex; no secret, and not to be guessed all the same."""
    return secrets.token_hex(_ID_BYTES)


def digest_of(secret: str) -> str:
    """What is kept: SHA-256 in hex; enough for what nobody can guess, unlike passwords."""
    return hashlib.sha256(secret.encode()).hexdigest()


class KeyedDigest:
    """HMAC-SHA-256 under a key of this coordinator, one use apart from another."""

    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        """Take 32 secret bytes.

        Raises:
            ValueError: Another number of bytes.
        """
        if len(key) != _BYTES:
            raise ValueError(f"key of {len(key)} bytes, expected {_BYTES}")
        self._key = key

    @classmethod
    def load_or_create(cls, path: Path) -> KeyedDigest:
        """Read the key file, mode 0600; make one where there is none.

        Raises:
            ConfigError: Readable by others, or not a key.
            UnreachableError: The folder cannot be written.
        """
        if not path.exists() and not path.is_symlink():
            create_private(path, secrets.token_hex(_BYTES).encode() + b"\n")
        try:
            return cls(bytes.fromhex(read_private(path).decode("ascii").strip()))
        except ValueError as error:
            raise ConfigError(
                f"key file {path} does not hold {2 * _BYTES} hex digits",
                hint="restore it from a backup, or remove it: everybody signs in again",
            ) from error

    def of(self, use: str, text: str) -> str:
        """64 hex digits that only this coordinator can make."""
        return hmac.new(self._key, f"its/v1 {use}\n{text}".encode(), hashlib.sha256).hexdigest()

    def holds(self, use: str, text: str, digest: str) -> bool:
        """Tell whether ``digest`` is the one, in a time that says nothing."""
        return hmac.compare_digest(self.of(use, text).encode(), digest.encode())

    def __repr__(self) -> str:
        return "KeyedDigest(…)"
