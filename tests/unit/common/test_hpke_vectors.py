"""Published vectors of HPKE through the library that we seal with.

RFC 9180 publishes none for the hybrid, and the hybrid's draft none with AES-256-GCM. So the
library is shown to agree with both publications, a second key schedule written from the RFC's
text is shown to agree with them too, and then that schedule and our own suite are compared.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, Suite

from common import encryption
from common.encryption import EncryptionManager, OpeningKey, parse_envelope
from common.envelope import SEAL_BYTES
from tests.unit.common import sealed_reports

pytestmark = pytest.mark.unit

VECTORS = json.loads(Path(__file__).with_name("hpke_vectors.json").read_text())
CLASSICAL, HYBRID = VECTORS
CODE_POINTS = {
    "X25519": 0x0020,
    "MLKEM768_X25519": 0x647A,
    "HKDF_SHA256": 0x0001,
    "AES_128_GCM": 0x0001,
    "AES_256_GCM": 0x0002,
    "CHACHA20_POLY1305": 0x0003,
}
KEY_BYTES = {"AES_128_GCM": 16, "AES_256_GCM": 32, "CHACHA20_POLY1305": 32}


def raw(vector: dict[str, str], name: str) -> bytes:
    return bytes.fromhex(vector[name])


def hybrid_halves(seed: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    """The key pair of a 32-byte seed (draft-irtf-cfrg-concrete-hybrid-kems)."""
    expanded = hashlib.shake_256(seed).digest(96)
    return (
        MLKEM768PrivateKey.from_seed_bytes(expanded[:64]),
        X25519PrivateKey.from_private_bytes(expanded[64:]),
    )


def private_key(vector: dict[str, str]) -> Any:
    seed = raw(vector, "skRm")
    if vector["kem"] == "X25519":
        return X25519PrivateKey.from_private_bytes(seed)
    return MLKEM768X25519PrivateKey(*hybrid_halves(seed))


def key_schedule(vector: dict[str, str], aead: str, info: bytes) -> tuple[bytes, bytes]:
    """Key and base nonce out of a shared secret (RFC 9180, §4 and §5.1, base mode)."""
    suite = b"HPKE" + b"".join(
        CODE_POINTS[name].to_bytes(2, "big") for name in (vector["kem"], vector["kdf"], aead)
    )

    def extract(salt: bytes, label: bytes, secret: bytes) -> bytes:
        labelled = b"HPKE-v1" + suite + label + secret
        return hmac.digest(salt or bytes(32), labelled, "sha256")

    def expand(secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
        labelled = length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + context
        return hmac.digest(secret, labelled + b"\x01", "sha256")[:length]

    context = b"\x00" + extract(b"", b"psk_id_hash", b"") + extract(b"", b"info_hash", info)
    secret = extract(raw(vector, "shared_secret"), b"secret", b"")
    return expand(secret, b"key", context, KEY_BYTES[aead]), expand(
        secret, b"base_nonce", context, 12
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["kem"])
def test_the_library_opens_what_the_publication_sealed(vector: dict[str, str]) -> None:
    suite = Suite(
        getattr(KEM, vector["kem"]), getattr(KDF, vector["kdf"]), getattr(AEAD, vector["aead"])
    )

    # The published ciphertexts carry associated data, which the public call does not offer.
    plain = openssl.hpke._decrypt_with_aad(
        suite,
        raw(vector, "enc") + raw(vector, "ct"),
        private_key(vector),
        raw(vector, "info"),
        raw(vector, "aad"),
    )

    assert plain == raw(vector, "pt")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["kem"])
def test_the_second_key_schedule_agrees_with_the_publication(vector: dict[str, str]) -> None:
    derived = key_schedule(vector, vector["aead"], raw(vector, "info"))

    assert derived == (raw(vector, "key"), raw(vector, "base_nonce"))


def test_our_suite_opens_what_the_second_key_schedule_sealed() -> None:
    key, nonce = key_schedule(HYBRID, "AES_256_GCM", b"its/v1 report")
    sealed = raw(HYBRID, "enc") + AESGCM(key).encrypt(nonce, b"forty-one lorries", b"")

    plain = encryption._SUITE.decrypt(sealed, private_key(HYBRID), info=b"its/v1 report")

    assert plain == b"forty-one lorries"


def test_an_envelope_that_another_implementation_sealed_opens() -> None:
    opening = OpeningKey(*hybrid_halves(raw(HYBRID, "skRm")))
    header = encryption.Header.of(
        sealed_reports.header(), sealed_to=opening.key_id, signed_by="0" * 16
    )
    header_json = encryption.header_to_json(header)
    info = b"its/v1 report" + hashlib.sha256(header_json).digest()
    key, nonce = key_schedule(HYBRID, "AES_256_GCM", info)
    # An empty zstd frame with its size: magic, descriptor, size 0, last raw block of 0 bytes.
    frame = bytes.fromhex("28b52ffd2000010000")
    body = raw(HYBRID, "enc") + AESGCM(key).encrypt(nonce, frame, b"")
    data = b"ITSE\x01" + len(header_json).to_bytes(2, "big") + len(body).to_bytes(4, "big")

    envelope = parse_envelope(data + header_json + body + bytes(64))

    assert EncryptionManager(opening=[opening]).open(envelope) == b""
    assert len(body) == SEAL_BYTES + len(frame)
