"""One device in one run ↔ what it keeps of each round, so that a repeated round repeats itself.

Three things: the residual of error feedback and the device's own BatchNorm as they were after
each round, and the answer it gave. Flower keeps a node's state in memory, which a power cut
takes; these are files, each written whole or not at all. A coordinator that lost a round asks
again: the same order gets the same bytes, without another hour of training.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from common.errors import ConfigError
from common.private_files import make_private_folder, write_private
from models.federated.local_batch_norm import BatchNormFolder
from models.federated.orders import TrainingAnswer, TrainingOrder
from models.federated.parameters import Layout

F32 = NDArray[np.float32]
STATE_FOLDER = "state"
"""Inside the learn folder of a box."""
KEPT_ROUNDS = 2
KEPT_RUNS = 4

_NAME = re.compile(r"round-(\d{4})\.(residual|answer)")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRest:
    """What a round starts from on this device.

    Attributes:
        residual: What quantising lost so far, shape (n,), None in the first round.
        own_norm: The device's BatchNorm, shape (m,), None in the first round.
    """

    residual: F32 | None
    own_norm: F32 | None


class ClientState:
    """Files of one run below the learn folder; one process works at a time."""

    def __init__(self, learn_folder: Path, *, run: str, layout: Layout) -> None:
        """Open; nothing is read or made yet."""
        self._runs = learn_folder / STATE_FOLDER / "rounds"
        self._folder = self._runs / run
        self._layout = layout
        self._norms = BatchNormFolder(learn_folder / STATE_FOLDER / "norms", run=run, layout=layout)

    def before(self, number: int) -> RoundRest:
        """What rounds before ``number`` left.

        Raises:
            ConfigError: A file is damaged, or of another network.
        """
        earlier = [n for n in self._numbers("residual") if n < number]
        residual = self._residual(max(earlier)) if earlier else None
        return RoundRest(residual=residual, own_norm=self._norms.before(number))

    def answered(self, order: TrainingOrder) -> tuple[TrainingAnswer, bytes] | None:
        """What this device answered to exactly this order, None when it did not yet."""
        path = self._path(order.number, "answer")
        try:
            digest, answer, update = path.read_bytes().split(b"\n", 2)
            if digest.decode() != order.digest:
                return None
            return TrainingAnswer.model_validate_json(answer), update
        except (OSError, ValueError, ValidationError):
            return None  # trained again: nothing is lost but time

    def keep(
        self,
        order: TrainingOrder,
        answer: TrainingAnswer,
        update: bytes,
        *,
        rest: RoundRest,
    ) -> None:
        """Store what a round left and said; repeating the round replaces it.

        The answer comes last: with it, everything else of its round is there.

        Raises:
            UnreachableError: The disk did not take it.
        """
        make_private_folder(self._folder)
        if rest.own_norm is not None:
            self._norms.keep(order.number, rest.own_norm)
        if rest.residual is not None:
            content = BytesIO()
            np.save(content, rest.residual.astype("<f4"), allow_pickle=False)
            write_private(self._path(order.number, "residual"), content.getvalue())
        told = answer.model_dump_json().encode()
        write_private(
            self._path(order.number, "answer"),
            b"\n".join((order.digest.encode(), told, update)),
        )
        self._forget(order.number)

    def _forget(self, number: int) -> None:
        for kind in ("residual", "answer"):
            numbers = self._numbers(kind)
            kept = [n for n in numbers if n <= number][-KEPT_ROUNDS:]
            # a round after this one belongs to weights that the coordinator gave up
            for other in set(numbers) - set(kept):
                self._path(other, kind).unlink(missing_ok=True)
        _keep_newest(self._runs, KEPT_RUNS, lambda folder: folder != self._folder)

    def _residual(self, number: int) -> F32:
        path = self._path(number, "residual")
        try:
            residual = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"{path} is not readable: {error}", hint="delete it: a little precision is lost"
            ) from error
        if residual.dtype != np.dtype("<f4") or residual.shape != (self._layout.size,):
            raise ConfigError(
                f"{path} holds {residual.dtype} of shape {residual.shape}, "
                f"expected {self._layout.size} float32",
                hint="delete it: it belongs to another network",
            )
        return np.asarray(residual, dtype=np.float32)

    def _numbers(self, kind: str) -> list[int]:
        if not self._folder.is_dir():
            return []
        found = (_NAME.fullmatch(path.name) for path in self._folder.iterdir())
        return sorted(int(name[1]) for name in found if name and name[2] == kind)

    def _path(self, number: int, kind: str) -> Path:
        return self._folder / f"round-{number:04d}.{kind}"


def _keep_newest(folder: Path, most: int, may_go: Callable[[Path], bool]) -> None:
    by_age = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    for old in by_age[:-most]:
        if may_go(old):
            shutil.rmtree(old, ignore_errors=True)
