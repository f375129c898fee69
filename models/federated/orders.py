"""What one round asks of one device ↔ what travels: closed models and one array each way.

Down: an order and the global weights as raw numbers. Up: an answer of numbers and codes, and
the packed update. No field of either takes free text or bytes of a picture.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from common.errors import TrustError
from common.ids import Slug
from common.rounds import BatchNorm, LocalTraining, Packing
from common.wire import Code, Digest, Message, Version

F32 = NDArray[np.float32]
LossPart = Annotated[float, Field(ge=0, le=1e12)]


class Refusal(StrEnum):
    """Why a device, or what came from it, brings no update into a round."""

    NOT_READY = "not_ready"
    """Too hot, too busy, outside its hours: its own readiness says no."""
    READINESS_UNKNOWN = "readiness_unknown"
    OTHER_DEVICE = "other_device"
    UNKNOWN_PARENT = "unknown_parent"
    OTHER_LAYOUT = "other_layout"
    DAMAGED_BASE = "damaged_base"
    NO_SAMPLES = "no_samples"
    TRAINING_FAILED = "training_failed"
    BAD_ORDER = "bad_order"
    BAD_ANSWER = "bad_answer"
    STALE = "stale"
    """An answer to another round or other weights."""
    APP_FAILED = "app_failed"
    APP_LOST = "app_lost"
    """Training was killed, or its process was too slow to start for Flower (30 s)."""
    NODE_LOST = "node_lost"
    NO_ANSWER = "no_answer"
    BUNDLE_REFUSED = "bundle_refused"
    """The node did not believe the signature of the bundle."""


class Travelling(StrEnum):
    """Number format of the global weights on their way down."""

    FP32 = "fp32"
    FP16 = "fp16"


_FORMATS: dict[Travelling, np.dtype[Any]] = {
    Travelling.FP32: np.dtype("<f4"),
    Travelling.FP16: np.dtype("<f2"),
}


class TrainingOrder(Message):
    """One round for one device.

    Attributes:
        parent: Which installed trainer is meant; the weights themselves travel.
        layout: Digest of names and shapes; the device compares with its own network.
        base_sha256: Of the bytes of the global weights that travel with this.
        proximal: mu of FedProx, 0 for other strategies.
        seed: The plan's; the device derives its own from run, round and name.
    """

    version: Literal[1] = 1
    run: Slug
    number: Annotated[int, Field(ge=1, le=1000)]
    device: Slug
    parent: Slug
    parent_version: Version
    layout: Digest
    base_sha256: Digest
    travelling: Travelling
    local: LocalTraining
    proximal: Annotated[float, Field(ge=0, le=10)] = 0.0
    packing: Packing
    batch_norm: BatchNorm
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)]

    @property
    def digest(self) -> str:
        """Two orders with equal digests have one answer."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class TrainingAnswer(Message):
    """What a device says of its round; the update travels beside it.

    Attributes:
        refusal: Why there is no update, empty with one.
        samples: Pictures that it says it trained on.
        losses: Mean parts per picture and their sum, ``total``.
        map50: On its own held-out pictures.
    """

    version: Literal[1] = 1
    run: Slug
    number: Annotated[int, Field(ge=1, le=1000)]
    device: Slug
    base_sha256: Digest
    refusal: Refusal | None = None
    reasons: Annotated[tuple[Code, ...], Field(max_length=8)] = ()
    samples: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    losses: Annotated[dict[Code, LossPart], Field(max_length=8)] = Field(default_factory=dict)
    map50: Annotated[float, Field(ge=0, le=1)] | None = None
    train_s: Annotated[float, Field(ge=0, le=1e7)] = 0.0


@dataclass(frozen=True, slots=True)
class GlobalWeights:
    """The weights of a round as they travel; everybody's delta is against exactly these.

    Attributes:
        data: Little-endian numbers.
        values: The same as float32, shape (n,).
    """

    data: bytes
    travelling: Travelling
    values: F32

    @property
    def sha256(self) -> str:
        """Of ``data``, 64 hex digits."""
        return hashlib.sha256(self.data).hexdigest()


def outgoing(vector: F32, travelling: Travelling = Travelling.FP16) -> GlobalWeights:
    """Weights → what is sent; halved where no value leaves the range of the format.

    Args:
        vector: Shape (n,), finite.
        travelling: Wished format.
    """
    if travelling is Travelling.FP16 and np.abs(vector).max(initial=0.0) > np.finfo("f2").max:
        travelling = Travelling.FP32  # a running variance of BatchNorm has no bound
    sent = vector.astype(_FORMATS[travelling])
    return GlobalWeights(sent.tobytes(), travelling, sent.astype(np.float32))


def incoming(data: bytes, order: TrainingOrder, *, size: int) -> F32:
    """What arrived → weights, shape (size,).

    Raises:
        TrustError: Not the bytes that the order names, or of another length.
    """
    kind = _FORMATS[order.travelling]
    if len(data) != size * kind.itemsize:
        raise TrustError(f"weights of {len(data)} bytes, expected {size * kind.itemsize}")
    if hashlib.sha256(data).hexdigest() != order.base_sha256:
        raise TrustError("weights are not the ones that the order names")
    return np.asarray(np.frombuffer(data, dtype=kind), dtype=np.float32)
