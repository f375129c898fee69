"""An iterator → the same items, made in a thread of their own, a few ahead of the reader.

Decoding and the network release the interpreter lock, so two stages in two threads
overlap. The hand-over is bounded: a slow reader slows the maker down.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Ahead(Generic[Item]):
    """Iterate ``items`` in a thread; errors come out where the items would have."""

    def __init__(self, items: Iterable[Item], *, depth: int, name: str) -> None:
        """Start the thread.

        Args:
            items: What to read ahead.
            depth: Items that may wait, above zero.
            name: Name of the thread, for debuggers and logs.
        """
        if depth < 1:
            raise ValueError(f"depth {depth}, expected above zero")
        self._items = items
        self._depth = depth
        self._waiting: deque[Item] = deque()
        self._changed = threading.Condition()
        self._is_over = False
        self._is_closed = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._make, name=name, daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_over)
                if not self._waiting:
                    break
                item = self._waiting.popleft()
                self._changed.notify_all()
            yield item
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Let the thread stop after the item in hand, and wait for it."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        self._thread.join()

    def _make(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._hand_over(item):
                    break
        except BaseException as raised:  # noqa: BLE001 - raised again in the reader's thread
            error = raised
        with self._changed:
            self._error = error
            self._is_over = True
            self._changed.notify_all()

    def _hand_over(self, item: Item) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < self._depth or self._is_closed)
            if self._is_closed:
                return False
            self._waiting.append(item)
            self._changed.notify_all()
            return True
