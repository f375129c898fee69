from __future__ import annotations

import numpy as np
import pytest

from common.errors import ConfigError
from edge.detect.cuda_memory import CudaMemory, describe_gpu
from tests.fakes.nvidia import FakeCuda, FakeCudart, FakeLoader

pytestmark = pytest.mark.unit


def test_a_gpu_is_described_by_name_and_capability() -> None:
    assert describe_gpu(FakeLoader(libcuda=FakeCuda())) == "Orin-8.7"


@pytest.mark.parametrize(
    ("loader", "complaint"),
    [
        pytest.param(FakeLoader(), r"no NVIDIA driver \(libcuda.so.1 does not load\)", id="none"),
        pytest.param(
            FakeLoader(libcuda=FakeCuda(status=100)), "cuInit answered error 100", id="no GPU"
        ),
    ],
)
def test_a_box_without_a_usable_gpu_is_told_so(loader: FakeLoader, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        describe_gpu(loader)


def test_what_goes_up_comes_down() -> None:
    memory = CudaMemory(FakeLoader(libcudart=FakeCudart()))
    sent = np.arange(6, dtype=np.float32).reshape(2, 3)
    received = np.zeros_like(sent)

    memory.upload("a", sent)
    memory.download("a", received)

    np.testing.assert_array_equal(received, sent)


def test_a_buffer_is_kept_until_more_is_needed() -> None:
    cudart = FakeCudart()
    memory = CudaMemory(FakeLoader(libcudart=cudart))

    first, smaller = memory.reserve("a", 100), memory.reserve("a", 40)
    memory.reserve("a", 200)

    assert first == smaller
    assert [len(buffer) for buffer in cudart.allocated.values()] == [200]


def test_closing_gives_everything_back() -> None:
    cudart = FakeCudart()
    memory = CudaMemory(FakeLoader(libcudart=cudart))
    memory.reserve("a", 100)

    memory.close()
    memory.close()

    assert cudart.allocated == {}
    assert cudart.streams == 0


def test_a_full_gpu_is_an_error_with_the_size() -> None:
    memory = CudaMemory(FakeLoader(libcudart=FakeCudart(memory_bytes=1000)))

    with pytest.raises(ConfigError, match=r"cudaMalloc\(1001\) answered error 2"):
        memory.reserve("a", 1001)


def test_a_failed_growth_leaves_nothing_behind_to_free_twice() -> None:
    cudart = FakeCudart(memory_bytes=1000)
    memory = CudaMemory(FakeLoader(libcudart=cudart))
    memory.reserve("a", 100)

    with pytest.raises(ConfigError):
        memory.reserve("a", 1001)
    memory.close()

    assert cudart.allocated == {}


def test_a_box_without_cuda_is_told_so() -> None:
    with pytest.raises(ConfigError, match="no CUDA runtime"):
        CudaMemory(FakeLoader())
