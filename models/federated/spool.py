"""Updates of one round as they arrive → files, read back one at a time.

The server holds what travelled (about 1.2 MB a client) on disk and one piece of one update in
memory. Strategies that need all values of a coordinate at once (medians, distances) ask for the
same stretch of every client; for them an update is unpacked once into a scratch file.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np

from common.errors import ConflictError, NotFoundError, UnreachableError
from common.ids import SLUG_PATTERN
from common.private_files import make_private_folder, sync_folder
from models.federated.codec import MOST_UPDATE_BYTES, UpdateError, UpdateFault, blocks, unpack
from models.federated.parameters import F32, Layout

_F32 = np.dtype("<f4")

MOST_ROUND_BYTES = 20 * 1024**3


class Updates(Protocol):
    """Where aggregation reads deltas; on disk in a round, in memory in an experiment."""

    @property
    def layout(self) -> Layout:
        """Of every delta in it."""
        ...

    def blocks(self, client: str) -> Iterator[tuple[int, F32]]:
        """One client's delta piece by piece: index of the first value, values."""
        ...

    def stretch(self, client: str, place: slice) -> F32:
        """One client's values of ``place``."""
        ...


class UpdateSpool:
    """The updates of one round in a folder of their own."""

    def __init__(
        self,
        folder: Path,
        layout: Layout,
        *,
        most_update_bytes: int = MOST_UPDATE_BYTES,
        most_bytes: int = MOST_ROUND_BYTES,
    ) -> None:
        """Open or make the folder.

        Args:
            folder: Only this spool writes there.
            layout: Of the run's network.
            most_update_bytes: A longer update is refused before it touches the disk.
            most_bytes: The same for all of a round together.

        Raises:
            ConfigError: The folder cannot be made.
        """
        make_private_folder(folder)
        self._folder = folder
        self._layout = layout
        self._most_update_bytes = most_update_bytes
        self._most_bytes = most_bytes

    @property
    def layout(self) -> Layout:
        """Of the run's network."""
        return self._layout

    def put(self, client: str, data: bytes) -> str:
        """Keep what a client sent, replacing what it sent before.

        Returns:
            SHA-256 of ``data``, 64 hex digits.

        Raises:
            ConflictError: The round holds all it may.
            UnreachableError: The disk did not take it.
            UpdateError: Longer than an update may be.
        """
        if len(data) > self._most_update_bytes:
            raise UpdateError(
                UpdateFault.TOO_BIG,
                f"update of {len(data)} bytes, expected at most {self._most_update_bytes}",
            )
        target = self._file(client, "update")
        others = sum(f.stat().st_size for f in self._folder.glob("*.update") if f != target)
        if others + len(data) > self._most_bytes:
            raise ConflictError(
                f"round holds {others} bytes of updates, {len(data)} more would exceed "
                f"{self._most_bytes}"
            )
        self._write(target, lambda file: file.write(data), is_durable=True)
        self._file(client, "f32").unlink(missing_ok=True)
        return hashlib.sha256(data).hexdigest()

    def clients(self) -> tuple[str, ...]:
        """Who has sent something, by name."""
        return tuple(sorted(path.stem for path in self._folder.glob("*.update")))

    def data(self, client: str) -> bytes:
        """What a client sent.

        Raises:
            NotFoundError: Nothing yet.
        """
        try:
            return self._file(client, "update").read_bytes()
        except OSError as error:
            raise NotFoundError(f"no update of {client}: {error.strerror}") from error

    def vector(self, client: str) -> F32:
        """Its delta, shape (layout.size,).

        Raises:
            NotFoundError: Nothing yet.
            UpdateError: Not an update of this run.
        """
        return unpack(self.data(client), self._layout, most_bytes=self._most_update_bytes)

    def blocks(self, client: str) -> Iterator[tuple[int, F32]]:
        """Its delta piece by piece: index of the first value, values.

        Raises:
            NotFoundError: Nothing yet.
            UpdateError: Not an update of this run.
        """
        return blocks(self.data(client), self._layout, most_bytes=self._most_update_bytes)

    def stretch(self, client: str, place: slice) -> F32:
        """Its values of ``place``, out of a scratch file that is made on first use.

        Raises:
            NotFoundError: Nothing yet.
            UpdateError: Not an update of this run.
        """
        scratch = self._file(client, "f32")
        if not scratch.is_file():
            pieces = self.blocks(client)
            self._write(
                scratch,
                lambda file: [file.write(values.astype(_F32).data) for _, values in pieces],
                is_durable=False,
            )
        start, stop, _ = place.indices(self._layout.size)
        return np.fromfile(scratch, dtype=_F32, count=stop - start, offset=4 * start)

    def clear(self) -> None:
        """Delete everything; after the round is finished nothing of a client is kept."""
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()

    def _file(self, client: str, kind: str) -> Path:
        if not re.fullmatch(SLUG_PATTERN, client):
            raise ValueError(f"client {client!r} is not a name of a device")
        return self._folder / f"{client}.{kind}"

    def _write(self, target: Path, fill: Callable[[BinaryIO], object], *, is_durable: bool) -> None:
        beside = target.with_name(f".{secrets.token_hex(8)}")
        try:
            with beside.open("xb") as file:
                fill(file)
                file.flush()
                if is_durable:
                    os.fsync(file.fileno())
            beside.replace(target)
            if is_durable:
                sync_folder(self._folder)
        except OSError as error:
            raise UnreachableError(
                f"{target} cannot be written: {error.strerror}", hint="look at the disk's space"
            ) from error
        finally:
            beside.unlink(missing_ok=True)


class UpdatesInMemory:
    """Deltas that somebody holds anyway, for experiments and simulation."""

    def __init__(self, layout: Layout, vectors: Mapping[str, F32]) -> None:
        """Keep references, copy nothing.

        Args:
            layout: Of the network.
            vectors: Client → delta, each of shape (layout.size,).
        """
        self._layout = layout
        self._vectors = vectors

    @property
    def layout(self) -> Layout:
        """Of every delta in it."""
        return self._layout

    def vector(self, client: str) -> F32:
        """One client's delta."""
        return self._vectors[client]

    def blocks(self, client: str) -> Iterator[tuple[int, F32]]:
        """One client's delta as a single piece."""
        yield 0, self._vectors[client]

    def stretch(self, client: str, place: slice) -> F32:
        """One client's values of ``place``."""
        return self._vectors[client][place]
