"""Bytes that stay on this machine ↔ the same, closed with a key of this machine.

AES-256-GCM (NIST SP 800-38D) with a random nonce: good for 2^32 records of one key, a
record a second for 136 years. Layout: magic ``ITSR``, version (1 byte), nonce (12),
ciphertext and tag.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.errors import ConfigError, TrustError
from common.private_files import create_private, read_private

_PREFIX = b"ITSR\x01"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_KEY_BYTES = 32


class AtRestKey:
    """Closes files and rows, so that a stolen disk without its key file tells nothing."""

    __slots__ = ("_cipher", "key_id")

    def __init__(self, raw: bytes) -> None:
        """Take 32 secret bytes.

        Raises:
            ValueError: Another number of bytes.
        """
        if len(raw) != _KEY_BYTES:
            raise ValueError(f"key of {len(raw)} bytes, expected {_KEY_BYTES}")
        self._cipher = AESGCM(raw)
        self.key_id = hashlib.sha256(b"its/v1 at rest key id" + raw).hexdigest()[:16]

    @classmethod
    def load_or_create(cls, path: Path) -> AtRestKey:
        """Read the key file, mode 0600; make one where there is none.

        Raises:
            ConfigError: Readable by others, or not a key.
            UnreachableError: The folder cannot be written.
        """
        if not path.exists() and not path.is_symlink():
            create_private(path, secrets.token_bytes(_KEY_BYTES).hex().encode() + b"\n")
        content = read_private(path)
        try:
            return cls(bytes.fromhex(content.decode("ascii").strip()))
        except ValueError as error:
            raise ConfigError(
                f"key file {path} does not hold {2 * _KEY_BYTES} hex digits",
                hint="restore it from a backup; what it closed cannot be opened without it",
            ) from error

    def encrypt(self, data: bytes, context: bytes) -> bytes:
        """Close the data.

        Args:
            data: Anything.
            context: What the data are, such as a table and row; needed again to decrypt, so
                that no record can be put in another's place.
        """
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return b"".join((_PREFIX, nonce, self._cipher.encrypt(nonce, data, _PREFIX + context)))

    def decrypt(self, data: bytes, context: bytes) -> bytes:
        """Open what ``encrypt`` closed under the same context.

        Raises:
            TrustError: Changed, cut short, of another context or of another key.
        """
        start = len(_PREFIX) + _NONCE_BYTES
        if len(data) < start + _TAG_BYTES or data[: len(_PREFIX)] != _PREFIX:
            raise TrustError(f"record of {len(data)} bytes is none that was encrypted at rest")
        nonce = data[len(_PREFIX) : start]
        try:
            return self._cipher.decrypt(nonce, data[start:], _PREFIX + context)
        except InvalidTag as error:
            raise TrustError(
                f"record does not open with key {self.key_id}, it was changed or is of another"
            ) from error

    def __repr__(self) -> str:
        return f"AtRestKey({self.key_id})"
