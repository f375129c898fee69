"""Offline keys ↔ files that nobody opens without the passphrase.

A file is JSON with the role, the public half, and the private half under AES-256-GCM with a key
that scrypt (RFC 7914) makes from the passphrase: half a second and 256 MB for each guess.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Annotated, Final, Literal

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from common.at_rest import AtRestKey
from common.enrolment import from_base64, to_base64
from common.errors import ConfigError, ConflictError, TrustError
from common.keys import SigningKey, VerifyingKey
from common.private_files import create_private, read_private
from common.settings_files import explain

LEAST_PASSPHRASE = 12
"""Characters; the file may be stolen, and then only scrypt slows a guesser down."""
_LOG2_N: Final = 18
_SALT_BYTES = 16
_Text = Annotated[str, StringConstraints(max_length=2048)]


class LockedKey(BaseModel):
    """One key file.

    Attributes:
        role: What the key signs.
        public: Base64 of the raw Ed25519 key.
        log2_n: Cost of scrypt with r = 8 and p = 1; bounded, or a file could ask for terabytes.
        locked: Base64 of the closed private half.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    role: Literal["root", "targets"]
    public: _Text
    log2_n: Literal[14, 18]
    salt: _Text
    locked: _Text

    @property
    def key(self) -> VerifyingKey:
        """The public half."""
        return VerifyingKey.from_bytes(from_base64(self.public))


def lock_key(
    path: Path, key: SigningKey, *, role: Literal["root", "targets"], passphrase: str
) -> None:
    """Write a new key file, mode 0600.

    Raises:
        ConflictError: There is a file already.
        ConfigError: The passphrase is too short.
        UnreachableError: The folder cannot be written.
    """
    if len(passphrase) < LEAST_PASSPHRASE:
        raise ConfigError(
            f"passphrase of {len(passphrase)} characters, expected at least {LEAST_PASSPHRASE}"
        )
    salt = secrets.token_bytes(_SALT_BYTES)
    cipher = _cipher(passphrase, salt, _LOG2_N)
    file = LockedKey(
        role=role,
        public=to_base64(key.public.raw),
        log2_n=_LOG2_N,
        salt=to_base64(salt),
        locked=to_base64(cipher.encrypt(key.to_pem(), _context(role, key.public))),
    )
    if not create_private(path, (file.model_dump_json(indent=1) + "\n").encode()):
        raise ConflictError(
            f"{path} exists", hint="name a new folder: the fleet trusts the old key"
        )


def read_locked(path: Path) -> LockedKey:
    """Read a key file without opening it.

    Raises:
        ConfigError: Missing, readable by others, or no such file.
    """
    try:
        return LockedKey.model_validate_json(read_private(path))
    except ValidationError as error:
        raise ConfigError(f"key file {path}: {explain(error)}") from error


def unlock_key(path: Path, passphrase: str) -> SigningKey:
    """Open a key file.

    Raises:
        ConfigError: Missing, readable by others, or no such file.
        TrustError: Another passphrase, or the file was changed.
    """
    file = read_locked(path)
    cipher = _cipher(passphrase, from_base64(file.salt), file.log2_n)
    try:
        pem = cipher.decrypt(from_base64(file.locked), _context(file.role, file.key))
    except TrustError as error:
        raise TrustError(
            f"{path} does not open with this passphrase", hint="or the file was changed"
        ) from error
    key = SigningKey.from_pem(pem)
    if key.public != file.key:
        raise TrustError(f"{path} names another public key than it holds")
    return key


def _cipher(passphrase: str, salt: bytes, log2_n: int) -> AtRestKey:
    made = Scrypt(salt=salt, length=32, n=2**log2_n, r=8, p=1).derive(passphrase.encode())
    return AtRestKey(made)


def _context(role: str, public: VerifyingKey) -> bytes:
    return b"its/v1 release key " + role.encode() + hashlib.sha256(public.raw).digest()
