"""The mean update of a round → the next global vector, by a plain step or an adaptive one.

FedAdam and FedYogi (Reddi et al. 2021, Algorithm 2) treat the mean update as a gradient. Their
rate is given here in units of tau: ``server_rate`` 1 then means the length of a plain step where
updates are small beside tau, as those of fine-tuning are, instead of a thousand times that.
"""

from __future__ import annotations

import os
import secrets
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from common.errors import TrustError, UnreachableError
from common.private_files import keep_private, sync_folder
from common.rounds import Strategy
from models.federated.parameters import F32
from models.federated.update_noise import NoiseKey

BETA_1 = 0.9
BETA_2 = 0.99
TAU = 1e-3
"""How adaptive: coordinates that move less than this in a round are treated alike."""

_BLOCK_VALUES = 65_536


@dataclass(frozen=True, slots=True)
class ServerState:
    """What the server brings to a round besides plan and base.

    Attributes:
        steps: Rounds that the optimiser has done.
        momentum: Shape (n,), None before the first adaptive round.
        second: The same of squares.
        noise: Key of this round's noise; needed exactly when the plan asks for privacy. It is
            never written anywhere.
    """

    steps: int = 0
    momentum: F32 | None = None
    second: F32 | None = None
    noise: NoiseKey | None = field(default=None, repr=False)


def is_adaptive(strategy: Strategy) -> bool:
    """It keeps momentum between rounds."""
    return strategy in (Strategy.FEDADAM, Strategy.FEDYOGI)


def step(
    base: F32, update: F32, *, strategy: Strategy, rate: float, state: ServerState
) -> tuple[F32, ServerState]:
    """Move the global vector.

    Args:
        base: Shape (n,), the vector that the round began with.
        update: Shape (n,), how far the round wants to move; its memory becomes the result's.
        strategy: Adaptive ones use ``state``.
        rate: ``server_rate`` of the plan.
        state: From the round before; the memory of its arrays becomes the new state's.

    Returns:
        The next vector and the state to keep with it.
    """
    if not is_adaptive(strategy):
        if rate != 1:
            update *= np.float32(rate)
        update += base
        return update, ServerState(steps=state.steps + 1)
    momentum = np.zeros_like(base) if state.momentum is None else state.momentum
    second = np.zeros_like(base) if state.second is None else state.second
    length = rate * TAU * _bias_correction(strategy, state.steps + 1)
    for start in range(0, base.size, _BLOCK_VALUES):
        place = slice(start, start + _BLOCK_VALUES)
        delta, m, v = update[place], momentum[place], second[place]
        squared = delta**2
        m *= BETA_1
        m += (1 - BETA_1) * delta
        if strategy is Strategy.FEDADAM:
            v *= BETA_2
            v += (1 - BETA_2) * squared
        else:
            v -= (1 - BETA_2) * squared * np.sign(v - squared)
        delta[:] = base[place] + length * m / (np.sqrt(v) + TAU)
    return update, ServerState(steps=state.steps + 1, momentum=momentum, second=second)


def write_state(path: Path, state: ServerState) -> None:
    """Put the optimiser's memory beside its round, by atomic rename; nothing of it is copied.

    Raises:
        UnreachableError: The folder cannot be written.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        try:
            keep_private(beside)
            with beside.open("r+b") as file:
                _write_arrays(file, state)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise UnreachableError(
            f"{path} cannot be written: {error.strerror}", hint="look at the disk's space"
        ) from error


def read_state(path: Path, size: int) -> ServerState:
    """What ``write_state`` left.

    Args:
        path: The file.
        size: Values of the run's vector.

    Raises:
        TrustError: Damaged, or of another network.
        UnreachableError: Not there.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            steps = int(arrays["steps"])
            found = {name: arrays[name] for name in ("momentum", "second") if name in arrays}
    except FileNotFoundError as error:
        raise UnreachableError(f"no optimiser state at {path}") from error
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TrustError(f"optimiser state {path} cannot be read: {error}") from error
    for name, values in found.items():
        if values.shape != (size,) or values.dtype != np.float32:
            raise TrustError(
                f"{name} in {path} is {values.dtype} of shape {values.shape}, "
                f"expected float32 of ({size},)"
            )
    return ServerState(steps, found.get("momentum"), found.get("second"))


def _write_arrays(file: BinaryIO, state: ServerState) -> None:
    """What ``np.savez`` writes; that takes copies of 16 MB on the way, more than a model."""
    arrays: dict[str, NDArray[Any]] = {"steps": np.array(state.steps, dtype=np.int64)}
    for name, values in (("momentum", state.momentum), ("second", state.second)):
        if values is not None:
            arrays[name] = np.ascontiguousarray(values)
    with zipfile.ZipFile(file, "w") as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                head = np.lib.format.header_data_from_array_1_0(values)
                np.lib.format.write_array_header_1_0(member, head)
                member.write(values.data.cast("B"))


def _bias_correction(strategy: Strategy, steps: int) -> float:
    # Flower counts its first round as Adam's second step, and does not correct Yogi; so do we,
    # to be comparable to the last digit.
    if strategy is Strategy.FEDYOGI:
        return 1.0
    return float(np.sqrt(1 - BETA_2 ** (steps + 1)) / (1 - BETA_1 ** (steps + 1)))
