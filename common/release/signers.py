"""Our signing keys ↔ what the TUF library calls keys and signers."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.signer import Key, Signature, Signer, SSlibKey

from common.keys import SigningKey, VerifyingKey


def tuf_key(key: VerifyingKey) -> SSlibKey:
    """The public half as it stands in ``root.json``."""
    return SSlibKey.from_crypto(Ed25519PublicKey.from_public_bytes(key.raw))


class KeySigner(Signer):
    """Signs metadata with one of our Ed25519 keys."""

    def __init__(self, key: SigningKey) -> None:
        """Sign with ``key``."""
        self._key = key
        self._public = tuf_key(key.public)

    @property
    def public_key(self) -> Key:
        """The public half."""
        return self._public

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Key, *_handler: Any) -> Signer:
        """Not offered: keys come out of files of ours, never out of an address.

        Raises:
            ValueError: Always.
        """
        raise ValueError(f"no key at {priv_key_uri!r}, expected a key of ours for {public_key}")

    def sign(self, payload: bytes) -> Signature:
        """Signature over the canonical bytes of a piece of metadata."""
        return Signature(self._public.keyid, self._key.sign(payload).hex())
