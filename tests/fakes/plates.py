"""Files that have the shape of a plate, without a picture in them."""

from __future__ import annotations

import random
import struct


def webp_file(width: int, height: int, *, frame_bytes: int = 0) -> bytes:
    """One WebP frame as a reader of heads sees it: the rest of the frame is noise.

    Args:
        width: As the head says.
        height: As the head says.
        frame_bytes: At least so many in the frame; even.
    """
    head = (0x10).to_bytes(3, "little") + b"\x9d\x01\x2a" + struct.pack("<HH", width, height)
    noise = random.Random(width * height).randbytes(max(2, frame_bytes - len(head)))  # noqa: S311
    frame = head + noise
    chunk = b"WEBP" + b"VP8 " + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(chunk)) + chunk
