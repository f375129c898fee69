"""What the broker delivers to a box → an order that the coordinator signed for this box."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from common.encryption import VerifyingKey, read_order
from common.errors import TrustError
from common.orders import Acknowledgement, DesiredConfiguration, DownMessage
from common.plates import PlateRequest
from common.topics import Way, parse_topic
from common.wire import Kind

_MODELS: Mapping[Kind, type[DownMessage]] = {
    Kind.ACK: Acknowledgement,
    Kind.TWIN: DesiredConfiguration,
    Kind.PLATE: PlateRequest,
}


def read_down(
    topic: str, data: bytes, *, keys: Mapping[str, VerifyingKey], device: str
) -> DownMessage:
    """The order, once everything about it held.

    Args:
        topic: Where it arrived.
        data: What arrived there.
        keys: Key id → key that the coordinator may sign orders with.
        device: This box.

    Raises:
        TrustError: Not signed by the coordinator, for another box, or no order at all.
    """
    place = parse_topic(topic)
    model = _MODELS.get(place.kind)
    if model is None or place.way is not Way.DOWN or place.device != device:
        raise TrustError(f"order on topic {topic!r}, expected one of {device!r} that leads down")
    payload = read_order(data, keys)
    try:
        order = model.model_validate_json(payload)
    except ValidationError as error:
        raise TrustError(f"signed order of kind {place.kind} is not valid") from error
    if order.device != device:
        raise TrustError(f"order for device {order.device!r}, expected {device!r}")
    return order
