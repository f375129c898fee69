"""A background plate on request → the one message that carries a picture, and the order for it.

Every other payload is built of ``common.wire`` and cannot carry one. This one is bounded so
that it fits into an ordinary envelope, and its bytes must be a bare WebP frame: no metadata,
no second picture and nothing behind it.
"""

from __future__ import annotations

import base64
import binascii
import struct
from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from common.ids import Slug
from common.wire import Count, Kind, Message

MOST_PLATE_BYTES = 45_000
"""Base64 and sealed this is about 47,000 bytes: no bound on the way had to be moved for it."""

MOST_PLATE_SIDE_PX = 960
LEAST_PLATE_SIDE_PX = 16

_MOST_CHARACTERS = 4 * ((MOST_PLATE_BYTES + 2) // 3)
_CHUNKS = struct.Struct("<4sI4s4sI")
# RFC 9649, 2.5, and RFC 6386, 9.1: a frame tag of three bytes, a start code, two sizes.
_FRAME = struct.Struct("<3s3sHH")
_START_CODE = b"\x9d\x01\x2a"
_SIDE_BITS = 0x3FFF

Side = Annotated[int, Field(ge=LEAST_PLATE_SIDE_PX, le=MOST_PLATE_SIDE_PX)]
FrameSide = Annotated[int, Field(ge=32, le=8192)]
Base64 = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=_MOST_CHARACTERS)
]


class PlateOutcome(StrEnum):
    """What a box answers when it is asked for a plate."""

    TAKEN = "taken"
    NOT_ALLOWED = "not_allowed"
    NO_SUCH_CAMERA = "no_such_camera"
    NO_PICTURES = "no_pictures"
    FAILED = "failed"


class PlatePicture(Message):
    """The empty scene as one WebP frame.

    Attributes:
        size: Width and height in pixels, as the frame's own head says.
        frame_size: Width and height of the camera's pictures that it was made of.
        frames: How many pictures the median is of.
        span_s: Seconds between the first of them and the last.
        covered: How many boxes were painted over.
        webp: Base64 of the file.
    """

    size: tuple[Side, Side]
    frame_size: tuple[FrameSide, FrameSide]
    frames: Annotated[int, Field(ge=3, le=1000)]
    span_s: Annotated[float, Field(ge=0, le=86_400)]
    covered: Count
    webp: Base64

    @property
    def content(self) -> bytes:
        """The file."""
        return base64.b64decode(self.webp, validate=True)

    @model_validator(mode="after")
    def _is_what_it_says(self) -> Self:
        try:
            content = self.content
        except binascii.Error as error:
            raise ValueError("webp is not base64") from error
        if base64.b64encode(content).decode() != self.webp:
            raise ValueError("webp is not base64 in its one spelling")
        if len(content) > MOST_PLATE_BYTES:
            raise ValueError(f"plate of {len(content)} bytes, expected at most {MOST_PLATE_BYTES}")
        found = webp_size(content)
        if found != self.size:
            raise ValueError(f"plate is {found} px, expected {self.size} as told")
        return self

    @classmethod
    def of(
        cls,
        content: bytes,
        *,
        frame_size: tuple[int, int],
        frames: int,
        span_s: float,
        covered: int,
    ) -> Self:
        """A file as it is told; its size is read from its head."""
        return cls(
            size=webp_size(content),
            frame_size=frame_size,
            frames=frames,
            span_s=span_s,
            covered=covered,
            webp=base64.b64encode(content).decode(),
        )


class PlateReport(Message):
    """The answer to one request: a picture, or why there is none."""

    kind: ClassVar[Kind] = Kind.PLATE
    camera: Slug
    number: Annotated[int, Field(ge=1, le=2**31)]
    at: AwareDatetime
    outcome: PlateOutcome
    picture: PlatePicture | None = None

    @model_validator(mode="after")
    def _has_a_picture_when_taken(self) -> Self:
        if (self.outcome is PlateOutcome.TAKEN) != (self.picture is not None):
            raise ValueError(f"outcome {self.outcome} fits no picture that is there or not")
        return self


class PlateRequest(Message):
    """The coordinator asks for a plate; a number is answered once, by each camera."""

    kind: ClassVar[Kind] = Kind.PLATE
    device: Slug
    camera: Slug
    number: Annotated[int, Field(ge=1, le=2**31)]
    at: AwareDatetime


def webp_size(content: bytes) -> tuple[int, int]:
    """Width and height of a file that is one lossy WebP frame and nothing else.

    Nothing is decoded: the container, the frame's tag and its start code are read.

    Raises:
        ValueError: It is something else, or holds more.
    """
    if len(content) < _CHUNKS.size + _FRAME.size:
        raise ValueError(f"{len(content)} bytes are no WebP picture")
    riff, riff_bytes, webp, kind, frame_bytes = _CHUNKS.unpack_from(content)
    if (riff, webp, kind) != (b"RIFF", b"WEBP", b"VP8 "):
        raise ValueError("no plain WebP picture, expected RIFF, WEBP and one VP8 chunk")
    end = _CHUNKS.size + frame_bytes + frame_bytes % 2
    if riff_bytes + 8 != len(content) or end != len(content):
        raise ValueError("WebP picture holds more or less than its one frame")
    tag, start_code, width, height = _FRAME.unpack_from(content, _CHUNKS.size)
    bits = int.from_bytes(tag, "little")
    # Bit 0: not a key frame; bit 4: shown; above: bytes of the first partition.
    if bits & 1 or not bits & 0x10 or bits >> 5 > frame_bytes or start_code != _START_CODE:
        raise ValueError("WebP picture does not begin with a shown key frame")
    if width > _SIDE_BITS or height > _SIDE_BITS:
        raise ValueError("WebP picture asks to be scaled, expected its own size")
    return width, height
