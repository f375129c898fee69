from __future__ import annotations

import threading

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
