"""CUDA and TensorRT as far as the backend uses them, on host memory.

"Device" memory is host memory at a real address, so that a wrong size, address or
order of calls shows in the numbers or crashes the test.
"""

from __future__ import annotations

import ctypes
from enum import IntEnum
from typing import Any

import numpy as np

OUT_OF_MEMORY = 2
STREAM = 7


class FakeCudart:
    """``libcudart``: allocations are byte buffers."""

    def __init__(self, *, memory_bytes: int = 1 << 30) -> None:
        self.memory_bytes = memory_bytes
        self.allocated: dict[int, Any] = {}
        self.streams = 0

    def cudaStreamCreate(self, stream: Any) -> int:  # noqa: N802 - CUDA's own names
        stream._obj.value = STREAM
        self.streams += 1
        return 0

    def cudaStreamDestroy(self, stream: ctypes.c_void_p) -> int:  # noqa: N802
        assert stream.value == STREAM
        self.streams -= 1
        return 0

    def cudaStreamSynchronize(self, stream: ctypes.c_void_p) -> int:  # noqa: N802
        assert stream.value == STREAM
        return 0

    def cudaMalloc(self, pointer: Any, size: ctypes.c_size_t) -> int:  # noqa: N802
        if size.value > self.memory_bytes:
            return OUT_OF_MEMORY
        buffer = ctypes.create_string_buffer(size.value)
        pointer._obj.value = ctypes.addressof(buffer)
        self.allocated[pointer._obj.value] = buffer
        return 0

    def cudaFree(self, pointer: ctypes.c_void_p) -> int:  # noqa: N802
        assert pointer.value is not None
        del self.allocated[pointer.value]
        return 0

    def cudaMemcpyAsync(  # noqa: N802
        self,
        to: ctypes.c_void_p,
        start: ctypes.c_void_p,
        size: ctypes.c_size_t,
        kind: ctypes.c_int,
        stream: ctypes.c_void_p,
    ) -> int:
        assert stream.value == STREAM
        device = {1: to.value, 2: start.value}[kind.value]
        assert device is not None
        assert size.value <= len(self.allocated[device])
        ctypes.memmove(to, start, size.value)
        return 0


class FakeCuda:
    """``libcuda``: one GPU, or none when ``status`` is not 0."""

    def __init__(self, *, status: int = 0) -> None:
        self._status = status

    def cuInit(self, _flags: int) -> int:  # noqa: N802
        return self._status

    def cuDeviceGetName(self, name: Any, _size: int, _device: int) -> int:  # noqa: N802
        name.value = b"Orin"
        return 0

    def cuDeviceGetAttribute(self, value: Any, attribute: int, _device: int) -> int:  # noqa: N802
        value._obj.value = {75: 8, 76: 7}[attribute]
        return 0


class FakeLoader:
    """Opens the libraries it was given; every other name is missing."""

    def __init__(self, **libraries: Any) -> None:
        self._libraries = libraries

    def __call__(self, name: str) -> Any:
        for known, library in self._libraries.items():
            if name.startswith(f"{known}.so"):
                return library
        raise OSError(f"{name}: cannot open shared object file")


class _Severity(IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2


class _ILogger:
    Severity = _Severity


class _Flags(IntEnum):
    EXPLICIT_BATCH = 0
    STRONGLY_TYPED = 1
    FP16 = 2
    INT8 = 3


class _Context:
    """Answers each image by 10 rows of ``anchors`` times its mean."""

    anchors = 4

    def __init__(self, largest: tuple[int, ...]) -> None:
        self._largest = largest
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shapes[name] = shape
        return all(side <= most for side, most in zip(shape, self._largest, strict=True))

    def get_tensor_shape(self, _name: str) -> tuple[int, ...]:
        return (self._shapes["images"][0], 10, self.anchors)

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        images = self._array("images", self._shapes["images"])
        output = self._array("output0", self.get_tensor_shape("output0"))
        output[...] = images.mean(axis=(1, 2, 3))[:, None, None]
        return stream == STREAM

    def _array(self, name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        floats = ctypes.cast(self._addresses[name], ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(floats, shape=shape)


class _Engine:
    num_io_tensors = 2

    def __init__(self, shape: tuple[int, ...], largest: tuple[int, ...]) -> None:
        self._shape = shape
        self._largest = largest

    def get_tensor_name(self, index: int) -> str:
        return ("images", "output0")[index]

    def get_tensor_shape(self, _name: str) -> tuple[int, ...]:
        return self._shape

    def create_execution_context(self) -> _Context:
        return _Context(self._largest)


class FakeTensorRt:
    """The module: builds an "engine" that is the bytes ``b"engine"``."""

    __name__ = "tensorrt"
    ILogger = _ILogger
    NetworkDefinitionCreationFlag = _Flags
    BuilderFlag = _Flags

    class MemoryPoolType:
        WORKSPACE = 0

    def __init__(
        self,
        version: str = "10.3.0",
        *,
        input_shape: tuple[int, int, int, int] = (-1, 3, -1, -1),
        builds: bool = True,
        loads: bool = True,
    ) -> None:
        self.__version__ = version
        self.network_flags = 0
        self.builder_flags: list[str] = []
        self.profiles: list[tuple[Any, ...]] = []
        self.built = 0
        self.shape = input_shape
        self._builds = builds
        self._loads = loads

    def Builder(self, log: Any) -> FakeTensorRt:  # noqa: N802 - TensorRT's own names
        self._log = log
        return self

    def create_network(self, flags: int) -> FakeTensorRt:
        self.network_flags = flags
        return self

    def OnnxParser(self, _network: Any, _log: Any) -> FakeTensorRt:  # noqa: N802
        return self

    def parse(self, model: bytes) -> bool:
        return bool(model)

    def create_builder_config(self) -> FakeTensorRt:
        return self

    def set_memory_pool_limit(self, _pool: int, size_bytes: int) -> None:
        assert size_bytes > 0

    def set_flag(self, flag: _Flags) -> None:
        self.builder_flags.append(flag.name)

    name = "images"

    def get_input(self, _index: int) -> FakeTensorRt:
        return self

    def create_optimization_profile(self) -> FakeTensorRt:
        return self

    def set_shape(self, name: str, *shapes: tuple[int, ...]) -> None:
        self.profiles.append((name, *shapes))

    def add_optimization_profile(self, _profile: Any) -> int:
        return 0

    def build_serialized_network(self, _network: Any, _config: Any) -> bytes | None:
        self.built += 1
        if not self._builds:
            self._log.log(_Severity.ERROR, "no tactic fits into\nthe workspace")
            return None
        return b"engine"

    def Runtime(self, log: Any) -> FakeTensorRt:  # noqa: N802
        self._log = log
        return self

    def deserialize_cuda_engine(self, engine: bytes) -> _Engine | None:
        if not self._loads or engine != b"engine":
            self._log.log(_Severity.ERROR, "serialisation version 240\ndoes not match 239")
            return None
        return _Engine(self.shape, (4, 3, 640, 640))
