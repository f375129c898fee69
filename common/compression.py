"""Bytes ↔ one zstd frame (RFC 8878) that says how big it is inside, and keeps to it."""

from __future__ import annotations

import threading

import zstandard

from common.errors import TrustError

USUAL_LEVEL = 3


class _Contexts(threading.local):
    """Costly to make and not to be shared between threads: one set each, by level."""

    def __init__(self) -> None:
        self.compressors: dict[int, zstandard.ZstdCompressor] = {}
        self.decompressor = zstandard.ZstdDecompressor()


_contexts = _Contexts()


class FrameError(TrustError):
    """Not one whole frame, or more inside than was allowed for (``is_too_big``)."""

    def __init__(self, message: str, *, is_too_big: bool = False) -> None:
        super().__init__(message)
        self.is_too_big = is_too_big


def compressed(data: bytes, *, level: int = USUAL_LEVEL) -> bytes:
    """One frame, its content's size in its head.

    Args:
        data: What goes in.
        level: 1 to 22. Higher ones look harder for repetitions, which helps text; where there
            are none, as in noise, a low one comes closer to the entropy, and sooner.

    Raises:
        ValueError: Another level.
    """
    if not 1 <= level <= zstandard.MAX_COMPRESSION_LEVEL:
        raise ValueError(f"level {level}, expected 1 to {zstandard.MAX_COMPRESSION_LEVEL}")
    compressor = _contexts.compressors.get(level)
    if compressor is None:
        compressor = _contexts.compressors[level] = zstandard.ZstdCompressor(
            level=level, write_content_size=True, write_checksum=False
        )
    return compressor.compress(data)


def decompressed(frame: bytes | memoryview, *, most_bytes: int) -> bytes:
    """What the frame holds; a bomb is refused by what it announces, before a byte is unpacked.

    Raises:
        FrameError: Bigger inside than ``most_bytes``, no size told, or not one whole frame.
    """
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
        return _contexts.decompressor.decompress(frame, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise FrameError("not one whole zstd frame") from error
