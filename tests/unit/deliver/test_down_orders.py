from __future__ import annotations

from datetime import UTC, datetime

import pytest

from common.encryption import SigningKey, sign_order
from common.errors import TrustError
from common.orders import Acknowledgement, DesiredConfiguration
from edge.deliver.down_orders import read_down

pytestmark = pytest.mark.unit

KEY = SigningKey.generate()
KEYS = {KEY.key_id: KEY.public}
ACK = Acknowledgement(device="box-1", epoch=1, stored=(1, 2), at=datetime(2026, 3, 1, tzinfo=UTC))
ACK_JSON = ACK.model_dump_json().encode()
TOPIC = "its/v1/box-1/down/ack"


def test_a_signed_order_for_this_box_is_believed() -> None:
    assert read_down(TOPIC, sign_order(KEY, ACK_JSON), keys=KEYS, device="box-1") == ACK


def test_a_desired_configuration_is_read_from_its_own_topic() -> None:
    wanted = DesiredConfiguration(device="box-1", version=1, at=datetime(2026, 3, 1, tzinfo=UTC))
    data = sign_order(KEY, wanted.model_dump_json().encode())

    assert read_down("its/v1/box-1/down/twin", data, keys=KEYS, device="box-1") == wanted


@pytest.mark.parametrize(
    ("topic", "data", "message"),
    [
        pytest.param("its/v1/box-2/down/ack", ACK_JSON, "leads down", id="topic of another box"),
        pytest.param("its/v1/box-1/up/ack", ACK_JSON, "leads down", id="topic that leads up"),
        pytest.param("its/v1/box-1/down/bins", ACK_JSON, "leads down", id="kind that boxes send"),
        pytest.param("elsewhere", ACK_JSON, "expected its/v1", id="foreign topic"),
        pytest.param("its/v1/box-1/down/twin", ACK_JSON, "not valid", id="order of another kind"),
        pytest.param(TOPIC, b"{}", "not valid", id="not of the schema"),
        pytest.param(
            TOPIC, ACK_JSON.replace(b"box-1", b"box-2"), "for device 'box-2'", id="another device"
        ),
    ],
)
def test_a_signed_order_that_is_not_for_here_is_refused(
    topic: str, data: bytes, message: str
) -> None:
    with pytest.raises(TrustError, match=message):
        read_down(topic, sign_order(KEY, data), keys=KEYS, device="box-1")


def test_an_order_of_somebody_else_is_refused() -> None:
    with pytest.raises(TrustError, match="signed by key"):
        read_down(TOPIC, sign_order(SigningKey.generate(), ACK_JSON), keys=KEYS, device="box-1")
