"""Learning keys from enrolment to Flower and back, with a SuperLink in memory."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from common.encryption import SigningKey
from common.enrolment import RenewalRequest, from_base64, sign_renewal, to_base64
from common.errors import ConflictError, UnreachableError
from coordinator.container import CoordinatorContainer
from coordinator.federation.flower_bench import FlowerBench
from coordinator.federation.flower_control import FlowerControl
from coordinator.federation.nodes import NodeRegistry
from tests.fakes.clocks import SkippingClock
from tests.fakes.enrolled_box import Box
from tests.fakes.federated_fleet import enrol_box, learning_key
from tests.fakes.flwr_answers import FlwrAnswers

pytestmark = pytest.mark.integration


@pytest.fixture
def flwr() -> FlwrAnswers:
    return FlwrAnswers()


@pytest.fixture
def registry(container: CoordinatorContainer, flwr: FlwrAnswers, tmp_path: Path) -> NodeRegistry:
    return NodeRegistry(
        container.database(),
        FlowerControl(flwr),
        folder=tmp_path / "nodes",
        tenant=container.settings().tenant.id,
        clock=container.clock(),
    )


def test_the_key_of_an_enrolled_box_is_registered_once(
    container: CoordinatorContainer, registry: NodeRegistry, flwr: FlwrAnswers, tmp_path: Path
) -> None:
    key = learning_key()
    device = enrol_box(container, key=key)
    enrol_box(container, key=None)

    for _ in range(2):
        registry.bring_into_line()

    assert flwr.commands == ["supernode list", "supernode register"]
    assert (list(flwr.nodes.values()), list(flwr.keys.values())) == ([device], [key])
    assert registry.nodes() == {"101": device}
    assert list((tmp_path / "nodes").iterdir()) == []


def test_a_retired_box_is_unregistered(
    container: CoordinatorContainer, registry: NodeRegistry, flwr: FlwrAnswers
) -> None:
    device, other = enrol_box(container), enrol_box(container)
    registry.bring_into_line()

    container.fleet().retire(device, reason="stolen")
    before = registry.nodes()
    registry.bring_into_line()

    assert list(before.values()) == [other]
    assert list(flwr.nodes.values()) == [other]


def test_a_renewal_with_another_key_replaces_the_node(
    container: CoordinatorContainer, registry: NodeRegistry, flwr: FlwrAnswers
) -> None:
    box, first, second = Box.new(), learning_key(), learning_key()
    secret = container.tokens().create("main", hours=24, replaces=None).token.secret
    request = box.request(secret).model_copy(update={"learning_key": first})
    device = container.enrolment().enrol(request).device
    registry.bring_into_line()

    container.enrolment().renew(device, box.renewal(device))
    registry.bring_into_line()
    unchanged = dict(flwr.keys)
    request = RenewalRequest(
        device=device,
        csr_pem=box.csr_pem.decode(),
        signing_key=to_base64(box.signing.public.raw),
        proof=to_base64(box.signing.sign(box.csr_pem)),
        at=container.clock().now(),
        learning_key=second,
    )
    container.enrolment().renew(device, sign_renewal(box.signing, request))
    registry.bring_into_line()

    assert unchanged == {"101": first}
    assert (flwr.nodes, flwr.keys["102"]) == ({"102": device}, second)
    assert registry.nodes() == {"102": device}


def test_nobody_takes_the_key_of_another_box(container: CoordinatorContainer) -> None:
    key = learning_key()
    device = enrol_box(container, key=key)

    with pytest.raises(ConflictError, match="learning key is already known"):
        enrol_box(container, key=key)
    container.fleet().retire(device, reason="stolen")
    with pytest.raises(ConflictError, match="learning key is already known"):
        enrol_box(container, key=key)
    assert len(container.fleet().list()) == 1


def test_what_flower_forgot_is_registered_again(
    container: CoordinatorContainer, registry: NodeRegistry, flwr: FlwrAnswers
) -> None:
    device = enrol_box(container)
    registry.bring_into_line()
    flwr.nodes.clear()  # its database was lost

    registry.bring_into_line()
    assert flwr.nodes == {}
    registry.compare_soon()
    registry.bring_into_line()

    assert list(flwr.nodes.values()) == [device]
    assert registry.nodes() == {"102": device}


def test_a_superlink_that_is_away_delays_and_loses_nothing(
    container: CoordinatorContainer, registry: NodeRegistry, flwr: FlwrAnswers
) -> None:
    device = enrol_box(container)
    flwr.is_away = True
    with pytest.raises(UnreachableError):
        registry.bring_into_line()

    flwr.is_away = False
    registry.bring_into_line()

    assert list(flwr.nodes.values()) == [device]


def test_a_box_is_told_where_it_trains_and_whose_bundles_to_believe(
    container: CoordinatorContainer,
) -> None:
    key = SigningKey.generate().public
    settings = container.settings()
    federation = settings.federation.model_copy(
        update={"release_key": base64.b64encode(key.raw).decode(), "port": 9999}
    )
    container.settings.override(settings.model_copy(update={"federation": federation}))
    container.trusted.reset()

    learning = container.trusted().learning

    assert (learning.host, learning.port) == ("127.0.0.1", 9999)
    assert (from_base64(learning.release_key), learning.release_key_id) == (key.raw, key.key_id)


def test_a_bench_stops_what_an_earlier_coordinator_left_in_flower(
    flwr: FlwrAnswers, clock: SkippingClock, tmp_path: Path
) -> None:
    bench = FlowerBench(FlowerControl(flwr), clock=clock, log_file=tmp_path / "no.log")
    left = bench.begin(tmp_path / "first")

    handle = bench.begin(tmp_path / "first")

    assert flwr.runs == {left: "finished:stopped", handle: "running"}
    assert bench.is_alive(tmp_path, handle)


def test_flower_is_asked_again_only_after_a_while(
    flwr: FlwrAnswers, clock: SkippingClock, tmp_path: Path
) -> None:
    bench = FlowerBench(FlowerControl(flwr), clock=clock, log_file=tmp_path / "no.log")
    handle = bench.begin(tmp_path / "first")
    flwr.runs[handle] = "finished:failed"

    assert bench.is_alive(tmp_path, handle)
    clock.skip(11)

    assert not bench.is_alive(tmp_path, handle)
    bench.end(tmp_path, handle)
    assert flwr.commands.count("stop") == 0
