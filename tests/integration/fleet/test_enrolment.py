"""Boxes against the coordinator's enrolment, on SQLite."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from common.chain_checks import verify_chain
from common.encryption import SigningKey
from common.errors import ConfigError, ConflictError, ItsError, TrustError
from coordinator.container import CoordinatorContainer
from coordinator.fleet.fleet import Fleet
from coordinator.fleet.states import DeviceState
from tests.fakes.clocks import SkippingClock
from tests.fakes.enrolled_box import Box

pytestmark = pytest.mark.integration


def secret(container: CoordinatorContainer, *, replaces: str | None = None) -> str:
    return container.tokens().create("main", hours=24, replaces=replaces).token.secret


def state_of(fleet: Fleet, device: str) -> DeviceState:
    return fleet.show(device).state


def test_a_token_lets_a_box_in_with_a_certificate_that_holds(
    container: CoordinatorContainer,
) -> None:
    answer = container.enrolment().enrol(Box.new().request(secret(container)))

    chain = (answer.certificate_pem + answer.chain_pem).encode()
    certificate = verify_chain(chain, answer.trust_pem.encode(), datetime.now(UTC))
    assert answer.device.startswith("main-")
    assert (certificate.device, answer.site, answer.tenant) == (answer.device, "main", "city")
    assert container.fleet().show(answer.device).certificates[0].serial == certificate.serial


def test_a_box_learns_the_key_in_effect_and_the_next(container: CoordinatorContainer) -> None:
    answer = container.enrolment().enrol(Box.new().request(secret(container)))

    now = datetime.now(UTC)
    assert [note.valid_from <= now for note in answer.sealing_keys] == [True, False]
    assert [note.valid_from <= now for note in answer.order_keys] == [True, False]


def test_a_second_box_cannot_use_the_token(container: CoordinatorContainer) -> None:
    once = secret(container)
    container.enrolment().enrol(Box.new().request(once))

    with pytest.raises(ConflictError, match="used by another box"):
        container.enrolment().enrol(Box.new().request(once))
    assert len(container.fleet().list()) == 1


def test_the_same_box_may_ask_again_when_the_answer_was_lost(
    container: CoordinatorContainer,
) -> None:
    request = Box.new().request(secret(container))

    first, second = (container.enrolment().enrol(request) for _ in range(2))

    assert first.device == second.device
    assert len(container.fleet().list()) == 1


def test_of_boxes_that_race_with_one_token_one_wins(container: CoordinatorContainer) -> None:
    once = secret(container)
    results: list[str] = []
    start = threading.Barrier(4)

    def race() -> None:
        request = Box.new().request(once)
        start.wait()
        try:
            results.append(container.enrolment().enrol(request).device)
        except ConflictError:
            results.append("refused")

    racers = [threading.Thread(target=race) for _ in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert results.count("refused") == 3
    assert len(container.fleet().list()) == 1


def test_an_expired_token_is_refused(container: CoordinatorContainer, clock: SkippingClock) -> None:
    late = secret(container)

    clock.skip(25 * 3600)

    with pytest.raises(TrustError, match="expired"):
        container.enrolment().enrol(Box.new().request(late))


def test_the_database_keeps_no_token(container: CoordinatorContainer) -> None:
    once = secret(container)

    settings = container.settings()
    files = [p for p in settings.data_folder.rglob("*") if p.is_file()]

    assert files
    assert not any(once.encode() in path.read_bytes() for path in files)


def test_a_key_without_its_private_half_is_refused(container: CoordinatorContainer) -> None:
    thief, victim = Box.new(), Box.new()
    request = thief.request(secret(container)).model_copy(
        update={"signing_key": victim.request("x" * 43).signing_key}
    )

    with pytest.raises(TrustError, match="does not hold"):
        container.enrolment().enrol(request)


def test_a_replacement_keeps_the_site_and_ends_the_old_box(
    container: CoordinatorContainer,
) -> None:
    fleet, enrolment = container.fleet(), container.enrolment()
    old = enrolment.enrol(Box.new().request(secret(container))).device

    new = enrolment.enrol(Box.new().request(secret(container, replaces=old))).device

    shown = fleet.show(old)
    assert (shown.state, shown.replaced_by) == (DeviceState.REPLACED, new)
    assert shown.certificates[0].revoked_at is not None
    assert shown.key_ids == []
    assert fleet.show(new).site == shown.site


def test_a_box_renews_with_its_key(container: CoordinatorContainer) -> None:
    box = Box.new()
    device = container.enrolment().enrol(box.request(secret(container))).device

    answer = container.enrolment().renew(device, box.renewal(device))

    assert answer.device == device
    assert len(container.fleet().show(device).certificates) == 2


def test_a_renewal_may_bring_a_new_key_while_the_old_one_still_counts(
    container: CoordinatorContainer,
) -> None:
    box, second, third = Box.new(), SigningKey.generate(), SigningKey.generate()
    device = container.enrolment().enrol(box.request(secret(container))).device

    container.enrolment().renew(device, box.renewal(device, new=second))
    both = container.fleet().show(device).key_ids
    box.signing = second
    container.enrolment().renew(device, box.renewal(device, new=third))
    after = container.fleet().show(device).key_ids

    assert len(both) == 2
    assert set(after) == {second.key_id, third.key_id}


@pytest.mark.parametrize("case", ["stranger", "other device", "old", "retired", "unknown"])
def test_a_renewal_that_does_not_hold_is_refused(
    container: CoordinatorContainer, case: str
) -> None:
    box = Box.new()
    device = container.enrolment().enrol(box.request(secret(container))).device
    signed = {
        "stranger": lambda: Box.new().renewal(device),
        "other device": lambda: box.renewal("main-zzzzzz"),
        "old": lambda: box.renewal(device, at=datetime.now(UTC) - timedelta(hours=1)),
        "retired": lambda: box.renewal(device),
        "unknown": lambda: box.renewal(device),
    }[case]()
    if case == "retired":
        container.fleet().retire(device, reason="test")

    with pytest.raises(TrustError):
        container.enrolment().renew("main-yyyyyy" if case == "unknown" else device, signed)


@pytest.mark.parametrize(
    ("site", "replaces", "error"),
    [
        pytest.param("coordinator-1", None, ConfigError, id="name of the coordinator's own"),
        pytest.param("s" * 58, None, ConfigError, id="too long for a box's id"),
        pytest.param("main", "main-aaaaaa", ItsError, id="no such box to replace"),
    ],
)
def test_a_token_for_nothing_sensible_is_refused(
    container: CoordinatorContainer, site: str, replaces: str | None, error: type[ItsError]
) -> None:
    with pytest.raises(error):
        container.tokens().create(site, hours=1, replaces=replaces)


def test_a_box_retires_once(container: CoordinatorContainer) -> None:
    device = container.enrolment().enrol(Box.new().request(secret(container))).device

    container.fleet().retire(device, reason="stolen")

    assert state_of(container.fleet(), device) is DeviceState.RETIRED
    with pytest.raises(ConflictError, match="retired"):
        container.fleet().retire(device, reason="again")
