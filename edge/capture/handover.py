"""Frames from a reading thread → frames for the thread that measures.

Two ways: ``NewestFrame`` for cameras, which must never be late, and ``ReadAhead`` for
recordings, of which nothing may be lost.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

from edge.capture.frames import Frame

Item = TypeVar("Item")


class NewestFrame:
    """A place for one frame; a newer one takes it over."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._is_closed = False
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Frames that were overtaken before anybody took them."""
        with self._changed:
            return self._dropped

    @property
    def is_closed(self) -> bool:
        """True when no further frame will be handed over."""
        with self._changed:
            return self._is_closed

    def put(self, frame: Frame) -> None:
        """Offer a frame; never waits."""
        with self._changed:
            if self._frame is not None:
                self._dropped += 1
            self._frame = frame
            self._changed.notify()

    def take(self, *, timeout_s: float) -> Frame | None:
        """The newest frame, once; None after ``timeout_s`` without one or when closed."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._frame is not None or self._is_closed, timeout=timeout_s
            )
            frame, self._frame = self._frame, None
            return frame

    def close(self) -> None:
        """Wake whoever waits; a frame still here can be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()


class ReadAhead(Generic[Item]):
    """Iterate ``items`` in a thread of its own, at most ``depth`` items ahead.

    Decoding then overlaps with inference on another core, and memory stays bounded.
    An error of the reader is raised in the thread that iterates.
    """

    def __init__(self, items: Iterable[Item], *, depth: int, stop: threading.Event) -> None:
        if depth < 1:
            raise ValueError(f"read {depth} items ahead, expected 1 or more")
        self._items = items
        self._stop = stop
        self._ready: queue.Queue[Item | None] = queue.Queue(maxsize=depth)
        self._abandoned = threading.Event()

    def __iter__(self) -> Generator[Item, None, None]:
        """Yield every item in order."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="read-ahead") as pool:
            reading = pool.submit(self._read)
            try:
                yield from self._handed_over(reading)
            finally:
                self._abandoned.set()
            reading.result()

    def _handed_over(self, reading: Future[None]) -> Iterator[Item]:
        while not self._stop.is_set():
            try:
                item = self._ready.get(timeout=0.1)
            except queue.Empty:
                if reading.done():
                    return
                continue
            if item is None:
                return
            yield item

    def _read(self) -> None:
        try:
            for item in self._items:
                if not self._offered(item):
                    return
        finally:
            self._offered(None)

    def _offered(self, item: Item | None) -> bool:
        while not (self._abandoned.is_set() or self._stop.is_set()):
            try:
                self._ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False
