"""Orders and weights → Flower messages to the nodes of the planned devices → replies.

Flower's own round loop waits for everybody or for nobody, and never for a node that was killed
and came back. Here every planned device is asked as soon as one of its nodes is online, asked
again when its node or its training was lost, and whatever is not there at the deadline is
missing. A node is believed to be the device whose registered key it holds (``nodes.json``), not
what it says.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import structlog
from flwr.app import Message, MessageType
from flwr.common.constant import ErrorCode
from flwr.serverapp import Grid

from common.errors import ConfigError, TrustError
from common.flower_processes import NODES_FILE
from common.timing import Clock, SystemClock
from models.federated.client_app import answer_in, content_with
from models.federated.collecting import Reply
from models.federated.orders import Refusal, TrainingOrder

POLL_S = 1.0
MOST_AT_ONCE = 4
"""So many updates are in memory at a time."""
MOST_ASKED = 3
"""A device whose node or training was lost is asked so often in one round."""
_ASKED_AGAIN = (Refusal.NODE_LOST, Refusal.APP_LOST)
_REFUSALS = {
    ErrorCode.INVALID_FAB: Refusal.BUNDLE_REFUSED,
    ErrorCode.CLIENT_APP_CRASHED: Refusal.APP_LOST,
    ErrorCode.NODE_UNAVAILABLE: Refusal.NODE_LOST,
    ErrorCode.MESSAGE_UNAVAILABLE: Refusal.NODE_LOST,
    ErrorCode.REPLY_MESSAGE_UNAVAILABLE: Refusal.NODE_LOST,
}

log = structlog.get_logger(__name__)


def read_nodes(folder: Path) -> dict[int, str]:
    """Flower's node id → device, as the coordinator registered their keys.

    Raises:
        ConfigError: The file is missing or not one of ours.
    """
    path = folder / NODES_FILE
    try:
        told = json.loads(path.read_bytes())
        return {int(node): str(device) for node, device in told.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"{path} does not say which node is which device",
            hint="the coordinator writes it before it starts a run",
        ) from error


@dataclass(slots=True)
class _Asked:
    """What is under way in one round.

    Attributes:
        waiting: Device → order that could not be sent yet.
        pending: Flower's message id → order and the node that has it.
        times: Device → how often it was asked.
        answers: Replies that came.
    """

    waiting: dict[str, TrainingOrder]
    pending: dict[str, tuple[TrainingOrder, int]] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    answers: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long devices that are offline are waited for.

    Attributes:
        offline_s: So long, and no longer once all others have answered.
        quorum: With fewer answers than this, until the deadline of the round.
    """

    offline_s: float = 60.0
    quorum: int = 1


_USUAL_PATIENCE = Patience()


class GridExchange:
    """Reaches devices through Flower."""

    def __init__(
        self,
        grid: Grid,
        nodes: Callable[[], Mapping[int, str]],
        *,
        patience: Patience = _USUAL_PATIENCE,
        poll_s: float = POLL_S,
        clock: Clock | None = None,
    ) -> None:
        """Wrap a grid.

        Args:
            grid: Of the ServerApp.
            nodes: Node id → device, read anew while a round goes on.
            patience: With devices that are offline.
            poll_s: Pause between two looks.
            clock: For deadlines.
        """
        self._grid = grid
        self._nodes = nodes
        self._patience = patience
        self._poll_s = poll_s
        self._clock = clock or SystemClock()

    def ask(
        self, orders: Sequence[TrainingOrder], weights: bytes, *, deadline_s: float
    ) -> Iterator[Reply]:
        """Send, and collect until all came or the deadline did."""
        asked = _Asked(waiting={order.device: order for order in orders})
        began_s = self._clock.monotonic_s()
        pause = threading.Event()
        while asked.waiting or asked.pending:
            passed_s = self._clock.monotonic_s() - began_s
            is_over = passed_s >= deadline_s or self._is_enough(asked, passed_s)
            if asked.waiting and not is_over:
                self._send(asked, weights, ttl_s=deadline_s - passed_s)
            # Also after the deadline, once: the SuperLink may have been away until now.
            yield from self._replies(asked)
            if is_over:
                break
            pause.wait(self._poll_s)
        late = sorted(order.device for order, _ in asked.pending.values())
        if late or asked.waiting:
            log.warning("devices_missing", late=late, offline=sorted(asked.waiting))

    def _is_enough(self, asked: _Asked, passed_s: float) -> bool:
        """Whether nobody who is offline is worth waiting for."""
        is_quorate = asked.answers >= self._patience.quorum
        return is_quorate and not asked.pending and passed_s >= self._patience.offline_s

    def _send(self, asked: _Asked, weights: bytes, *, ttl_s: float) -> None:
        """Push to every waiting device that has a node online."""
        online = set(self._grid.get_node_ids())
        node_of = {device: node for node, device in self._nodes().items() if node in online}
        for device in [name for name in asked.waiting if name in node_of]:
            order = asked.waiting[device]
            message = Message(
                content_with(order, weights),
                node_of[device],
                MessageType.TRAIN,
                ttl=ttl_s,
                group_id=str(order.number),
            )
            # One at a time: a push holds its weights in memory, and all of them are the same.
            for message_id in self._grid.push_messages([message]):
                if message_id:
                    asked.pending[message_id] = (order, node_of[device])
                    asked.times[device] = asked.times.get(device, 0) + 1
                    del asked.waiting[device]

    def _replies(self, asked: _Asked) -> Iterator[Reply]:
        ids = iter(list(asked.pending))
        while some := list(islice(ids, MOST_AT_ONCE)):
            for message in self._grid.pull_messages(some):
                known = asked.pending.pop(message.metadata.reply_to_message_id, None)
                if known is None:
                    continue
                order, node = known
                reply = _reply(message, order.device, node)
                is_lost = reply.refusal in _ASKED_AGAIN
                if is_lost and asked.times[order.device] < MOST_ASKED:
                    asked.waiting[order.device] = order
                    log.info("device_lost", device=order.device, round=order.number)
                    continue
                asked.answers += 1
                yield reply


def _reply(message: Message, device: str, node: int) -> Reply:
    """What a message is worth; only the node that was asked may answer for its device."""
    if message.has_error():
        code = message.error.code
        return Reply(device=device, refusal=_REFUSALS.get(code, Refusal.APP_FAILED))
    if message.metadata.src_node_id != node:
        return Reply(device=device, refusal=Refusal.OTHER_DEVICE)
    try:
        answer, update = answer_in(message.content)
    except TrustError:
        return Reply(device=device, refusal=Refusal.BAD_ANSWER)
    return Reply(device=device, answer=answer, update=update)
