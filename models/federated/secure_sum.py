"""Flower's SecAgg+ ↔ our orders: masks that cancel in the sum (Bell et al. 2020).

Flower 1.41 has the protocol in its legacy API alone: a workflow of four exchanges on the server,
a wrapper around training on the device. State of the protocol lives in the SuperNode's memory; a
node that restarts within a round drops out of it, which the shares of the others make up for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.common import (
    Code,
    FitIns,
    FitRes,
    Parameters,
    Scalar,
    Status,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)
from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS
from flwr.compat.common.recorddict_compat import fitres_to_recorddict, recorddict_to_fitins
from flwr.server import LegacyContext
from flwr.server.client_manager import ClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.strategy import FedAvg
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD, Key
from flwr.serverapp import Grid
from pydantic import ValidationError

from common.errors import ConflictError, TrustError
from models.federated.client_work import Box, work
from models.federated.codec import unpack
from models.federated.orders import TrainingAnswer, TrainingOrder
from models.federated.parameters import F32
from models.federated.secure_round import FEWEST, SecureSum

CLIP = 0.25
"""No value of a delta travels longer; a round of fine-tuning moves weights by 0.01 at most."""
STAGES = 4
_ORDER, _ANSWER, _RAW = "order", "answer", "its.raw"


def is_secure(message: Message) -> bool:
    """Whether a message belongs to the protocol."""
    return RECORD_KEY_CONFIGS in message.content.config_records


def secure_reply(message: Message, context: Context, box: Box) -> Message:
    """One of the four steps on a device; the third one trains.

    Raises:
        ConflictError: The box refuses the order; the others go on without it.
        TrustError: What arrived is no order.
    """

    def train(message: Message, _: Context) -> Message:
        told = recorddict_to_fitins(message.content, keep_input=True)
        try:
            order = TrainingOrder.model_validate_json(str(told.config.get(_ORDER, "")))
        except ValidationError as error:
            raise TrustError("message holds no order of ours") from error
        answer, update = work(order, told.parameters.tensors[0], box)
        if answer.refusal is not None:
            raise ConflictError(f"order refused: {answer.refusal}")
        delta = unpack(update, box.trainer_for(order.parent).layout)
        result = FitRes(
            status=Status(Code.OK, ""),
            parameters=ndarrays_to_parameters([np.clip(delta, -CLIP, CLIP)]),
            num_examples=answer.samples,
            metrics={_ANSWER: answer.model_dump_json()},
        )
        return Message(fitres_to_recorddict(result, keep_input=False), reply_to=message)

    return secaggplus_mod(message, context, train)


@dataclass(frozen=True, slots=True)
class _Node:
    """All that the workflow wants of a client's proxy."""

    node_id: int


class _OneSum(FedAvg):
    """A strategy as the workflow wants one: tells whom to ask, and keeps what came."""

    def __init__(self, orders: Mapping[int, TrainingOrder]) -> None:
        super().__init__()
        self._orders = orders
        self.mean: F32 | None = None
        self.answers: dict[str, TrainingAnswer] = {}

    def configure_fit(
        self,
        server_round: int,  # noqa: ARG002 - of the base class
        parameters: Parameters,
        client_manager: ClientManager,  # noqa: ARG002 - of the base class
    ) -> list[tuple[ClientProxy, FitIns]]:
        """Whom to ask for what."""
        return [
            (
                cast(ClientProxy, _Node(node)),
                FitIns(parameters, {_ORDER: order.model_dump_json()}),
            )
            for node, order in self._orders.items()
        ]

    def aggregate_fit(
        self,
        server_round: int,  # noqa: ARG002 - of the base class
        results: list[tuple[ClientProxy, FitRes]],
        failures: list[Any],  # noqa: ARG002 - of the base class
    ) -> tuple[Parameters | None, dict[str, Scalar]]:
        """The mean, which the workflow has put into every result."""
        for proxy, result in results:
            device = self._orders[cast(_Node, proxy).node_id].device
            answer = _answer_of(result)
            if answer is not None and answer.device == device:
                self.answers[device] = answer
        if results:
            (mean,) = parameters_to_ndarrays(results[0][1].parameters)
            self.mean = np.asarray(mean, dtype=np.float32)
        return None, {}


class SecureGrid:
    """Masked sums through Flower."""

    def __init__(
        self, grid: Grid, context: Context, nodes: Callable[[], Mapping[int, str]]
    ) -> None:
        """Wrap a grid.

        Args:
            grid: Of the ServerApp.
            context: Of the ServerApp.
            nodes: Node id → device.
        """
        self._grid = grid
        self._context = context
        self._nodes = nodes

    def mean_of(
        self,
        orders: Sequence[TrainingOrder],
        weights: bytes,
        *,
        most_samples: int,
        deadline_s: float,
    ) -> SecureSum:
        """Ask every device that is online, and unmask the sum of those that stayed.

        Raises:
            ConflictError: Too few devices stayed until the end.
        """
        by_device = {order.device: order for order in orders}
        online = set(self._grid.get_node_ids())
        asked = {
            node: by_device[device]
            for node, device in self._nodes().items()
            if node in online and device in by_device
        }
        if len(asked) < FEWEST:
            raise ConflictError(f"{len(asked)} devices online, a secure sum needs {FEWEST}")
        strategy = _OneSum(asked)
        context = LegacyContext(self._context, strategy=strategy)
        context.state = _start(orders[0].number, weights)
        workflow = SecAggPlusWorkflow(
            num_shares=1.0,
            reconstruction_threshold=2 / 3,
            max_weight=float(most_samples),
            clipping_range=CLIP,
            timeout=deadline_s / STAGES,
        )
        workflow(self._grid, context)
        if strategy.mean is None or not strategy.answers:
            raise ConflictError("the secure sum did not come together, too few devices stayed")
        return SecureSum(mean=strategy.mean, answers=strategy.answers)


def _start(number: int, weights: bytes) -> RecordDict:
    """State that the workflow begins with: round and weights."""
    array = Array(dtype="uint8", shape=(len(weights),), stype=_RAW, data=weights)
    return RecordDict(
        {
            MAIN_CONFIGS_RECORD: ConfigRecord({Key.CURRENT_ROUND: number}),
            MAIN_PARAMS_RECORD: ArrayRecord({"0": array}),
        }
    )


def _answer_of(result: FitRes) -> TrainingAnswer | None:
    try:
        return TrainingAnswer.model_validate_json(str(result.metrics.get(_ANSWER, "")))
    except ValidationError:
        return None
