"""What a box is about to store → its own append-only record, safe before the box goes on.

A batch is written down first, stored next, and marked as stored last. A box that was killed
in between repeats that one batch; any other that the store should have lost stays lost, and
the comparison finds it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

Content = dict[str, Any]
"""What ``MinuteBin.to_dict`` gives."""


class OwnLedger:
    """The one writer of a ledger."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.next_batch = 0
        self.is_last_stored = True
        self._resume()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def begin(self, batch: int, bins: Sequence[Content]) -> None:
        """Write down what will be stored."""
        self._append({"batch": batch, "bins": list(bins)})
        self.is_last_stored = False

    def stored(self, batch: int) -> None:
        """Write down that the store has said yes."""
        self._append({"stored": batch})
        self.next_batch, self.is_last_stored = batch + 1, True

    def close(self) -> None:
        os.close(self._file)

    def _append(self, line: Content) -> None:
        content = json.dumps(line, separators=(",", ":")).encode() + b"\n"
        assert os.write(self._file, content) == len(content), "half a line was written"
        os.fsync(self._file)

    def _resume(self) -> None:
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            # Killed while writing: nothing of it was stored.
            os.truncate(self._path, whole)
        for line in _lines(self._path):
            if "stored" in line:
                self.next_batch, self.is_last_stored = line["stored"] + 1, True
            else:
                self.next_batch, self.is_last_stored = line["batch"], False


def ledger_bins(path: Path) -> Iterator[Content]:
    """Every bin of a ledger, each once, however often its batch was begun."""
    seen = set()
    for line in _lines(path):
        if "bins" in line and line["batch"] not in seen:
            seen.add(line["batch"])
            yield from line["bins"]


def _lines(path: Path) -> Iterator[Content]:
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)
