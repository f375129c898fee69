from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from common.certificates import (
    CertifiedKey,
    Revoked,
    create_issuing,
    device_certificate,
    issue_device,
    issue_server,
    make_crl,
    make_csr,
    new_tls_key,
    tls_key_from_pem,
    tls_key_to_pem,
    trust_fingerprint,
)
from common.certified_keys import named
from common.chain_checks import read_certificates, read_crls
from common.errors import ConfigError, TrustError
from tests.unit.common.small_authority import (
    DAY,
    NOW,
    box_key,
    box_leaf,
    issuing,
    root,
    server,
)

pytestmark = pytest.mark.unit

TRUST = root().certificate_pem


def test_the_subject_of_a_request_is_not_believed() -> None:
    wish = make_csr(new_tls_key(), "coordinator")

    leaf = issue_device(issuing(), wish, device="box-7", now=NOW, hours=1)

    assert device_certificate(leaf).device == "box-7"


def test_certificates_have_the_extensions_of_their_place() -> None:
    def extension(pem: bytes, kind: type[x509.ExtensionType]) -> x509.Extension[x509.ExtensionType]:
        return read_certificates(pem)[0].extensions.get_extension_for_class(kind)

    limits = [
        extension(pem, x509.BasicConstraints)
        for pem in (TRUST, issuing().certificate_pem, box_leaf(), server()[0])
    ]
    uses = extension(box_leaf(), x509.ExtendedKeyUsage).value
    names = extension(box_leaf(), x509.SubjectAlternativeName).value

    assert [(one.value.ca, one.value.path_length) for one in limits] == [
        (True, 1),
        (True, 0),
        (False, None),
        (False, None),
    ]
    assert all(one.critical for one in limits)
    assert [use._name for use in uses] == ["clientAuth"]
    assert [name.value for name in names] == ["its:device:box-1"]


def test_lists_rise_with_time_and_hold_each_serial() -> None:
    revoked = [Revoked(serial=serial, at=NOW) for serial in ("1a", "2b")]
    early, late = read_crls(
        make_crl(issuing(), [], NOW, NOW + DAY)
        + make_crl(issuing(), revoked, NOW + timedelta(milliseconds=1), NOW + DAY)
    )

    numbers = [
        one.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        for one in (early, late)
    ]
    assert numbers[0] < numbers[1]
    assert [one.serial_number for one in late] == [0x1A, 0x2B]


def request_for(key: Ed25519PrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(named("box-1"))
    return builder.sign(key, None).public_bytes(Encoding.PEM)


def request_for_wide_curve() -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(named("box-1"))
    key = generate_private_key(SECP384R1())
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def request_with_a_changed_signature() -> bytes:
    request = x509.load_pem_x509_csr(make_csr(new_tls_key(), "box-1"))
    der = bytearray(request.public_bytes(Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("csr", "words"),
    [
        pytest.param(b"", "not a certificate request", id="empty"),
        pytest.param(box_leaf(), "not a certificate request", id="a certificate"),
        pytest.param(request_for(Ed25519PrivateKey.generate()), "expected EC P-256", id="Ed25519"),
        pytest.param(request_for_wide_curve(), "expected EC P-256", id="P-384"),
        pytest.param(request_with_a_changed_signature(), "not signed by the key", id="signature"),
    ],
)
def test_a_bad_request_gets_no_certificate(csr: bytes, words: str) -> None:
    with pytest.raises(TrustError, match=words):
        issue_device(issuing(), csr, device="box-1", now=NOW, hours=1)


def test_nothing_outlives_its_issuer() -> None:
    short = create_issuing(root(), now=NOW, days=2)

    leaf = issue_device(short, make_csr(new_tls_key()), device="box-1", now=NOW, hours=720)

    assert device_certificate(leaf).expires_at == NOW + 2 * DAY
    with pytest.raises(TrustError, match="ended at"):
        issue_device(short, make_csr(new_tls_key()), device="box-1", now=NOW + 2 * DAY, hours=1)


def test_two_issuing_cas_have_two_names() -> None:
    later = create_issuing(root(), now=NOW + timedelta(seconds=1), days=1)

    assert later.certificate.subject != issuing().certificate.subject


def test_a_server_needs_a_name() -> None:
    with pytest.raises(ValueError, match="a name or an address"):
        issue_server(issuing(), names=[], ips=[], now=NOW, days=1)


def test_a_server_without_names_is_called_by_its_address() -> None:
    chain, _ = issue_server(
        issuing(), names=[], ips=[ip_address("10.0.0.5"), ip_address("::1")], now=NOW, days=1
    )

    names = read_certificates(chain)[0].extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.IPAddress) == [
        ip_address("10.0.0.5"),
        ip_address("::1"),
    ]


def test_keys_of_the_ca_survive_their_files(tmp_path: Path) -> None:
    root().save(tmp_path / "root.key", tmp_path / "root.pem")

    loaded = CertifiedKey.load(tmp_path / "root.key", tmp_path / "root.pem")

    assert loaded.certificate == root().certificate
    assert (tmp_path / "root.key").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in repr(loaded)
    assert (
        trust_fingerprint(loaded.certificate_pem) == root().certificate.fingerprint(SHA256()).hex()
    )


def test_a_certificate_beside_another_key_is_told(tmp_path: Path) -> None:
    root().save(tmp_path / "root.key", tmp_path / "root.pem")
    issuing().save(tmp_path / "issuing.key", tmp_path / "issuing.pem")

    with pytest.raises(ConfigError, match="is not of the key"):
        CertifiedKey.load(tmp_path / "root.key", tmp_path / "issuing.pem")


def test_only_the_agreed_kind_of_tls_key_is_read() -> None:
    other = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )

    again = tls_key_from_pem(tls_key_to_pem(box_key()))

    assert again.public_key() == box_key().public_key()
    for pem in (other, b"", b"-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(ConfigError, match="TLS key"):
            tls_key_from_pem(pem)
