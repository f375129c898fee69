"""Frames handed from thread to thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from common.errors import UnreachableError
from edge.capture.frames import Frame
from edge.capture.handover import NewestFrame, ReadAhead
from tests.fakes.frames import make_frame

pytestmark = pytest.mark.unit


def some_frames(count: int) -> Iterator[Frame]:
    for position in range(count):
        yield make_frame(size=(32, 32), captured_s=position)


def test_the_newest_frame_wins_and_the_others_are_counted() -> None:
    newest = NewestFrame()
    for frame in some_frames(3):
        newest.put(frame)

    taken = newest.take(timeout_s=0)

    assert taken is not None
    assert taken.captured_s == 2
    assert newest.dropped == 2


def test_a_frame_is_taken_once() -> None:
    newest = NewestFrame()
    newest.put(make_frame())
    newest.take(timeout_s=0)

    assert newest.take(timeout_s=0) is None


def test_closing_wakes_whoever_waits() -> None:
    newest = NewestFrame()
    taken: list[Frame | None] = []
    waiting = threading.Thread(target=lambda: taken.append(newest.take(timeout_s=60)))
    waiting.start()

    newest.close()
    waiting.join(timeout=10)

    assert taken == [None]
    assert newest.is_closed


def test_reading_ahead_loses_nothing_for_a_slow_reader() -> None:
    ahead = ReadAhead(some_frames(50), depth=2, stop=threading.Event())

    assert [frame.captured_s for frame in ahead] == list(range(50))


def test_reading_ahead_is_bounded() -> None:
    made: list[float] = []

    def counted() -> Iterator[Frame]:
        for frame in some_frames(50):
            made.append(frame.captured_s)
            yield frame

    furthest = 0
    for taken, _ in enumerate(ReadAhead(counted(), depth=3, stop=threading.Event()), start=1):
        furthest = max(furthest, len(made) - taken)

    # Three wait in the queue and one in the reader's hand.
    assert furthest <= 4


def test_an_error_of_the_reader_reaches_the_consumer_after_the_good_frames() -> None:
    def failing() -> Iterator[Frame]:
        yield from some_frames(2)
        raise UnreachableError("disk gone")

    taken: list[Frame] = []

    with pytest.raises(UnreachableError, match="disk gone"):
        taken.extend(ReadAhead(failing(), depth=4, stop=threading.Event()))
    assert len(taken) == 2


def test_a_consumer_that_leaves_ends_the_reader() -> None:
    finished = threading.Event()

    def endless() -> Iterator[Frame]:
        try:
            while True:
                yield make_frame(size=(32, 32))
        finally:
            finished.set()

    reading = iter(ReadAhead(endless(), depth=2, stop=threading.Event()))
    next(reading)
    reading.close()

    assert finished.wait(timeout=10)


def test_a_stop_event_ends_the_iteration() -> None:
    stop = threading.Event()
    reading = iter(ReadAhead(some_frames(10_000), depth=2, stop=stop))
    next(reading)

    stop.set()

    assert list(reading) == []


def test_zero_frames_ahead_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 1 or more"):
        ReadAhead([], depth=0, stop=threading.Event())
