"""The one message that carries a picture holds one bare frame, and no other message has room."""

from __future__ import annotations

import base64
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from common.encryption import (
    MOST_ENVELOPE_BYTES,
    EncryptionManager,
    OpeningKey,
    SigningKey,
    UnsealedHeader,
    parse_envelope,
)
from common.messages import UP_MESSAGES
from common.plates import (
    MOST_PLATE_BYTES,
    PlateOutcome,
    PlatePicture,
    PlateReport,
    webp_size,
)
from common.wire import Kind
from tests.fakes.plates import webp_file

pytestmark = pytest.mark.unit

NINE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
PLAIN = webp_file(64, 48)


def told(content: bytes, **changes: Any) -> PlatePicture:
    values = {
        "size": (64, 48),
        "frame_size": (1920, 1080),
        "frames": 21,
        "span_s": 60.0,
        "covered": 0,
        "webp": base64.b64encode(content).decode(),
        **changes,
    }
    return PlatePicture.model_validate(values)


def grown(content: bytes, more: bytes) -> bytes:
    """The same file with something behind its frame, and the container told of it."""
    whole = content + more
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


def test_a_plain_frame_tells_its_size() -> None:
    assert webp_size(PLAIN) == (64, 48)
    assert told(PLAIN).content == PLAIN


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xd8\xff\xe0" + bytes(60), id="a JPEG"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(60), id="a PNG"),
        pytest.param(PLAIN[:-2], id="cut off"),
        pytest.param(PLAIN + b"secret", id="something behind it"),
        pytest.param(grown(PLAIN, b"EXIF\x04\0\0\0home"), id="metadata behind it"),
        pytest.param(PLAIN.replace(b"VP8 ", b"VP8X"), id="the format with metadata"),
        pytest.param(PLAIN.replace(b"VP8 ", b"VP8L"), id="the lossless format"),
        pytest.param(PLAIN.replace(b"\x9d\x01\x2a", b"\x9d\x01\x2b"), id="no start code"),
        pytest.param(PLAIN[:20] + bytes([PLAIN[20] | 1]) + PLAIN[21:], id="no key frame"),
        pytest.param(PLAIN[:27] + bytes([PLAIN[27] | 0x40]) + PLAIN[28:], id="asks to be scaled"),
    ],
)
def test_anything_but_one_bare_frame_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"WebP|no plain"):
        webp_size(content)
    with pytest.raises(ValidationError):
        told(content)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"size": (65, 48)}, id="another size than the file's"),
        pytest.param({"webp": base64.b64encode(PLAIN).decode() + "===="}, id="padding"),
        pytest.param({"webp": "name: somebody"}, id="words"),
        pytest.param({"frames": 1}, id="one frame is no median"),
        pytest.param({"note": "hello"}, id="another field"),
    ],
)
def test_a_picture_that_is_not_what_it_says_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        told(PLAIN, **changes)


@pytest.mark.parametrize(
    ("width", "height", "pad_bytes"),
    [
        pytest.param(961, 540, 0, id="too wide"),
        pytest.param(540, 961, 0, id="too high"),
        pytest.param(64, 48, MOST_PLATE_BYTES, id="too many bytes"),
    ],
)
def test_a_picture_beyond_the_bounds_is_refused(width: int, height: int, pad_bytes: int) -> None:
    content = webp_file(width, height, frame_bytes=pad_bytes)

    with pytest.raises(ValidationError):
        told(content, size=(width, height))


def test_a_report_has_a_picture_exactly_when_it_was_taken() -> None:
    values = {"camera": "north", "number": 1, "at": NINE}
    picture = told(PLAIN)

    assert PlateReport(**values, outcome=PlateOutcome.TAKEN, picture=picture).picture == picture
    with pytest.raises(ValidationError):
        PlateReport(**values, outcome=PlateOutcome.TAKEN)
    with pytest.raises(ValidationError):
        PlateReport(**values, outcome=PlateOutcome.NOT_ALLOWED, picture=picture)


def test_the_largest_plate_fits_into_an_ordinary_envelope() -> None:
    content = webp_file(960, 960, frame_bytes=MOST_PLATE_BYTES - 20)
    picture = PlatePicture.of(content, frame_size=(8192, 8192), frames=999, span_s=9.5, covered=9)
    report = PlateReport(
        camera="c" * 64, number=2**31, at=NINE, outcome=PlateOutcome.TAKEN, picture=picture
    )
    opening = OpeningKey.generate()
    manager = EncryptionManager(
        signing=SigningKey.generate(), sealing=opening.public, opening=[opening]
    )
    header = UnsealedHeader(
        device="d" * 64, kind=Kind.PLATE, epoch=2**62, sequence=2**62, created_at=NINE
    )

    sealed = manager.seal(header, report.model_dump_json().encode())

    assert MOST_PLATE_BYTES < len(sealed) < MOST_ENVELOPE_BYTES
    assert manager.open(parse_envelope(sealed)) == report.model_dump_json().encode()


def test_no_other_kind_has_room_for_a_picture() -> None:
    """Every text of every other message is bounded far below the smallest picture of a person."""
    roomy = {kind: longest_text(model) for kind, model in UP_MESSAGES.items()}

    assert roomy.pop(Kind.PLATE) == 4 * MOST_PLATE_BYTES // 3
    assert max(roomy.values()) <= 64


def longest_text(model: type[BaseModel]) -> int:
    """The most characters that one value of this message may have."""
    schema = model.model_json_schema()
    longest, waiting = 0, [schema]
    while waiting:
        part = waiting.pop()
        for value in part.values() if isinstance(part, dict) else part:
            if isinstance(value, dict | list):
                waiting.append(value)
        if isinstance(part, dict) and part.get("type") == "string":
            longest = max(longest, most_characters(part))
    return longest


def most_characters(part: dict[str, Any]) -> int:
    """Of one text in a JSON schema, by its length, its pattern or its list of words."""
    if words := part.get("enum", [part["const"]] if "const" in part else []):
        return max(len(word) for word in words)
    if "maxLength" in part:
        return int(part["maxLength"])
    if part.get("format") in ("date-time",):
        return 40
    pattern = str(part["pattern"])
    bounded = {"{0,62}": 64, "{0,31}": 32, "{0,63}": 64, "{64}": 64}
    if pattern.startswith("^(") and "*" not in pattern and "+" not in pattern:
        return max(len(word) for word in pattern.strip("^()$").split("|"))
    return max(size for text, size in bounded.items() if text in pattern)
