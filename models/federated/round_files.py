"""What a run has reached ↔ files of its folder, from which it goes on after any power cut.

A round is finished when its line stands in the ledger and ``global/round-NNN.f32`` has the
SHA-256 of that line. Files are written first, each whole or not at all; what has no line is
written over by the next attempt.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from common.errors import ConfigError, NotFoundError, TrustError, UnreachableError
from common.private_files import make_private_folder, write_private
from common.round_ledger import LedgerLine, read_ledger
from common.rounds import GLOBAL_FOLDER, LEDGER_FILE, PLAN_FILE, STATUS_FILE, RunPlan, RunStatus
from common.rounds import RoundOutcome as Outcome
from models.federated.server_optimiser import ServerState, read_state, write_state

F32 = NDArray[np.float32]
KEPT_ROUNDS = 5
"""Newest global weights that stay, besides the parent: a damaged file costs one round."""
ROUND_FINISHED = "round_finished"

_F32 = np.dtype("<f4")
_ROUND = re.compile(r"round-(\d{3,})\.f32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Where a run goes on.

    Attributes:
        number: The last round that is finished and whose file agrees with the ledger.
        outcomes: Of rounds 1 to ``number``.
        vector: Global weights after it, None when nothing is finished.
        state: What the server's optimiser kept with them.
    """

    number: int
    outcomes: tuple[Outcome, ...]
    vector: F32 | None
    state: ServerState


def read_plan(folder: Path) -> RunPlan:
    """The plan of a run; its parent is the file that was meant.

    Raises:
        ConfigError: No plan there, or not one.
        TrustError: The parent is another file.
    """
    path = folder / PLAN_FILE
    try:
        plan = RunPlan.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"no plan at {path}: {error.strerror}") from error
    except ValidationError as error:
        raise ConfigError(f"{path} is no plan of a run") from error
    parent = parent_file(plan, folder)
    try:
        with parent.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"parent {parent} cannot be read: {error.strerror}") from error
    if found != plan.parent.sha256:
        raise TrustError(
            f"parent {parent} has SHA-256 {found[:12]}…, expected {plan.parent.sha256[:12]}…",
            hint="put back the checkpoint that the run was planned with",
        )
    return plan


def parent_file(plan: RunPlan, folder: Path) -> Path:
    """Where the parent's checkpoint lies."""
    return folder / plan.parent.file


def write_status(folder: Path, status: RunStatus) -> None:
    """Tell the coordinator how far the run is.

    Raises:
        UnreachableError: The folder cannot be written.
    """
    write_private(folder / STATUS_FILE, status.model_dump_json(indent=1).encode())


class GlobalFiles:
    """``global/`` of one run."""

    def __init__(self, folder: Path, *, size: int) -> None:
        """Open or make the folder.

        Args:
            folder: Of the run.
            size: Values of a global vector.
        """
        self._run = folder
        self._folder = folder / GLOBAL_FOLDER
        self._size = size
        make_private_folder(self._folder)

    def write(self, number: int, vector: F32, state: ServerState, *, epsilon: float | None) -> str:
        """Store what a round ended with; round 0 is the parent.

        Returns:
            SHA-256 of the weights' file, 64 hex digits.

        Raises:
            UnreachableError: The disk did not take it.
        """
        # A view: two more copies of the model would be most of a round's memory.
        raw = vector.astype(_F32, copy=False).data.cast("B")
        sha256 = hashlib.sha256(raw).hexdigest()
        write_state(self._path(number, "state.npz"), state)
        write_private(self._path(number, "f32"), raw)
        facts = {
            "sha256": sha256,
            "state": self._path(number, "state.npz").name,
            "epsilon": epsilon,
        }
        write_private(self._path(number, "json"), json.dumps(facts, indent=1).encode())
        self._forget(number)
        return sha256

    def reached(self) -> Reached:
        """The newest finished round whose file agrees with the ledger.

        Raises:
            TrustError: The ledger does not hold.
        """
        lines = ledger_lines(self._run)
        outcomes = finished_rounds(lines)
        for number in sorted(outcomes, reverse=True):
            if set(range(1, number)) - outcomes.keys():
                continue
            vector = self._read(number, outcomes[number].weights_sha256)
            state = self._state(number)
            if vector is not None and state is not None:
                told = tuple(outcomes[each] for each in range(1, number + 1))
                return Reached(number=number, outcomes=told, vector=vector, state=state)
        return Reached(number=0, outcomes=(), vector=None, state=ServerState())

    def _read(self, number: int, sha256: str) -> F32 | None:
        try:
            raw = self._path(number, "f32").read_bytes()
        except OSError:
            return None
        if hashlib.sha256(raw).hexdigest() != sha256 or len(raw) != _F32.itemsize * self._size:
            return None
        return np.frombuffer(raw, dtype=_F32).astype(np.float32)

    def _state(self, number: int) -> ServerState | None:
        try:
            return read_state(self._path(number, "state.npz"), self._size)
        except (TrustError, UnreachableError):
            return None

    def _forget(self, number: int) -> None:
        for path in self._folder.iterdir():
            found = _ROUND.fullmatch(path.name)
            if found and 0 < int(found[1]) <= number - KEPT_ROUNDS:
                for kind in ("f32", "state.npz"):
                    self._path(int(found[1]), kind).unlink(missing_ok=True)

    def _path(self, number: int, kind: str) -> Path:
        return self._folder / f"round-{number:03d}.{kind}"


def ledger_lines(folder: Path) -> list[LedgerLine]:
    """Everything that was written so far.

    Raises:
        TrustError: The ledger does not hold.
    """
    try:
        return list(read_ledger(folder / LEDGER_FILE))
    except NotFoundError:
        return []


def finished_rounds(lines: Sequence[LedgerLine]) -> dict[int, Outcome]:
    """Number → the last word on each finished round.

    Raises:
        TrustError: A line that is no round.
    """
    try:
        found = [Outcome.model_validate(each.body) for each in lines if each.kind == ROUND_FINISHED]
    except ValidationError as error:
        raise TrustError("the ledger holds a finished round that is none") from error
    return {outcome.number: outcome for outcome in found}
