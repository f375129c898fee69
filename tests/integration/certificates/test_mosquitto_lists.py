"""Which certificates and revocation lists a real mosquitto lets in."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from common.certificates import (
    CertifiedKey,
    Revoked,
    create_issuing,
    device_certificate,
    issue_device,
    make_crl,
    make_csr,
    new_tls_key,
    renew_issuing,
    tls_key_from_pem,
    tls_key_to_pem,
)
from common.free_ports import free_port
from tests.fakes.mosquitto_broker import MosquittoBroker, new_folder, require_mosquitto
from tests.unit.common.small_authority import (
    DAY,
    NOW,
    box_chain,
    box_key,
    box_serial,
    crls,
    issuing,
    root,
    server,
)

pytestmark = pytest.mark.integration

WAIT_S = 10.0
CONNECT = bytes.fromhex("101000044d5154540402003c0004626f7831")
ACCEPTED = bytes.fromhex("20020000")


def write_folder(lists: bytes, *, cafile: bytes) -> Path:
    folder = new_folder()
    chain, key = server()
    for name, content in {
        "ca.pem": cafile,
        "server.pem": chain,
        "server.key": key,
        "revoked.pem": lists,
    }.items():
        (folder / name).write_bytes(content)
    (folder / "mosquitto.conf").write_text(
        f"listener {free_port()} 127.0.0.1\n"
        "tls_version tlsv1.3\n"
        f"cafile {folder}/ca.pem\n"
        f"certfile {folder}/server.pem\n"
        f"keyfile {folder}/server.key\n"
        f"crlfile {folder}/revoked.pem\n"
        "require_certificate true\n"
        "use_identity_as_username true\n"
    )
    return folder


@pytest.fixture(
    params=[
        pytest.param(b"", id="root trusted"),
        pytest.param(issuing().certificate_pem, id="root and issuing trusted"),
    ]
)
def broker(request: pytest.FixtureRequest) -> Iterator[MosquittoBroker]:
    require_mosquitto()
    with MosquittoBroker(
        write_folder(crls(), cafile=root().certificate_pem + request.param)
    ) as running:
        yield running


def is_let_in(
    broker: MosquittoBroker,
    folder: Path,
    chain: bytes | None = None,
    key: EllipticCurvePrivateKey | None = None,
) -> bool:
    """True when the broker answers an MQTT CONNECT under this certificate."""
    both = folder / "client.pem"
    both.write_bytes((chain or box_chain()) + tls_key_to_pem(key or box_key()))
    context = ssl.create_default_context(cadata=root().certificate_pem.decode())
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(both)
    try:
        with (
            socket.create_connection(("127.0.0.1", broker.port), WAIT_S) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
        ):
            tls.sendall(CONNECT)
            return tls.recv(4) == ACCEPTED
    except (ssl.SSLError, ConnectionError):
        # With TLS 1.3 the refusal of our certificate arrives after our own handshake.
        return False


def new_box(issuer: CertifiedKey) -> tuple[bytes, EllipticCurvePrivateKey]:
    key = new_tls_key()
    leaf = issue_device(issuer, make_csr(key), device="box-2", now=NOW, hours=1)
    return leaf + issuer.certificate_pem, key


def reload(broker: MosquittoBroker, lists: bytes) -> None:
    (broker.folder / "revoked.pem").write_bytes(lists)
    broker.reload()


def test_a_box_is_let_in_until_it_is_revoked(broker: MosquittoBroker, tmp_path: Path) -> None:
    other = new_box(issuing())
    before = is_let_in(broker, tmp_path)

    reload(broker, crls(box_serial()))
    # The broker reads on its next turn, which the acceptance of the other box is part of.
    let_in = [is_let_in(broker, tmp_path, *other) for _ in range(2)]

    assert before
    assert let_in == [True, True]
    assert not is_let_in(broker, tmp_path)


def test_a_stranger_is_not_let_in(broker: MosquittoBroker, tmp_path: Path) -> None:
    strange = CertifiedKey(issuing().certificate, new_tls_key())

    assert not is_let_in(broker, tmp_path, *new_box(strange))
    assert not is_let_in(broker, tmp_path, server()[0], tls_key_from_pem(server()[1]))


def test_boxes_of_the_old_issuing_ca_are_let_in_while_its_list_stays(
    broker: MosquittoBroker, tmp_path: Path
) -> None:
    following = create_issuing(root(), now=NOW + timedelta(seconds=1), days=30)
    new = new_box(following)
    serial = device_certificate(new[0]).serial
    of_old = make_crl(issuing(), [], NOW, NOW + DAY)

    reload(broker, crls(issuer=following) + of_old)
    both = [is_let_in(broker, tmp_path) for _ in range(2)] + [is_let_in(broker, tmp_path, *new)]
    of_new = make_crl(following, [Revoked(serial=serial, at=NOW)], NOW, NOW + DAY)
    reload(broker, of_old + of_new)
    is_let_in(broker, tmp_path)

    assert both == [True, True, True]
    assert is_let_in(broker, tmp_path)
    assert not is_let_in(broker, tmp_path, *new)


def test_a_renewed_issuing_ca_goes_on_with_its_boxes_and_its_list(tmp_path: Path) -> None:
    require_mosquitto()
    renewed = renew_issuing(root(), issuing(), now=NOW + timedelta(seconds=1), days=730)
    before, after, revoked = new_box(issuing()), new_box(renewed), new_box(issuing())
    lists = crls(device_certificate(revoked[0]).serial, issuer=renewed)

    trusted = root().certificate_pem + renewed.certificate_pem
    with MosquittoBroker(write_folder(lists, cafile=trusted)) as broker:
        let_in = [is_let_in(broker, tmp_path, *box) for box in (before, after, revoked)]

    assert let_in == [True, True, False]
