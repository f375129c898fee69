"""Bytes ↔ one zstd frame (RFC 8878) that says how big it is inside, and keeps to it."""

from __future__ import annotations

import threading

import zstandard

from common.errors import TrustError

_LEVEL = 3
# Contexts are costly to make and must not be shared between threads.
_contexts = threading.local()


class FrameError(TrustError):
    """Not one whole frame, or more inside than was allowed for (``is_too_big``)."""

    def __init__(self, message: str, *, is_too_big: bool = False) -> None:
        super().__init__(message)
        self.is_too_big = is_too_big


def compressed(data: bytes) -> bytes:
    """One frame, its content's size in its head."""
    compressor: zstandard.ZstdCompressor | None = getattr(_contexts, "compressor", None)
    if compressor is None:
        compressor = _contexts.compressor = zstandard.ZstdCompressor(
            level=_LEVEL, write_content_size=True, write_checksum=False
        )
    return compressor.compress(data)


def decompressed(frame: bytes, *, most_bytes: int) -> bytes:
    """What the frame holds; a bomb is refused by what it announces, before a byte is unpacked.

    Raises:
        FrameError: Bigger inside than ``most_bytes``, no size told, or not one whole frame.
    """
    decompressor: zstandard.ZstdDecompressor | None = getattr(_contexts, "decompressor", None)
    if decompressor is None:
        decompressor = _contexts.decompressor = zstandard.ZstdDecompressor()
    try:
        # The library allocates what is announced and writes no more: this is the hard bound.
        announced = zstandard.frame_content_size(frame)
        if announced > most_bytes:
            raise FrameError(
                f"frame of {announced} bytes inside, expected at most {most_bytes}",
                is_too_big=True,
            )
        if announced < 0:
            raise FrameError("frame does not say how big it is inside")
        return decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FrameError("not one whole zstd frame") from error
