"""A bundle and the fleet's release key ↔ a signature that every SuperNode checks.

The signature is Flower's (Ed25519 over the time, 8 bytes big-endian, and the SHA-256 of the
bundle), so ``flower-supernode --trusted-entities`` refuses what it does not cover. The release
key is needed for signing alone: the coordinator serves the signed files and never has it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints, ValidationError

from common.errors import ConfigError, TrustError, UnreachableError
from common.flower_processes import APP, APP_VERSION
from common.keys import KEY_ID_PATTERN, SigningKey, VerifyingKey
from common.wire import Digest, Message

BUNDLE_FILE = "federated.fab"
SIGNATURE_FILE = "federated.json"
MOST_BUNDLE_BYTES = 10_000_000

_Base64Url = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z0-9_-]+={0,2}$")]


class BundleSignature(Message):
    """One key's word for one bundle; ``signed_at`` in seconds since 1970."""

    public_key_id: Annotated[str, StringConstraints(pattern=KEY_ID_PATTERN)]
    signed_at: Annotated[int, Field(ge=0, lt=2**63)]
    signature: _Base64Url

    @property
    def at(self) -> datetime:
        """The same moment, aware."""
        return datetime.fromtimestamp(self.signed_at, UTC)


class SignedBundle(Message):
    """What lies beside a bundle, and what the hub tells a SuperLink of it."""

    version: Literal[1] = 1
    app: str = APP
    app_version: str = APP_VERSION
    sha256: Digest
    verifications: Annotated[tuple[BundleSignature, ...], Field(min_length=1, max_length=8)]


def sign_bundle(bundle: bytes, key: SigningKey, *, at: AwareDatetime) -> SignedBundle:
    """Give the fleet's word for a bundle."""
    digest = hashlib.sha256(bundle).digest()
    signed_at = int(at.timestamp())
    signature = base64.urlsafe_b64encode(key.sign(_signed_bytes(digest, signed_at))).decode()
    word = BundleSignature(public_key_id=key.key_id, signed_at=signed_at, signature=signature)
    return SignedBundle(sha256=digest.hex(), verifications=(word,))


def verify_bundle(
    bundle: bytes, signed: SignedBundle, keys: Collection[VerifyingKey]
) -> BundleSignature:
    """The first signature of a trusted key that covers exactly these bytes.

    Raises:
        TrustError: Another bundle, no trusted key, or a signature that does not hold.
    """
    digest = hashlib.sha256(bundle).digest()
    if digest.hex() != signed.sha256:
        raise TrustError(f"bundle has SHA-256 {digest.hex()[:12]}…, expected {signed.sha256[:12]}…")
    known = {key.key_id: key for key in keys}
    for word in signed.verifications:
        if key := known.get(word.public_key_id):
            key.verify(_signed_bytes(digest, word.signed_at), _raw(word.signature))
            return word
    named = ", ".join(word.public_key_id for word in signed.verifications)
    raise TrustError(
        f"bundle signed by {named}, expected one of {', '.join(sorted(known)) or 'no key'}",
        hint="sign it with the fleet's release key: its-camera-ai ml bundle sign",
    )


def write_signed(folder: Path, bundle: bytes, signed: SignedBundle) -> None:
    """Put both files in place; the signature comes last.

    Raises:
        UnreachableError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (
            (BUNDLE_FILE, bundle),
            (SIGNATURE_FILE, signed.model_dump_json(indent=1).encode() + b"\n"),
        ):
            beside = folder / f".{name}.part"
            beside.write_bytes(content)
            beside.replace(folder / name)
    except OSError as error:
        raise UnreachableError(f"bundle cannot be written to {folder}: {error.strerror}") from error


def read_signed(folder: Path) -> tuple[bytes, SignedBundle]:
    """Both files of a folder; nothing is verified yet.

    Raises:
        ConfigError: One is missing, or not ours.
    """
    try:
        with (folder / BUNDLE_FILE).open("rb") as file:
            bundle = file.read(MOST_BUNDLE_BYTES + 1)
        text = (folder / SIGNATURE_FILE).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"no signed bundle in {folder}: {error.strerror}",
            hint="make one with: its-camera-ai ml bundle build, then bundle sign",
        ) from error
    if len(bundle) > MOST_BUNDLE_BYTES:
        raise ConfigError(f"bundle in {folder} is above {MOST_BUNDLE_BYTES} bytes")
    try:
        return bundle, SignedBundle.model_validate(json.loads(text))
    except (ValidationError, ValueError) as error:
        raise ConfigError(f"{folder / SIGNATURE_FILE} is no signature of a bundle") from error


def _signed_bytes(digest: bytes, signed_at: int) -> bytes:
    # flwr.supercore.primitives.asymmetric_ed25519.create_message_to_sign
    return signed_at.to_bytes(8, "big") + digest


def _raw(signature: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    except binascii.Error as error:
        raise TrustError("signature of the bundle is not base64") from error
