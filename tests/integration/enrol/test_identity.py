"""What a box is after it enrolled: its files, its keys, its TLS."""

from __future__ import annotations

import socket
import ssl
from datetime import timedelta
from pathlib import Path

import pytest

from common.certificates import (
    new_tls_key,
    tls_key_to_pem,
)
from common.encryption import (
    EncryptionManager,
    UnsealedHeader,
    parse_envelope,
    read_order,
    sign_order,
    verify_envelope,
)
from common.enrolment import key_note
from common.errors import ConfigError, ItsError
from common.timing import SystemClock
from common.wire import Kind
from edge.enrol import identity_files
from edge.enrol.client import CoordinatorClient
from edge.enrol.enrolling import enrol
from edge.enrol.identity import Identity
from tests.fakes.enrolment_coordinator import EnrolmentCoordinator, enrolment_coordinator

pytestmark = pytest.mark.integration

CLOCK = SystemClock()


def test_an_enrolled_box_can_report_and_take_orders(
    coordinator: EnrolmentCoordinator, identity: Identity
) -> None:
    header = UnsealedHeader(
        device=identity.device, kind=Kind.BINS, epoch=1, sequence=1, created_at=CLOCK.now()
    )

    envelope = parse_envelope(identity.encryption(CLOCK.now()).seal(header, b"{}"))
    order = read_order(sign_order(coordinator.orders, b"[1]"), identity.order_keys)

    verify_envelope(envelope, coordinator.keys[envelope.header.signed_by])
    assert EncryptionManager(opening=[coordinator.opening]).open(envelope) == b"{}"
    assert order == b"[1]"
    assert (identity.device, identity.about.site, identity.about.tenant) == (
        "box-1",
        "harbour",
        "city",
    )


def test_the_folder_and_its_files_are_private_and_complete(
    folder: Path, identity: Identity
) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]

    assert {path.name for path in files} == set(identity_files.FILES)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (folder, *folder.glob("*/"))} == {0o700}


def test_a_loaded_identity_is_the_same_and_shows_no_secret(
    folder: Path, identity: Identity
) -> None:
    loaded = Identity.load(folder)

    assert loaded.signing.key_id == identity.signing.key_id
    assert loaded.certificate == identity.certificate
    assert loaded.sealing == identity.sealing
    assert loaded.tls_context().minimum_version.name == "TLSv1_3"
    assert "PRIVATE" not in repr(loaded)


def test_reports_are_sealed_to_the_newest_key_in_force(
    coordinator: EnrolmentCoordinator, folder: Path
) -> None:
    now = CLOCK.now()
    notes = [
        key_note(coordinator.opening.public, now),
        key_note(other_opening := EnrolmentCoordinator().opening.public, now + timedelta(days=7)),
    ]
    coordinator.changes = {"sealing_keys": [note.model_dump(mode="json") for note in notes]}

    identity = enrol(CoordinatorClient(coordinator.url), coordinator.token, folder, clock=CLOCK)

    assert identity.sealing_key(now) == coordinator.opening.public
    assert identity.sealing_key(now + timedelta(days=8)) == other_opening
    # A clock that was never set: any key is better than no report.
    assert identity.sealing_key(now - timedelta(days=20_000)) == coordinator.opening.public


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in identity_files.FILES
        if name not in {identity_files.LEARNING_KEY_FILE, identity_files.RELEASE_ROOT_FILE}
    ],
)
def test_a_damaged_or_missing_file_is_told(folder: Path, identity: Identity, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:60])
    if name != "trust.pem":
        with pytest.raises(ConfigError):
            Identity.load(folder)

    path.unlink()
    with pytest.raises(ConfigError):
        Identity.load(folder)
    assert identity.device == "box-1"


def test_a_box_without_a_learning_key_reports_all_the_same(
    folder: Path, identity: Identity
) -> None:
    (folder / identity_files.LEARNING_KEY_FILE).unlink()

    loaded = Identity.load(folder)

    assert loaded.device == identity.device
    assert not loaded.learning_key_file.exists()


def test_a_damaged_trust_anchor_is_told_before_it_is_used(folder: Path, identity: Identity) -> None:
    (folder / "trust.pem").write_bytes(b"-----BEGIN CERTIFICATE-----\n")

    with pytest.raises(ItsError):
        Identity.load(folder).tls_context()
    assert identity.tls_context()


def test_a_key_beside_another_certificate_is_no_identity(folder: Path, identity: Identity) -> None:
    (folder / "tls.key").write_bytes(tls_key_to_pem(new_tls_key()))

    with pytest.raises(ConfigError, match="is not of the key beside it"):
        Identity.load(folder)
    with pytest.raises(ConfigError, match="cannot be used"):
        identity.tls_context()


def test_a_certificate_of_another_box_is_no_identity(folder: Path, identity: Identity) -> None:
    about = (folder / "device.json").read_text()
    (folder / "device.json").write_text(about.replace(identity.device, "box-2"))

    with pytest.raises(ConfigError, match="is of 'box-1', expected 'box-2'"):
        Identity.load(folder)


def handshake(identity: Identity, url: str) -> str | None:
    """Version of TLS that was agreed on with the server at this address."""
    port = int(url.rpartition(":")[2])
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        identity.tls_context().wrap_socket(plain, server_hostname="127.0.0.1") as tls,
    ):
        return tls.version()


def test_a_box_speaks_tls_1_3_with_servers_of_its_root_alone(
    coordinator: EnrolmentCoordinator, identity: Identity
) -> None:
    assert handshake(identity, coordinator.url) == "TLSv1.3"
    with (
        enrolment_coordinator() as other,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        handshake(identity, other.url)
