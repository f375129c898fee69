"""A certificate that ends, keys that rotate, and answers that get lost in between."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from common.certificates import issue_device, make_csr, tls_key_from_pem
from common.encryption import OpeningKey, SigningKey
from common.errors import ConfigError, TrustError, UnreachableError
from common.private_files import make_private_folder
from common.timing import SystemClock
from edge.enrol import identity_files
from edge.enrol.client import CoordinatorClient
from edge.enrol.enrolling import enrol, renew
from edge.enrol.identity import Identity
from edge.enrol.identity_files import replace_files
from edge.enrol.renewal import FIRST_RETRY, LOOK_EVERY, Renewal
from tests.fakes.clocks import StandingClock
from tests.fakes.enrolment_coordinator import EnrolmentCoordinator

pytestmark = pytest.mark.integration

CLOCK = SystemClock()


@pytest.fixture
def client(coordinator: EnrolmentCoordinator) -> CoordinatorClient:
    return CoordinatorClient(coordinator.url)


def test_a_renewal_brings_a_new_certificate_for_a_new_key(
    client: CoordinatorClient, folder: Path, identity: Identity
) -> None:
    old_key = (folder / "tls.key").read_bytes()

    renewed = renew(client, identity, clock=CLOCK)

    assert renewed.certificate.serial != identity.certificate.serial
    assert (folder / "tls.key").read_bytes() != old_key
    assert renewed.signing.key_id == identity.signing.key_id
    assert renewed.about == identity.about
    assert renewed.tls_context()


def test_a_rotation_brings_a_new_signing_key_that_the_coordinator_knows(
    client: CoordinatorClient, coordinator: EnrolmentCoordinator, identity: Identity
) -> None:
    renewed = renew(client, identity, clock=CLOCK, rotate_signing=True)

    assert renewed.signing.key_id != identity.signing.key_id
    # Both are known: reports that the old one signed are still on their way.
    assert set(coordinator.keys) == {identity.signing.key_id, renewed.signing.key_id}
    assert renewed.about.signing_since > identity.about.signing_since
    assert renew(client, renewed, clock=CLOCK).about.signing_since == renewed.about.signing_since


def test_a_renewal_brings_the_keys_that_the_coordinator_changed(
    client: CoordinatorClient, coordinator: EnrolmentCoordinator, identity: Identity
) -> None:
    old_seal, old_orders = coordinator.opening, coordinator.orders
    coordinator.opening, coordinator.orders = OpeningKey.generate(), SigningKey.generate()

    renewed = renew(client, identity, clock=CLOCK)

    assert identity.sealing_key(CLOCK.now()) == old_seal.public
    assert renewed.sealing_key(CLOCK.now()) == coordinator.opening.public
    assert set(identity.order_keys) == {old_orders.key_id}
    assert set(renewed.order_keys) == {coordinator.orders.key_id}


def test_a_rotation_whose_answer_was_lost_is_finished_with_the_same_key(
    client: CoordinatorClient, coordinator: EnrolmentCoordinator, identity: Identity
) -> None:
    coordinator.answers_to_lose = 1
    with pytest.raises(UnreachableError):
        renew(client, identity, clock=CLOCK, rotate_signing=True)
    (new_key,) = set(coordinator.keys) - {identity.signing.key_id}
    # Meanwhile the coordinator stopped believing the old key.
    del coordinator.keys[identity.signing.key_id]

    renewed = renew(client, Identity.load(identity.folder), clock=CLOCK)

    assert renewed.signing.key_id == new_key


def test_a_refused_box_keeps_its_identity(
    client: CoordinatorClient, coordinator: EnrolmentCoordinator, identity: Identity
) -> None:
    coordinator.keys.clear()

    with pytest.raises(TrustError, match="not in force"):
        renew(client, identity, clock=CLOCK)
    assert Identity.load(identity.folder).certificate == identity.certificate


@pytest.mark.parametrize(
    ("field", "value"), [("device", "box-2"), ("tenant", "county"), ("trust_pem", None)]
)
def test_a_renewal_cannot_turn_a_box_into_another(
    client: CoordinatorClient,
    coordinator: EnrolmentCoordinator,
    identity: Identity,
    field: str,
    value: str | None,
) -> None:
    coordinator.changes = {field: value or EnrolmentCoordinator().root.certificate_pem.decode()}

    with pytest.raises(TrustError):
        renew(client, identity, clock=CLOCK)
    assert Identity.load(identity.folder).certificate == identity.certificate


def test_a_request_from_a_wrong_clock_is_refused(
    client: CoordinatorClient, identity: Identity
) -> None:
    slow = StandingClock(CLOCK.now() - timedelta(hours=1))

    with pytest.raises(TrustError, match="expected within"):
        renew(client, identity, clock=slow)


@pytest.mark.parametrize(
    ("hours_later", "renewals"),
    [pytest.param(1, 0, id="fresh"), pytest.param(33, 1, id="a third is left")],
)
def test_the_identity_is_renewed_when_a_third_of_its_life_is_left(
    coordinator: EnrolmentCoordinator, folder: Path, hours_later: int, renewals: int
) -> None:
    # A certificate that was issued hours ago, so that everybody's clock is the machine's.
    coordinator.now -= timedelta(hours=hours_later)
    identity = enrolled(coordinator, folder)
    coordinator.now = CLOCK.now()
    told: list[Identity] = []
    renewal = Renewal(folder, clock=CLOCK, on_renewed=told.append)

    wait = renewal.step()

    assert wait == LOOK_EVERY
    assert len(told) == renewals
    assert (Identity.load(folder).certificate != identity.certificate) is bool(renewals)


def enrolled(coordinator: EnrolmentCoordinator, folder: Path) -> Identity:
    return enrol(CoordinatorClient(coordinator.url), coordinator.token, folder, clock=CLOCK)


def test_an_old_signing_key_is_rotated(folder: Path, identity: Identity) -> None:
    told: list[Identity] = []

    Renewal(folder, clock=CLOCK, on_renewed=told.append, signing_days=0).step()

    assert [one.signing.key_id for one in told] != [identity.signing.key_id]
    assert len(told) == 1


def test_failures_are_asked_again_ever_more_slowly(
    coordinator: EnrolmentCoordinator, folder: Path, identity: Identity
) -> None:
    coordinator.status = 503
    renewal = Renewal(folder, clock=CLOCK, on_renewed=lambda _: None, signing_days=0)

    waits = [renewal.step() for _ in range(8)]
    coordinator.status = None
    after = renewal.step()

    assert FIRST_RETRY / 2 <= waits[0] <= FIRST_RETRY
    assert FIRST_RETRY <= waits[1] <= 2 * FIRST_RETRY
    assert all(LOOK_EVERY / 2 <= wait <= LOOK_EVERY for wait in waits[5:])
    assert after == LOOK_EVERY
    assert Identity.load(folder).signing.key_id != identity.signing.key_id


def test_a_box_whose_certificate_ended_comes_back(
    client: CoordinatorClient, coordinator: EnrolmentCoordinator, identity: Identity
) -> None:
    # Its signing key still says who it is.
    key = tls_key_from_pem((identity.folder / "tls.key").read_bytes())
    ended_at = CLOCK.now() - timedelta(hours=2)
    leaf = issue_device(
        coordinator.issuing,
        make_csr(key),
        device=identity.device,
        now=ended_at - timedelta(hours=1),
        hours=1,
    )
    replace_files(identity.folder, {"tls.pem": leaf + coordinator.issuing.certificate_pem})
    late = Identity.load(identity.folder)

    renewed = renew(client, late, clock=CLOCK)

    assert late.certificate.expires_at < CLOCK.now() < renewed.certificate.expires_at


def test_the_watch_ends_when_told(folder: Path, identity: Identity) -> None:
    stop = threading.Event()
    renewal = Renewal(folder, clock=CLOCK, on_renewed=lambda _: stop.set(), signing_days=0)

    watch = threading.Thread(target=renewal.run, args=(stop,))
    watch.start()
    watch.join(20)

    assert not watch.is_alive()
    assert Identity.load(folder).signing.key_id != identity.signing.key_id


def test_a_box_that_is_not_enrolled_is_told(tmp_path: Path) -> None:
    make_private_folder(tmp_path)

    with pytest.raises(ConfigError, match=identity_files.DEVICE_FILE):
        Renewal(tmp_path, clock=CLOCK, on_renewed=lambda _: None).step()


def test_a_pending_key_of_an_enrolment_is_not_taken_for_a_renewal(
    client: CoordinatorClient, identity: Identity
) -> None:
    waiting = identity.folder / identity_files.ENROLLING_FOLDER
    make_private_folder(waiting)
    SigningKey.generate().save(waiting / identity_files.SIGNING_KEY_FILE)

    renewed = renew(client, identity, clock=CLOCK)

    assert renewed.signing.key_id == identity.signing.key_id
