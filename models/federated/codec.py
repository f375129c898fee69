"""A delta ↔ the bytes that travel: exact, halved, or in quantised steps with the rest fed back.

Layout, big-endian: magic ``ITSU``, version (1 byte), packing (1 byte), number of arrays (4),
number of values (4), SHA-256 of the layout (32), body. The body is

* fp32: the values, little-endian;
* fp16: one float32 scale (a power of two) per array, then the values divided by it as float16,
  so that neither a long nor a tiny delta leaves the range of the format;
* int8: a zstd frame of one float32 step per array and one signed byte per value. The step is a
  share of the array's root mean square, so the symbols are nearly Gaussian and their entropy
  (about 3.8 bits at 0.3) is what Huffman coding of the frame comes close to.

What quantising loses is returned as the residual that the sender adds to its next delta (error
feedback: Seide et al. 2014, Karimireddy et al. 2019). Sizes are known from the layout alone, so
nothing is allocated before the length of what arrived has been compared with it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from common.compression import FrameError, compressed, decompressed
from common.errors import TrustError
from common.rounds import Packing
from models.federated.parameters import F32, Layout

STEP_SHARE = 0.3
"""Step of int8 in units of an array's root mean square; 127 steps reach 38 of them."""

MOST_UPDATE_BYTES = 256 * 1024 * 1024

_MAGIC = b"ITSU"
_VERSION = 1
_HEAD = struct.Struct(">4sBBII32s")
_CODES = {Packing.FP32: 1, Packing.FP16: 2, Packing.INT8: 3}
_PACKINGS = {code: packing for packing, code in _CODES.items()}
_LARGEST_SYMBOL = 127
_BLOCK_VALUES = 65_536
# Symbols of noise do not repeat: the search of higher levels costs time and 10 % of size.
_LEVEL = 1
_F32 = np.dtype("<f4")
_F16 = np.dtype("<f2")


class UpdateFault(StrEnum):
    """Why the bytes of an update are not an update of this run."""

    TOO_BIG = "too_big"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    BAD_VERSION = "bad_version"
    OTHER_LAYOUT = "other_layout"
    NOT_FINITE = "not_finite"


class UpdateError(TrustError):
    """Bytes that are no update; ``reason`` says why in one word."""

    def __init__(self, reason: UpdateFault, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Packed:
    """An update as it travels, and what the receiver will not see of it.

    Attributes:
        data: What is sent.
        residual: Shape (n,); add it to the next round's delta before packing that.
    """

    data: bytes
    residual: F32


def pack(
    delta: F32,
    *,
    packing: Packing,
    layout: Layout,
    residual: F32 | None = None,
    step_share: float = STEP_SHARE,
) -> Packed:
    """What a device sends of ``delta`` plus what was left of the last one.

    Args:
        delta: Shape (layout.size,): local weights minus the ones it was sent.
        packing: How.
        layout: Of the network.
        residual: From the last round, None in the first.
        step_share: Step of int8 in units of each array's root mean square.

    Raises:
        ValueError: Another length.
        UpdateError: Not finite, so not a delta that anybody would take.
    """
    if delta.shape != (layout.size,) or (residual is not None and residual.shape != delta.shape):
        raise ValueError(f"delta of shape {delta.shape}, expected ({layout.size},)")
    wanted = delta.astype(np.float32, copy=True)
    if residual is not None:
        wanted += residual
    if not np.isfinite(wanted).all():
        raise UpdateError(UpdateFault.NOT_FINITE, "delta is not finite, the training diverged")
    head = _HEAD.pack(
        _MAGIC, _VERSION, _CODES[packing], len(layout.entries), layout.size, layout.digest
    )
    if packing is Packing.FP32:
        return Packed(head + wanted.astype(_F32).tobytes(), np.zeros_like(wanted))
    if packing is Packing.FP16:
        scales, halves = _halved(wanted, layout)
        data = head + scales.tobytes() + halves.tobytes()
    else:
        steps, symbols = _quantised(wanted, layout, step_share)
        data = head + compressed(steps.tobytes() + symbols.tobytes(), level=_LEVEL)
    for start, values in blocks(data, layout, most_bytes=len(data)):
        wanted[start : start + values.size] -= values
    return Packed(data, wanted)


def unpack(data: bytes, layout: Layout, *, most_bytes: int = MOST_UPDATE_BYTES) -> F32:
    """The delta in what arrived.

    Returns:
        Shape (layout.size,); from fp32 it may hold what is not finite, screening looks.

    Raises:
        UpdateError: Not an update of this layout, or longer than ``most_bytes``.
    """
    pieces = blocks(data, layout, most_bytes=most_bytes)
    del data  # not beside the vector, where nobody else holds it
    vector = np.empty(layout.size, dtype=np.float32)
    for start, values in pieces:
        vector[start : start + values.size] = values
    return vector


def blocks(
    data: bytes, layout: Layout, *, most_bytes: int = MOST_UPDATE_BYTES
) -> Iterator[tuple[int, F32]]:
    """The same piece by piece, in order: first index and values, so nobody needs it whole.

    Raises:
        UpdateError: Before the first piece, like ``unpack``.
    """
    packing = _checked_head(data, layout, most_bytes)
    if packing is Packing.FP32:
        values = np.frombuffer(data, dtype=_F32, offset=_HEAD.size)
        return ((start, values[start : start + _BLOCK_VALUES]) for start in _starts(layout))
    arrays = len(layout.entries)
    if packing is Packing.FP16:
        scales = np.frombuffer(data, dtype=_F32, count=arrays, offset=_HEAD.size)
        halves = np.frombuffer(data, dtype=_F16, offset=_HEAD.size + scales.nbytes)
        return _scaled(halves, _believable(scales), layout)
    body = _unpressed(data, layout)
    steps = np.frombuffer(body, dtype=_F32, count=arrays)
    symbols = np.frombuffer(body, dtype=np.int8, offset=steps.nbytes)
    return _scaled(symbols, _believable(steps), layout)


def _checked_head(data: bytes, layout: Layout, most_bytes: int) -> Packing:
    if len(data) > most_bytes:
        raise UpdateError(
            UpdateFault.TOO_BIG, f"update of {len(data)} bytes, expected at most {most_bytes}"
        )
    if len(data) < _HEAD.size:
        raise UpdateError(UpdateFault.TRUNCATED, f"update of {len(data)} bytes has no whole head")
    magic, version, code, arrays, values, digest = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise UpdateError(UpdateFault.MALFORMED, f"update begins with {magic!r}, not {_MAGIC!r}")
    if version != _VERSION or code not in _PACKINGS:
        raise UpdateError(
            UpdateFault.BAD_VERSION, f"update of version {version} and packing {code}"
        )
    if (arrays, values, digest) != (len(layout.entries), layout.size, layout.digest):
        raise UpdateError(
            UpdateFault.OTHER_LAYOUT,
            f"update of {values} values in {arrays} arrays of layout {digest.hex()[:12]}, "
            f"expected {layout.size} in {len(layout.entries)} of {layout.digest.hex()[:12]}",
        )
    packing = _PACKINGS[code]
    exact = {
        Packing.FP32: _HEAD.size + 4 * layout.size,
        Packing.FP16: _HEAD.size + 4 * arrays + 2 * layout.size,
    }.get(packing)
    if exact is not None and len(data) != exact:
        short = len(data) < exact
        raise UpdateError(
            UpdateFault.TRUNCATED if short else UpdateFault.TOO_BIG,
            f"update of {len(data)} bytes, expected {exact}",
        )
    return packing


def _unpressed(data: bytes, layout: Layout) -> bytes:
    """The body of int8; its size is compared before a byte of it is unpacked."""
    exact = 4 * len(layout.entries) + layout.size
    try:
        body = decompressed(memoryview(data)[_HEAD.size :], most_bytes=exact)
    except FrameError as error:
        reason = UpdateFault.TOO_BIG if error.is_too_big else UpdateFault.MALFORMED
        raise UpdateError(reason, f"body of the update: {error}") from error
    if len(body) != exact:
        raise UpdateError(
            UpdateFault.TRUNCATED, f"body of {len(body)} bytes inside, expected {exact}"
        )
    return body


def _believable(scales: F32) -> F32:
    # A scale of 3e38 times a symbol of 127 is infinite: the product is what has to be finite.
    if not (np.isfinite(scales).all() and (scales >= 0).all() and (scales < 1e30).all()):
        raise UpdateError(UpdateFault.NOT_FINITE, "a scale of the update is not a finite number")
    return scales


def _scaled(
    values: NDArray[np.float16] | NDArray[np.int8], scales: F32, layout: Layout
) -> Iterator[tuple[int, F32]]:
    for entry, scale in zip(layout.entries, scales, strict=True):
        end = entry.offset + entry.size
        for start in range(entry.offset, end, _BLOCK_VALUES):
            piece = values[start : min(start + _BLOCK_VALUES, end)]
            yield start, piece.astype(np.float32) * scale


def _starts(layout: Layout) -> range:
    return range(0, layout.size, _BLOCK_VALUES)


def _halved(values: F32, layout: Layout) -> tuple[F32, NDArray[np.float16]]:
    largest = np.maximum.reduceat(np.abs(values), layout.offsets)
    _, exponents = np.frexp(largest)
    # The largest value of an array lands in [0.5, 1): the format's range is left nowhere.
    scales = np.ldexp(np.float32(1), np.clip(exponents, -120, 99)).astype(_F32)
    halves = np.empty(layout.size, dtype=_F16)
    for entry, scale in zip(layout.entries, scales, strict=True):
        halves[entry.place] = values[entry.place] / scale
    if not np.isfinite(halves).all():
        raise UpdateError(UpdateFault.NOT_FINITE, "delta is beyond what fp16 can carry")
    return scales, halves


def _quantised(values: F32, layout: Layout, share: float) -> tuple[F32, NDArray[np.int8]]:
    steps = np.empty(len(layout.entries), dtype=_F32)
    symbols = np.zeros(layout.size, dtype=np.int8)
    for index, entry in enumerate(layout.entries):
        part = values[entry.place].astype(np.float64)
        step = steps[index] = min(share * float(np.sqrt(np.mean(part**2))), 1e29)
        if step > 0:
            rounded = np.rint(part / step)
            symbols[entry.place] = np.clip(rounded, -_LARGEST_SYMBOL, _LARGEST_SYMBOL)
    return steps, symbols
