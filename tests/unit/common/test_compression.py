from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.compression import FrameError, compressed, decompressed
from common.errors import TrustError

pytestmark = pytest.mark.unit


@given(st.binary(max_size=50_000))
def test_what_was_compressed_comes_back_within_its_bound(data: bytes) -> None:
    assert decompressed(compressed(data), most_bytes=len(data)) == data


@given(st.binary(min_size=1, max_size=5_000))
def test_one_byte_over_the_bound_is_too_big(data: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        decompressed(compressed(data), most_bytes=len(data) - 1)

    assert caught.value.is_too_big


@given(st.binary(max_size=2_000))
def test_bytes_that_are_no_frame_are_not_trusted(data: bytes) -> None:
    with pytest.raises(TrustError) as caught:
        decompressed(b"\0" + data, most_bytes=10_000)

    assert isinstance(caught.value, FrameError)
    assert not caught.value.is_too_big


@pytest.mark.parametrize("level", [1, 3, 19])
def test_every_level_comes_back_by_the_same_way(level: int) -> None:
    data = b"41 lorries " * 2_000

    assert decompressed(compressed(data, level=level), most_bytes=len(data)) == data


def test_levels_do_not_share_a_context() -> None:
    noise = np.rint(np.random.default_rng(0).normal(0, 3.3, 200_000)).astype(np.int8).tobytes()

    usual, quick, again = (compressed(noise, level=level) for level in (3, 1, 3))

    assert usual == again
    assert len(quick) < 0.95 * len(usual)  # nothing repeats in noise: looking for it only costs


@pytest.mark.parametrize("level", [0, -5, 23])
def test_a_level_that_there_is_not_is_a_mistake(level: int) -> None:
    with pytest.raises(ValueError, match=f"level {level}, expected 1 to 22"):
        compressed(b"", level=level)


def test_a_frame_is_read_where_it_lies() -> None:
    told = b"head" + compressed(b"lorry")

    assert decompressed(memoryview(told)[4:], most_bytes=5) == b"lorry"


def test_each_thread_has_its_own_contexts() -> None:
    data = b"41 lorries " * 2_000
    wrong: list[bytes] = []

    def work() -> None:
        for _ in range(200):
            if (back := decompressed(compressed(data), most_bytes=len(data))) != data:
                wrong.append(back)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
