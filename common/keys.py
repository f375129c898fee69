"""Files and raw bytes ↔ keys that sign, check, seal and open.

Signatures are Ed25519 (RFC 8032). Sealing keys are the HPKE hybrid of ML-KEM-768
(FIPS 203) and X25519 (RFC 7748), code point 0x647a: what is recorded today stays closed
to a quantum computer later, and to anyone who breaks only one of the two.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from common.errors import ConfigError, TrustError
from common.private_files import read_private, write_private

KEY_ID_PATTERN = r"^[0-9a-f]{16}$"
SIGNATURE_BYTES = 64
VERIFYING_KEY_BYTES = 32
SEALING_KEY_BYTES = 1216
"""1184 of ML-KEM-768, then 32 of X25519, as in draft-irtf-cfrg-concrete-hybrid-kems."""

_MLKEM_BYTES = 1184
_PEM = re.compile(rb"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----\n?", re.DOTALL)


def key_id(raw_public_key: bytes) -> str:
    """The name of a key: 16 hex digits of the SHA-256 of its raw public half."""
    return hashlib.sha256(raw_public_key).hexdigest()[:16]


class VerifyingKey:
    """The public half of a signing key; equal when the raw bytes are."""

    __slots__ = ("_key", "key_id", "raw")

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.raw = key.public_bytes_raw()
        self.key_id = key_id(self.raw)

    @classmethod
    def from_bytes(cls, raw: bytes) -> VerifyingKey:
        """Take 32 bytes from the wire.

        Raises:
            TrustError: Not the bytes of a key.
        """
        try:
            return cls(Ed25519PublicKey.from_public_bytes(raw))
        except ValueError as error:
            raise TrustError(
                f"verifying key of {len(raw)} bytes, expected {VERIFYING_KEY_BYTES} of Ed25519"
            ) from error

    def verify(self, data: bytes | memoryview, signature: bytes) -> None:
        """Return only when the signature holds.

        Raises:
            TrustError: It does not.
        """
        try:
            self._key.verify(signature, data)
        except InvalidSignature as error:
            raise TrustError(f"signature does not hold under key {self.key_id}") from error

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VerifyingKey) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"VerifyingKey({self.key_id})"


class SigningKey:
    """An Ed25519 key pair; never shown, saved only with mode 0600."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = VerifyingKey(key.public_key())

    @classmethod
    def generate(cls) -> SigningKey:
        """A new key from the operating system's randomness."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Read a key file.

        Raises:
            ConfigError: Missing, readable by others, or no such key.
        """
        return cls.from_pem(read_private(path), name=f"key file {path}")

    @classmethod
    def from_pem(cls, pem: bytes, *, name: str = "PEM") -> SigningKey:
        """Read what ``to_pem`` wrote.

        Raises:
            ConfigError: No such key; the message says ``name`` of it.
        """
        (key,) = _private_keys(pem, 1, name)
        if not isinstance(key, Ed25519PrivateKey):
            raise _not_a_key(name, "an Ed25519 key")
        return cls(key)

    def save(self, path: Path) -> None:
        """Write the key as PKCS #8 PEM, mode 0600, by an atomic rename.

        Raises:
            UnreachableError: The folder cannot be written.
        """
        write_private(path, self.to_pem())

    def to_pem(self) -> bytes:
        """PKCS #8 without a pass phrase, for files of mode 0600."""
        return _pem(self._key)

    @property
    def key_id(self) -> str:
        """The name of the key, the same as that of its public half."""
        return self.public.key_id

    def sign(self, data: bytes) -> bytes:
        """64 bytes."""
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id})"


class SealingKey:
    """The public half of an opening key; whoever has it can seal, not open."""

    __slots__ = ("key", "key_id", "raw")

    def __init__(self, raw: bytes, key: MLKEM768X25519PublicKey) -> None:
        self.raw = raw
        self.key = key
        self.key_id = key_id(raw)

    @classmethod
    def from_bytes(cls, raw: bytes) -> SealingKey:
        """Take 1216 bytes from the wire.

        Raises:
            TrustError: Not the bytes of a key.
        """
        try:
            mlkem = MLKEM768PublicKey.from_public_bytes(raw[:_MLKEM_BYTES])
            x25519 = X25519PublicKey.from_public_bytes(raw[_MLKEM_BYTES:])
        except ValueError as error:
            raise TrustError(
                f"sealing key of {len(raw)} bytes, expected {SEALING_KEY_BYTES} "
                "of ML-KEM-768 and X25519"
            ) from error
        return cls(bytes(raw), MLKEM768X25519PublicKey(mlkem, x25519))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SealingKey) and other.raw == self.raw

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"SealingKey({self.key_id})"


class OpeningKey:
    """An ML-KEM-768 and an X25519 key pair that together open what was sealed to them."""

    __slots__ = ("_mlkem", "_x25519", "key", "public")

    def __init__(self, mlkem: MLKEM768PrivateKey, x25519: X25519PrivateKey) -> None:
        self._mlkem = mlkem
        self._x25519 = x25519
        self.key = MLKEM768X25519PrivateKey(mlkem, x25519)
        raw = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()
        self.public = SealingKey.from_bytes(raw)

    @classmethod
    def generate(cls) -> OpeningKey:
        """Two new keys from the operating system's randomness."""
        return cls(MLKEM768PrivateKey.generate(), X25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> OpeningKey:
        """Read a key file.

        Raises:
            ConfigError: Missing, readable by others, or no such pair.
        """
        return cls.from_pem(read_private(path), name=f"key file {path}")

    @classmethod
    def from_pem(cls, pem: bytes, *, name: str = "PEM") -> OpeningKey:
        """Read what ``to_pem`` wrote.

        Raises:
            ConfigError: No such pair; the message says ``name`` of it.
        """
        mlkem, x25519 = _private_keys(pem, 2, name)
        if not isinstance(mlkem, MLKEM768PrivateKey) or not isinstance(x25519, X25519PrivateKey):
            raise _not_a_key(name, "an ML-KEM-768 key and an X25519 key")
        return cls(mlkem, x25519)

    def save(self, path: Path) -> None:
        """Write ``to_pem``, mode 0600, by an atomic rename.

        Raises:
            UnreachableError: The folder cannot be written.
        """
        write_private(path, self.to_pem())

    def to_pem(self) -> bytes:
        """Two PKCS #8 PEM blocks, ML-KEM as its seed (RFC 9935), without a pass phrase."""
        return _pem(self._mlkem) + _pem(self._x25519)

    @property
    def key_id(self) -> str:
        """The name of the key, the same as that of its public half."""
        return self.public.key_id

    def __repr__(self) -> str:
        return f"OpeningKey({self.key_id})"


def _pem(key: Ed25519PrivateKey | MLKEM768PrivateKey | X25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _private_keys(pem: bytes, count: int, name: str) -> list[object]:
    blocks = _PEM.findall(pem)
    if len(blocks) != count:
        raise ConfigError(f"{name} holds {len(blocks)} private keys, expected {count}")
    try:
        return [load_pem_private_key(block, None) for block in blocks]
    except ValueError as error:
        raise _not_a_key(name, "a key in PKCS #8 PEM") from error


def _not_a_key(name: str, expected: str) -> ConfigError:
    return ConfigError(
        f"{name} does not hold {expected}", hint="restore it from a backup, or make anew"
    )
