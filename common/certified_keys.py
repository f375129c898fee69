"""Files ↔ TLS keys (P-256), their certificate requests and the CA's certified keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from common.chain_checks import read_certificates
from common.errors import ConfigError
from common.private_files import read_private, write_private

TlsKey = EllipticCurvePrivateKey
"""P-256; named here so that others need not know which library it comes from."""


@dataclass(frozen=True, slots=True)
class CertifiedKey:
    """A private key of the CA with the certificate that speaks for it."""

    certificate: x509.Certificate
    key: EllipticCurvePrivateKey = field(repr=False)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate alone."""
        return self.certificate.public_bytes(Encoding.PEM)

    def save(self, key_path: Path, certificate_path: Path) -> None:
        """Write both files, mode 0600, each by an atomic rename.

        Raises:
            UnreachableError: A folder cannot be written.
        """
        write_private(key_path, tls_key_to_pem(self.key))
        write_private(certificate_path, self.certificate_pem)

    @classmethod
    def load(cls, key_path: Path, certificate_path: Path) -> CertifiedKey:
        """Read both files.

        Raises:
            ConfigError: Missing, readable by others, or not belonging together.
        """
        key = tls_key_from_pem(read_private(key_path))
        (certificate, *_) = read_certificates(read_private(certificate_path, what="certificate"))
        if certificate.public_key() != key.public_key():
            raise ConfigError(f"certificate {certificate_path} is not of the key in {key_path}")
        return cls(certificate, key)


def new_tls_key() -> EllipticCurvePrivateKey:
    """A new P-256 key."""
    return generate_private_key(SECP256R1())


def tls_key_to_pem(key: EllipticCurvePrivateKey) -> bytes:
    """PKCS #8 without a pass phrase, for files of mode 0600."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def tls_key_from_pem(pem: bytes) -> EllipticCurvePrivateKey:
    """Read a P-256 key.

    Raises:
        ConfigError: Not such a key.
    """
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError) as error:
        raise ConfigError("TLS key is not a private key in PKCS #8 PEM") from error
    if not isinstance(key, EllipticCurvePrivateKey) or not isinstance(key.curve, SECP256R1):
        raise ConfigError(f"TLS key is {type(key).__name__}, expected EC P-256")
    return key


def make_csr(key: EllipticCurvePrivateKey, device: str | None = None) -> bytes:
    """Ask for a certificate; a box that is not enrolled yet has no name to ask for."""
    name = named(device) if device else x509.Name([])
    request = x509.CertificateSigningRequestBuilder().subject_name(name)
    return request.sign(key, SHA256()).public_bytes(Encoding.PEM)


def named(text: str) -> x509.Name:
    """A name that consists of a common name."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
