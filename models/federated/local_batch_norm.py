"""Scales and statistics of BatchNorm ↔ a file on the device's own disk (FedBN, Li et al. 2021).

A camera at night and a camera by day differ first of all in the statistics of their
pictures. Under ``BatchNorm.LOCAL`` this part of the weights never leaves the device: its
update says nothing about it, and the device counts with its own.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError
from common.ids import Slug
from common.private_files import make_private_folder, write_private
from models.federated.parameters import Layout

F32 = NDArray[np.float32]


def own_part(vector: F32, layout: Layout) -> F32:
    """The part of a vector that belongs to BatchNorm, shape (m,)."""
    return np.asarray(vector[layout.batch_norm], dtype=np.float32)


def with_own_part(vector: F32, part: F32, layout: Layout) -> F32:
    """A copy of a vector with another BatchNorm part.

    Raises:
        ValueError: The part is of another network.
    """
    expected = int(layout.batch_norm.sum())
    if part.shape != (expected,):
        raise ValueError(f"BatchNorm part of shape {part.shape}, expected ({expected},)")
    merged = vector.copy()
    merged[layout.batch_norm] = part
    return merged


class BatchNormFolder:
    """What one device keeps of one run, one file a round, so that a round can be repeated."""

    def __init__(self, folder: Path, *, run: Slug, layout: Layout) -> None:
        """Open the part of ``folder`` that belongs to ``run``; nothing is read yet."""
        self._folder = folder / run
        self._layout = layout

    def before(self, number: int) -> F32 | None:
        """What the newest round before ``number`` left, None before the first.

        Raises:
            ConfigError: The file is damaged, or of another network.
        """
        numbers = [n for n in self._numbers() if n < number]
        return self._read(self._path(max(numbers))) if numbers else None

    def keep(self, number: int, part: F32) -> None:
        """Store what a round left; repeating the round replaces it, rounds after it go."""
        content = BytesIO()
        np.save(content, part.astype("<f4"), allow_pickle=False)
        make_private_folder(self._folder)
        write_private(self._path(number), content.getvalue())
        # the one that this round began with stays, the device may be asked for it again
        began_with = max((n for n in self._numbers() if n < number), default=number)
        for other in self._numbers():
            if other not in (began_with, number):
                self._path(other).unlink(missing_ok=True)

    def _numbers(self) -> list[int]:
        stems = (path.stem.removeprefix("round-") for path in self._folder.glob("round-*.npy"))
        return sorted(int(stem) for stem in stems if stem.isdecimal())

    def _path(self, number: int) -> Path:
        return self._folder / f"round-{number:04d}.npy"

    def _read(self, path: Path) -> F32:
        try:
            part = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ConfigError(
                f"{path} is not readable: {error}", hint="delete it: the run's own part is used"
            ) from error
        expected = int(self._layout.batch_norm.sum())
        if part.dtype != np.dtype("<f4") or part.shape != (expected,):
            raise ConfigError(
                f"{path} holds {part.dtype} of shape {part.shape}, expected {expected} float32",
                hint="delete it: it belongs to another network",
            )
        return np.asarray(part, dtype=np.float32)
