from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from common.errors import ConfigError
from edge.detect.side_by_side import SideBySide

pytestmark = pytest.mark.unit


def squares(count: int, *, lanes: int) -> SideBySide[int, int]:
    return SideBySide(range(count), lambda n: n * n, lanes=lanes, ahead=2, stop=threading.Event())


@pytest.mark.parametrize("lanes", [1, 2, 4])
def test_results_come_in_the_order_of_the_items(lanes: int) -> None:
    assert list(squares(50, lanes=lanes)) == [(n, n * n) for n in range(50)]


def test_no_item_is_no_result() -> None:
    assert list(squares(0, lanes=2)) == []


def test_as_many_items_are_worked_on_at_once_as_there_are_lanes() -> None:
    everybody = threading.Barrier(3, timeout=5)

    done = list(
        SideBySide(range(6), lambda _: everybody.wait(), lanes=3, ahead=0, stop=threading.Event())
    )

    assert [n for n, _ in done] == list(range(6))


def test_a_quick_item_waits_for_the_slow_one_before_it() -> None:
    second_is_done = threading.Event()

    def work(n: int) -> int:
        if n == 0:
            assert second_is_done.wait(timeout=5)
        else:
            second_is_done.set()
        return n

    done = list(SideBySide(range(2), work, lanes=2, ahead=0, stop=threading.Event()))

    assert done == [(0, 0), (1, 1)]


def test_no_more_items_are_fetched_than_there_is_room_for() -> None:
    fetched: list[int] = []

    def items() -> Iterator[int]:
        for n in range(100):
            fetched.append(n)
            yield n

    results = iter(SideBySide(items(), lambda n: n, lanes=2, ahead=1, stop=threading.Event()))
    next(results)
    results.close()

    # Two lanes and one ahead, and the room of the one that was taken.
    assert 1 <= len(fetched) <= 4


def test_an_error_of_the_work_comes_after_the_results_before_it() -> None:
    def work(n: int) -> int:
        if n == 3:
            raise ConfigError("no such thing, expected one")
        return n

    taken: list[int] = []
    with pytest.raises(ConfigError, match="no such thing"):
        taken.extend(
            n for n, _ in SideBySide(range(9), work, lanes=2, ahead=2, stop=threading.Event())
        )

    assert taken == [0, 1, 2]


def test_an_error_of_the_items_comes_after_the_results_before_it() -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise ConfigError("the clip is torn, expected a whole one")

    taken: list[int] = []
    with pytest.raises(ConfigError, match="torn"):
        taken.extend(
            n for n, _ in SideBySide(items(), lambda n: n, lanes=2, ahead=2, stop=threading.Event())
        )

    assert taken == [0, 1, 2]


def test_a_stop_ends_an_endless_source() -> None:
    stop = threading.Event()

    def endless() -> Iterator[int]:
        n = 0
        while True:
            n += 1
            yield n

    for n, _ in SideBySide(endless(), lambda n: n, lanes=2, ahead=2, stop=stop):
        if n == 5:
            stop.set()

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


def test_the_source_is_let_go_when_nobody_takes_any_more() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    results = iter(SideBySide(items(), lambda n: n, lanes=2, ahead=0, stop=threading.Event()))
    next(results)
    results.close()

    assert closed.is_set()


@pytest.mark.parametrize(("lanes", "ahead"), [(0, 1), (1, -1)])
def test_no_lane_is_refused(lanes: int, ahead: int) -> None:
    with pytest.raises(ValueError, match="lanes"):
        SideBySide([], lambda n: n, lanes=lanes, ahead=ahead, stop=threading.Event())
