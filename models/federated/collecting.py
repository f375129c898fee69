"""Orders and weights → replies one after another, until all came or the deadline did.

``Exchange`` is the only way in which a round reaches devices. Two implementations: Flower's
grid (``grid_exchange``), and the same work in this process for tests and simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from common.ids import Slug
from models.federated.orders import Refusal, TrainingAnswer, TrainingOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back from one device; the transport vouches for the name.

    Attributes:
        answer: What it says, None when nothing of ours came.
        update: Its packed update, empty without one.
        refusal: Why there is no answer.
    """

    device: Slug
    answer: TrainingAnswer | None = None
    update: bytes = b""
    refusal: Refusal | None = None


class Exchange(Protocol):
    """Reaches devices."""

    def ask(
        self, orders: Sequence[TrainingOrder], weights: bytes, *, deadline_s: float
    ) -> Iterator[Reply]:
        """Send each order to its device with the same weights.

        Args:
            orders: One for each device.
            weights: Of the round, as they travel.
            deadline_s: Replies after it are lost.

        Yields:
            At most one reply of each device, as they arrive.

        Raises:
            UnreachableError: Nobody can be reached at all.
        """
        ...


Work = Callable[[TrainingOrder, bytes], tuple[TrainingAnswer, bytes]]


class ExchangeInProcess:
    """Devices that are functions here; asked one after another, in the order of the plan."""

    def __init__(self, devices: Mapping[str, Work]) -> None:
        """Know the devices; one that is missing never answers."""
        self._devices = devices

    def ask(
        self,
        orders: Sequence[TrainingOrder],
        weights: bytes,
        *,
        deadline_s: float,  # noqa: ARG002 - nobody is late here
    ) -> Iterator[Reply]:
        """Let each device work."""
        for order in orders:
            if work := self._devices.get(order.device):
                answer, update = work(order, weights)
                yield Reply(device=order.device, answer=answer, update=update)
