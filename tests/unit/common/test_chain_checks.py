from __future__ import annotations

import random
from base64 import encodebytes
from contextlib import suppress
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from common.certificates import (
    CertifiedKey,
    Revoked,
    create_issuing,
    create_root,
    device_certificate,
    issue_device,
    make_crl,
    make_csr,
    new_tls_key,
    verify_chain,
)
from common.chain_checks import read_certificates
from common.errors import TrustError
from tests.unit.common.small_authority import (
    DAY,
    NOW,
    box_chain,
    box_key,
    box_leaf,
    box_serial,
    crls,
    issuing,
    root,
    server,
)

pytestmark = pytest.mark.unit

TRUST = root().certificate_pem


def of_box(hours: float = 72) -> bytes:
    return issue_device(issuing(), make_csr(new_tls_key()), device="box-1", now=NOW, hours=hours)


def test_a_chain_tells_the_device_its_serial_and_its_time() -> None:
    found = verify_chain(box_chain(), TRUST, NOW, crls())

    assert (found.device, found.serial) == ("box-1", box_serial())
    assert found.expires_at == NOW + 3 * DAY
    assert found == device_certificate(box_leaf())


def test_a_box_with_a_slow_clock_believes_a_new_certificate() -> None:
    slow = NOW - timedelta(minutes=9)

    assert verify_chain(box_chain(), TRUST, slow, crls()).device == "box-1"
    with pytest.raises(TrustError, match="not valid at validation time"):
        verify_chain(box_chain(), TRUST, NOW - timedelta(minutes=11))


@pytest.mark.parametrize(
    ("hours_later", "is_due"),
    [(0, False), (47, False), (48.5, True), (72, True), (100, True)],
)
def test_a_certificate_is_due_when_a_third_of_its_life_is_left(
    hours_later: float, is_due: bool
) -> None:
    certificate = device_certificate(box_leaf())

    assert certificate.is_due(NOW + timedelta(hours=hours_later)) is is_due


@pytest.mark.parametrize(
    ("chain", "words"),
    [
        pytest.param(box_leaf(), "chain does not hold", id="without the issuing certificate"),
        pytest.param(server()[0], "chain does not hold", id="a server's"),
        pytest.param(issuing().certificate_pem, "chain does not hold", id="the issuing CA itself"),
        pytest.param(b"", "not a certificate", id="empty"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\n!\n", "not a certificate", id="rubbish"),
        pytest.param(
            box_leaf().replace(b"\nMII", b"\nMIJ", 1) + issuing().certificate_pem,
            "certificate",
            id="damaged",
        ),
    ],
)
def test_a_chain_that_does_not_hold_is_refused(chain: bytes, words: str) -> None:
    with pytest.raises(TrustError, match=words):
        verify_chain(chain, TRUST, NOW)


def test_a_chain_of_another_root_is_refused() -> None:
    other = create_root("root of the test", now=NOW, days=1)

    with pytest.raises(TrustError, match="chain does not hold"):
        verify_chain(box_chain(), other.certificate_pem, NOW)


def test_a_box_cannot_certify_another_box() -> None:
    box = CertifiedKey(read_certificates(box_leaf())[0], box_key())
    forged = issue_device(box, make_csr(new_tls_key()), device="box-2", now=NOW, hours=1)

    with pytest.raises(TrustError, match="chain does not hold"):
        verify_chain(forged + box_chain(), TRUST, NOW)


def test_an_issuing_ca_cannot_make_another_ca() -> None:
    below = create_issuing(issuing(), "below", now=NOW, days=1)
    leaf = issue_device(below, make_csr(new_tls_key()), device="box-2", now=NOW, hours=1)
    chain = leaf + below.certificate_pem + issuing().certificate_pem

    with pytest.raises(TrustError, match="chain does not hold"):
        verify_chain(chain, TRUST, NOW)


def test_a_revoked_box_is_refused_and_others_are_not() -> None:
    with pytest.raises(TrustError, match=f"{box_serial()} was revoked"):
        verify_chain(box_chain(), TRUST, NOW, crls(box_serial()))
    assert verify_chain(of_box() + issuing().certificate_pem, TRUST, NOW, crls(box_serial()))


def test_a_revoked_issuing_ca_takes_its_boxes_along() -> None:
    serial = format(issuing().certificate.serial_number, "x")
    lists = make_crl(root(), [Revoked(serial=serial, at=NOW)], NOW, NOW + DAY)

    with pytest.raises(TrustError, match=f"{serial} was revoked"):
        verify_chain(box_chain(), TRUST, NOW, lists + make_crl(issuing(), [], NOW, NOW + DAY))


def test_an_older_list_beside_the_newest_brings_nobody_back() -> None:
    older = make_crl(issuing(), [], NOW - timedelta(hours=1), NOW + DAY)

    with pytest.raises(TrustError, match="was revoked"):
        verify_chain(box_chain(), TRUST, NOW, older + crls(box_serial()) + older)


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        pytest.param(b"", "no revocation list of CN=ITS issuing CA", id="none"),
        pytest.param(make_crl(root(), [], NOW, NOW + DAY), "no revocation list", id="root's alone"),
        pytest.param(make_crl(issuing(), [], NOW, NOW + DAY), "of CN=root", id="issuing's alone"),
        pytest.param(
            make_crl(CertifiedKey(issuing().certificate, new_tls_key()), [], NOW, NOW + DAY),
            "is not signed",
            id="forged",
        ),
        pytest.param(
            make_crl(issuing(), [], NOW - DAY, NOW - timedelta(hours=1)), "ended at", id="ended"
        ),
        pytest.param(
            b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
            "not a revocation list",
            id="rubbish",
        ),
    ],
)
def test_without_good_lists_nobody_is_believed(lists: bytes, words: str) -> None:
    with pytest.raises(TrustError, match=words):
        verify_chain(box_chain(), TRUST, NOW, lists)


def with_changed_bytes(der: bytes, what: bytes, seed: int) -> bytes:
    chance = random.Random(seed)  # noqa: S311 - repeatable accidents
    changed = bytearray(der)
    for at in chance.sample(range(len(der)), chance.randint(1, 3)):
        changed[at] ^= chance.randint(1, 255)
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (what, encodebytes(bytes(changed)), what)


# A damaged serial number may be negative, of which the library warns before it goes on.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
@settings(max_examples=300)
@given(seed=st.integers(0, 2**32))
def test_a_damaged_request_or_certificate_is_never_more_than_not_trusted(seed: int) -> None:
    csr = x509.load_pem_x509_csr(make_csr(box_key(), "box-1")).public_bytes(Encoding.DER)
    leaf = read_certificates(box_leaf())[0].public_bytes(Encoding.DER)
    damaged = with_changed_bytes(leaf, b"CERTIFICATE", seed)

    # An accident may hit the encoding alone and leave the same request.
    with suppress(TrustError):
        wish = with_changed_bytes(csr, b"CERTIFICATE REQUEST", seed)
        issue_device(issuing(), wish, device="box-1", now=NOW, hours=1)
    with suppress(TrustError):
        device_certificate(damaged)
    with pytest.raises(TrustError):
        verify_chain(damaged + issuing().certificate_pem, TRUST, NOW)


def test_a_servers_certificate_names_no_device() -> None:
    for pem in (server()[0], TRUST):
        with pytest.raises(TrustError, match="names"):
            device_certificate(pem)
