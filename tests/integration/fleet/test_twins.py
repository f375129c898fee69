"""Wishes for boxes against the orders that are sent."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import update

from common.encryption import read_order
from common.orders import DesiredCamera, DesiredConfiguration
from coordinator.container import CoordinatorContainer
from coordinator.fleet.tables import TwinRow
from coordinator.fleet.twins import Twins
from coordinator.fleet.views import TwinWish
from tests.fakes.clocks import SkippingClock
from tests.fakes.enrolled_box import Box

pytestmark = pytest.mark.integration


class Sent:
    """A broker that only remembers."""

    def __init__(self) -> None:
        self.orders: list[tuple[str, bytes]] = []

    def send(self, orders: Sequence[tuple[str, bytes]]) -> None:
        self.orders += orders


@pytest.fixture
def sent(container: CoordinatorContainer) -> Sent:
    sent = Sent()
    container.sender.override(sent)
    return sent


@pytest.fixture
def device(container: CoordinatorContainer) -> str:
    token = container.tokens().create("main", hours=1).token
    return container.enrolment().enrol(Box.new().request(token.secret)).device


def wished(twins: Twins, device: str, camera: str) -> int:
    wish = TwinWish(cameras=(DesiredCamera(camera=camera),))
    return twins.wish(device, wish).desired_version


def test_a_wish_is_signed_and_names_box_and_version(
    container: CoordinatorContainer, sent: Sent, device: str
) -> None:
    wished(container.twins(), device, "north")

    container.twins().send_due()

    topic, order = sent.orders[0]
    keys = {key.key_id: key for key, _ in container.ring().order_offers()}
    told = DesiredConfiguration.model_validate_json(read_order(order, keys))
    assert topic == f"its/v1/{device}/down/twin"
    assert (told.device, told.version, told.cameras[0].camera) == (device, 1, "north")


def test_a_wish_is_repeated_each_minute_until_the_box_answers(
    container: CoordinatorContainer, sent: Sent, device: str, clock: SkippingClock
) -> None:
    twins = container.twins()
    wished(twins, device, "north")

    rounds = [twins.send_due(), twins.send_due()]
    clock.skip(61)
    rounds.append(twins.send_due())
    with container.database().session() as session:
        session.execute(update(TwinRow).values(reported_version=1, reported_state="applied"))
    clock.skip(61)
    rounds.append(twins.send_due())

    assert rounds == [1, 0, 1, 0]


def test_a_newer_wish_is_sent_at_once(
    container: CoordinatorContainer, sent: Sent, device: str
) -> None:
    twins = container.twins()
    wished(twins, device, "north")
    twins.send_due()

    assert wished(twins, device, "south") == 2
    assert twins.send_due() == 1


def test_a_retired_box_is_told_nothing(
    container: CoordinatorContainer, sent: Sent, device: str
) -> None:
    wished(container.twins(), device, "north")
    container.fleet().retire(device, reason="test")

    assert container.twins().send_due() == 0
