"""Named arrays of a network ↔ one flat float32 vector, the same on every machine.

What travels and is summed is one array instead of hundreds. Counters of BatchNorm
(``num_batches_tracked``) mean nothing after averaging, and the projection of the box head
(``dfl``) is a constant: neither is ever part of a vector.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

MOST_VALUES = 50_000_000
"""More than any detector of ours; a layout above it is a mistake."""

_NEVER_SENT = ("num_batches_tracked", "dfl.conv.weight")
_MEAN_OF_BATCH_NORM = "running_mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One array of the network and its place in the vector.

    Attributes:
        name: As the network calls it, such as ``model.0.conv.weight``.
        shape: Its axes; empty for a single number.
        offset: Index of its first value.
        size: Number of its values.
        is_batch_norm: It is a scale, shift or statistic of a BatchNorm layer.
    """

    name: str
    shape: tuple[int, ...]
    offset: int
    size: int
    is_batch_norm: bool

    @property
    def place(self) -> slice:
        """Its part of the vector."""
        return slice(self.offset, self.offset + self.size)


@dataclass(frozen=True)
class Layout:
    """Where every array lies, in the order of the network.

    Attributes:
        entries: Without gaps: each begins where the one before ends.
    """

    entries: tuple[Entry, ...]

    def __post_init__(self) -> None:
        end = 0
        for entry in self.entries:
            if entry.offset != end or entry.size != math.prod(entry.shape):
                raise ValueError(f"entry {entry.name} at {entry.offset}, expected it at {end}")
            end += entry.size
        if not 0 < end <= MOST_VALUES:
            raise ValueError(f"layout of {end} values, expected 1 to {MOST_VALUES}")

    @cached_property
    def size(self) -> int:
        """Number of values in a vector."""
        return sum(entry.size for entry in self.entries)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of names and shapes: two networks with equal digests can exchange vectors."""
        told = [[entry.name, *entry.shape] for entry in self.entries]
        return hashlib.sha256(json.dumps(told, separators=(",", ":")).encode()).digest()

    @cached_property
    def batch_norm(self) -> NDArray[np.bool_]:
        """True where a value belongs to BatchNorm, shape (size,)."""
        sizes = [entry.size for entry in self.entries]
        mask = np.repeat([entry.is_batch_norm for entry in self.entries], sizes)
        mask.setflags(write=False)
        return mask

    @cached_property
    def offsets(self) -> NDArray[np.intp]:
        """Index of each entry's first value, shape (entries,); for ``np.add.reduceat``."""
        return np.array([entry.offset for entry in self.entries], dtype=np.intp)


def layout_of(state: Mapping[str, NDArray[Any]]) -> Layout:
    """Where each array of a network goes.

    Args:
        state: Name → array, in the network's own order.

    Raises:
        ValueError: An array that should travel is not of floats, or there is none.
    """
    entries = []
    offset = 0
    for name, values in state.items():
        if name.endswith(_NEVER_SENT) or values.size == 0:
            continue
        if not np.issubdtype(values.dtype, np.floating):
            raise ValueError(f"array {name} of {values.dtype}, expected floats")
        module = name.rpartition(".")[0]
        entries.append(
            Entry(
                name=name,
                shape=tuple(values.shape),
                offset=offset,
                size=values.size,
                is_batch_norm=f"{module}.{_MEAN_OF_BATCH_NORM}" in state,
            )
        )
        offset += values.size
    return Layout(tuple(entries))


def flatten(state: Mapping[str, NDArray[Any]], layout: Layout) -> F32:
    """The arrays of a layout, one after another.

    Returns:
        Shape (layout.size,), a copy.

    Raises:
        ValueError: An array is missing or has another shape.
    """
    vector = np.empty(layout.size, dtype=np.float32)
    for entry in layout.entries:
        values = state.get(entry.name)
        if values is None or tuple(values.shape) != entry.shape:
            found = "nothing" if values is None else f"shape {tuple(values.shape)}"
            raise ValueError(f"array {entry.name}: {found}, expected shape {entry.shape}")
        vector[entry.place] = values.ravel()
    return vector


def unflatten(vector: F32, layout: Layout) -> dict[str, F32]:
    """Name → array; each a view into ``vector``.

    Raises:
        ValueError: The vector is of another length.
    """
    if vector.shape != (layout.size,):
        raise ValueError(f"vector of shape {vector.shape}, expected ({layout.size},)")
    return {entry.name: vector[entry.place].reshape(entry.shape) for entry in layout.entries}
