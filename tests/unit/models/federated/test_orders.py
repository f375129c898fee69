"""Weights on their way down, and what an order is the same as."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from common.errors import TrustError
from common.rounds import BatchNorm, LocalTraining, Packing
from models.federated.orders import TrainingOrder, Travelling, incoming, outgoing

pytestmark = pytest.mark.unit

VALUES = np.array([1.0, -0.5, 0.1], dtype=np.float32)


def order(**changes: Any) -> TrainingOrder:
    sent = outgoing(VALUES, changes.get("travelling", Travelling.FP16))
    told: dict[str, Any] = {
        "run": "run-1",
        "number": 1,
        "device": "box-1",
        "parent": "its-yolo11n",
        "parent_version": "1.0.0",
        "layout": "0" * 64,
        "base_sha256": sent.sha256,
        "travelling": sent.travelling,
        "local": LocalTraining(),
        "packing": Packing.INT8,
        "batch_norm": BatchNorm.SHARED,
        "seed": 0,
    }
    return TrainingOrder(**(told | changes))


@pytest.mark.parametrize(
    ("travelling", "size_bytes", "error"),
    [
        pytest.param(Travelling.FP32, 12, 0.0, id="whole"),
        # Near 0.1 fp16 is a grid of 2^-14.
        pytest.param(Travelling.FP16, 6, 2**-15, id="halved"),
    ],
)
def test_weights_arrive_as_they_were_sent(
    travelling: Travelling, size_bytes: int, error: float
) -> None:
    sent = outgoing(VALUES, travelling)

    arrived = incoming(sent.data, order(travelling=travelling), size=3)

    assert len(sent.data) == size_bytes
    assert np.array_equal(arrived, sent.values)
    assert np.abs(arrived - VALUES).max() <= error


def test_a_value_beyond_fp16_makes_all_of_them_travel_whole() -> None:
    sent = outgoing(np.array([1.0, 70_000.0], dtype=np.float32))

    assert sent.travelling is Travelling.FP32
    assert sent.values.tolist() == [1.0, 70_000.0]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        pytest.param(b"\0" * 6, "not the ones", id="other values"),
        pytest.param(b"\0" * 7, "7 bytes, expected 6", id="too long"),
        pytest.param(b"", "0 bytes", id="nothing"),
    ],
)
def test_other_weights_than_the_order_names_are_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(TrustError, match=complaint):
        incoming(data, order(), size=3)


@pytest.mark.parametrize(
    "change",
    [
        {"number": 2},
        {"seed": 1},
        {"base_sha256": "1" * 64},
        {"local": LocalTraining(epochs=2)},
        {"packing": Packing.FP32},
    ],
    ids=lambda change: next(iter(change)),
)
def test_an_order_that_asks_for_something_else_is_another_order(change: dict[str, Any]) -> None:
    assert order(**change).digest != order().digest
