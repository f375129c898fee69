"""Items in order → the same items in order, each with its result, several worked on at once.

Every lane fetches its next item itself, so nothing has to wake up between two of them.
With one inference per core that counts: whatever else wants a core takes it from a lane.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_POLL_S = 0.1
"""How late a stop event is noticed."""


class SideBySide(Generic[Item, Result]):
    """Iterate it once; an error of the items or of the work is raised there."""

    def __init__(
        self,
        items: Iterable[Item],
        work: Callable[[Item], Result],
        *,
        lanes: int,
        ahead: int,
        stop: threading.Event,
    ) -> None:
        """Prepare; nothing runs yet.

        Args:
            items: Advanced by one lane at a time, each in a thread of its own.
            work: Called in several threads at once.
            lanes: How many items are worked on at one time.
            ahead: How many more may be done and not yet taken.
            stop: Ends the iteration when set.

        Raises:
            ValueError: No lane, or a negative ``ahead``.
        """
        if lanes < 1 or ahead < 0:
            raise ValueError(
                f"{lanes} lanes and {ahead} ahead, expected 1 or more and none negative"
            )
        self._items = items
        self._work = work
        self._lanes = lanes
        self._stop = stop
        self._source: Iterator[Item] = iter(())
        self._turn = threading.Lock()
        self._room = threading.Semaphore(lanes + ahead)
        self._begun: queue.SimpleQueue[tuple[Item, Future[Result]] | None] = queue.SimpleQueue()
        self._is_over = threading.Event()

    def __iter__(self) -> Generator[tuple[Item, Result], None, None]:
        """Yield every item with its result, in the order of the items."""
        self._source = iter(self._items)
        with ThreadPoolExecutor(self._lanes, thread_name_prefix="lane") as pool:
            lanes = [pool.submit(self._run) for _ in range(self._lanes)]
            try:
                yield from self._in_order(lanes)
            finally:
                self._is_over.set()
        # A camera is let go as soon as nobody reads it.
        self._source = iter(())
        for lane in lanes:
            lane.result()

    def _in_order(self, lanes: Sequence[Future[None]]) -> Iterator[tuple[Item, Result]]:
        while not self._stop.is_set():
            try:
                begun = self._begun.get(timeout=_POLL_S)
            except queue.Empty:
                if all(lane.done() for lane in lanes):
                    return
                continue
            if begun is None:
                return
            item, coming = begun
            try:
                result = coming.result()
            except CancelledError:
                return  # its lane failed, and raises what happened
            self._room.release()
            yield item, result

    def _run(self) -> None:
        while (begun := self._next()) is not None:
            item, coming = begun
            try:
                coming.set_result(self._work(item))
            finally:
                if not coming.done():
                    self._is_over.set()
                    coming.cancel()

    def _next(self) -> tuple[Item, Future[Result]] | None:
        """The next item, its place in the order taken; None when there is nothing more to do."""
        with self._turn:
            # Room is asked for first, so that a camera's frame is the newest one when its
            # turn comes.
            while not self._room.acquire(timeout=_POLL_S):
                if self._is_unwanted():
                    return None
            item = None if self._is_unwanted() else self._fetched()
            if item is None:
                self._is_over.set()
                self._begun.put(None)
                return None
            begun = (item, Future[Result]())
            self._begun.put(begun)
            return begun

    def _fetched(self) -> Item | None:
        is_read = False
        try:
            item = next(self._source, None)
            is_read = True
        finally:
            if not is_read:
                self._is_over.set()
                self._begun.put(None)
        return item

    def _is_unwanted(self) -> bool:
        return self._stop.is_set() or self._is_over.is_set()
