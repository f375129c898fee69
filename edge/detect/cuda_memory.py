"""Host arrays ↔ GPU memory, through the CUDA libraries that are installed.

A dozen calls by ctypes, so that a Jetson needs no further Python package. The
signatures are those of the CUDA Runtime API (cudaMalloc, cudaMemcpyAsync, streams) and
of the Driver API (cuInit, cuDeviceGetName, cuDeviceGetAttribute).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError

DRIVER = ("libcuda.so.1",)
# The unversioned name is the one of JetPack's own /usr/local/cuda.
RUNTIMES = ("libcudart.so", "libcudart.so.13", "libcudart.so.12", "libcudart.so.11.0")

_HOST_TO_DEVICE, _DEVICE_TO_HOST = 1, 2
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76

LoadLibrary = Callable[[str], Any]


def describe_gpu(load: LoadLibrary = ctypes.CDLL) -> str:
    """Name and compute capability of the first GPU, ``Orin-8.7``.

    This is also the check that a driver is there: TensorRT's runtime crashes without.

    Raises:
        ConfigError: No driver, or no GPU behind it.
    """
    driver = _first(DRIVER, load, missing="no NVIDIA driver")
    _must(driver.cuInit(0), "cuInit")
    name = ctypes.create_string_buffer(128)
    _must(driver.cuDeviceGetName(name, len(name), 0), "cuDeviceGetName")
    capability = []
    for attribute in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR):
        value = ctypes.c_int()
        _must(
            driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, 0), "cuDeviceGetAttribute"
        )
        capability.append(str(value.value))
    return f"{name.value.decode(errors='replace')}-{'.'.join(capability)}"


class CudaMemory:
    """One stream, and named device buffers that grow on demand."""

    def __init__(self, load: LoadLibrary = ctypes.CDLL) -> None:
        """Open the CUDA runtime and make a stream.

        Raises:
            ConfigError: No CUDA runtime, or it refuses.
        """
        self._cuda = _first(RUNTIMES, load, missing="no CUDA runtime")
        self._buffers: dict[str, tuple[ctypes.c_void_p, int]] = {}
        self._stream = ctypes.c_void_p()
        _must(self._cuda.cudaStreamCreate(ctypes.byref(self._stream)), "cudaStreamCreate")

    @property
    def stream(self) -> int:
        """Handle of the stream that every copy uses."""
        return self._stream.value or 0

    def reserve(self, name: str, size_bytes: int) -> int:
        """Address of a device buffer of at least this size.

        Raises:
            ConfigError: The GPU has no memory left.
        """
        pointer, kept_bytes = self._buffers.get(name, (ctypes.c_void_p(), 0))
        if kept_bytes < size_bytes:
            if kept_bytes:
                del self._buffers[name]
                _must(self._cuda.cudaFree(pointer), "cudaFree")
            pointer = ctypes.c_void_p()
            size = ctypes.c_size_t(size_bytes)
            _must(self._cuda.cudaMalloc(ctypes.byref(pointer), size), f"cudaMalloc({size_bytes})")
            self._buffers[name] = (pointer, size_bytes)
        return pointer.value or 0

    def upload(self, name: str, array: NDArray[np.float32]) -> int:
        """Start copying a contiguous array to the device; its address there.

        Raises:
            ConfigError: CUDA refuses.
        """
        address = self.reserve(name, array.nbytes)
        self._copy(address, array.ctypes.data, array.nbytes, _HOST_TO_DEVICE)
        return address

    def download(self, name: str, into: NDArray[np.float32]) -> None:
        """Copy a device buffer into a contiguous array and wait for the stream.

        Raises:
            ConfigError: CUDA refuses, or what ran before failed.
        """
        self._copy(into.ctypes.data, self.reserve(name, into.nbytes), into.nbytes, _DEVICE_TO_HOST)
        _must(self._cuda.cudaStreamSynchronize(self._stream), "cudaStreamSynchronize")

    def close(self) -> None:
        """Give everything back; safe to call twice."""
        for pointer, _ in self._buffers.values():
            self._cuda.cudaFree(pointer)
        self._buffers.clear()
        if self._stream.value is not None:
            self._cuda.cudaStreamDestroy(self._stream)
            self._stream = ctypes.c_void_p()

    def _copy(self, to: int, start: int, size_bytes: int, kind: int) -> None:
        status = self._cuda.cudaMemcpyAsync(
            ctypes.c_void_p(to),
            ctypes.c_void_p(start),
            ctypes.c_size_t(size_bytes),
            ctypes.c_int(kind),
            self._stream,
        )
        _must(status, "cudaMemcpyAsync")


def _first(names: tuple[str, ...], load: LoadLibrary, *, missing: str) -> Any:
    for name in names:
        try:
            return load(name)
        except OSError:
            continue  # the next name
    raise ConfigError(
        f"{missing} ({names[0]} does not load), expected one for the tensorrt backend",
        hint="install the NVIDIA driver and CUDA (JetPack), or use the onnx backend",
    )


def _must(status: int, call: str) -> None:
    if status != 0:
        raise ConfigError(
            f"CUDA call {call} answered error {status}, expected 0",
            hint="look at dmesg and tegrastats or nvidia-smi, or use the onnx backend",
        )
