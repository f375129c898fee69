"""One kind of network → what a device and the bench need to do with it.

``models.federated.installed_trainers`` finds the two by the name of the parent model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from common.rounds import RoundOutcome
from models.federated.local_training import LocalResult, LocalTask
from models.federated.parameters import Layout
from models.federated.verdicts import ClassRise

F32 = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What becomes of the last global model.

    Attributes:
        passed: It may be filed as a candidate.
        reasons: One sentence for each thing that speaks against it.
        candidate: Its file, None when there is none.
    """

    passed: bool
    reasons: tuple[str, ...] = ()
    candidate: Path | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunEnd:
    """What is known when the last round is done.

    Attributes:
        rounds: All of them, in order.
        ledger_head: Digest of the last line before the verdict.
    """

    rounds: tuple[RoundOutcome, ...]
    ledger_head: str


class Trainer(Protocol):
    """Trains one kind of network on a device."""

    @property
    def layout(self) -> Layout:
        """Of its network."""
        ...

    def train(self, task: LocalTask) -> LocalResult:
        """Train a copy of the global model.

        Raises:
            ItsError: It cannot.
        """
        ...


class Bench(Protocol):
    """The server's side of one run: its parent, its own data, its judgement."""

    @property
    def layout(self) -> Layout:
        """Of the parent."""
        ...

    def parent(self) -> F32:
        """The parent's weights, shape (layout.size,)."""
        ...

    def anchored(self, vector: F32, number: int) -> F32:
        """What becomes of an aggregate before it is the next global model."""
        ...

    def class_rise(self, base: F32) -> ClassRise | None:
        """What asks a delta to ``base`` about the server's pictures; None without pictures."""
        ...

    def scores(self, vector: F32) -> dict[str, float]:
        """Set → mAP50 in [0, 1]; empty where the plan names no evaluation."""
        ...

    def conclude(self, vector: F32, end: RunEnd) -> Conclusion:
        """Judge the last global model, and write the candidate.

        Args:
            vector: Shape (layout.size,).
            end: What led to it.

        Raises:
            ItsError: It cannot be written or judged.
        """
        ...
