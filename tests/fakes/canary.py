"""A face and a number plate that nobody else has → planted in pictures, searched in bytes.

A search finds the planted pixels as they are, in any order of channels, as text, hex or
base64, whole or in part, and any picture file at all by its first bytes. It cannot look into
what is encrypted or compressed: search that before it is.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

PLATE_TEXT = "QX42 ZWV"
WINDOW_BYTES = 16
_LEAST_DIFFERENT = 8

_PICTURE_FILES = {
    "a JPEG file": re.compile(rb"\xff\xd8\xff[\xc0-\xc2\xdb\xe0-\xef\xfe]"),
    "a PNG file": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "a WebP file": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
    "a GIF file": re.compile(rb"GIF8[79]a"),
    "a BMP file": re.compile(rb"BM.{4}\0{4}.{4}\x28\0\0\0", re.DOTALL),
    "an MP4 file": re.compile(rb"\0\0\0.ftyp", re.DOTALL),
    "a JPEG file in base64": re.compile(rb"/9j/[2-4]|/9j/\+"),
    "a PNG file in base64": re.compile(rb"iVBORw0KGgo"),
    "a JPEG file in hex": re.compile(rb"ffd8ff[cdef]", re.IGNORECASE),
    "a PNG file in hex": re.compile(rb"89504e470d0a1a0a", re.IGNORECASE),
    "a NumPy file": re.compile(rb"\x93NUMPY"),
}


class Canary:
    """Planted once, it must not be found anywhere."""

    def __init__(self) -> None:
        random = np.random.default_rng(20260302)
        # Noise over a drawing: no other picture has the same sixteen bytes in a row.
        self.face: Image = random.integers(1, 90, (40, 32, 3), dtype=np.uint8)
        for x in (10, 22):
            cv2.circle(self.face, (x, 14), 3, (20, 40, 60), 1)
        self.plate: Image = random.integers(40, 130, (20, 84, 3), dtype=np.uint8)
        cv2.putText(self.plate, PLATE_TEXT, (2, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 1)
        self._windows: dict[bytes, str] = {}
        for name, picture in (("face", self.face), ("plate", self.plate)):
            for form, data in _forms(picture):
                self._remember(f"{form} of the {name}", data)
        self._texts = dict(_texts(PLATE_TEXT))

    def plant(self, image: Image, *, x: int, y: int) -> None:
        """Put face and plate into the picture, the face at (x, y) and the plate below it."""
        for picture, top in ((self.face, y), (self.plate, y + self.face.shape[0])):
            height, width = picture.shape[:2]
            image[top : top + height, x : x + width] = picture

    def traces_in(self, data: bytes) -> set[str]:
        """What of the canary, or of any picture, is in these bytes."""
        found = {name for name, pattern in _PICTURE_FILES.items() if pattern.search(data)}
        found |= {name for name, text in self._texts.items() if text in data}
        for at in range(len(data) - WINDOW_BYTES + 1):
            name = self._windows.get(data[at : at + WINDOW_BYTES])
            if name is not None:
                found.add(name)
        return found

    def traces_in_folder(self, folder: Path) -> dict[str, set[str]]:
        """Traces by file, for every file below a folder that has some."""
        files = (path for path in sorted(folder.rglob("*")) if path.is_file())
        found = {str(path.relative_to(folder)): self.traces_in(path.read_bytes()) for path in files}
        return {name: traces for name, traces in found.items() if traces}

    def _remember(self, name: str, data: bytes) -> None:
        for at in range(len(data) - WINDOW_BYTES + 1):
            window = data[at : at + WINDOW_BYTES]
            if len(set(window)) >= _LEAST_DIFFERENT:
                self._windows[window] = name


def _forms(picture: Image) -> Iterator[tuple[str, bytes]]:
    rgb, grey = picture[..., ::-1], cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    for row in range(picture.shape[0]):
        lines: Iterable[tuple[str, Image]] = (
            ("BGR pixels", picture[row]),
            ("RGB pixels", rgb[row]),
            ("grey pixels", grey[row]),
            *(("pixels of one colour", picture[row, :, channel]) for channel in range(3)),
        )
        for name, line in lines:
            raw = line.tobytes()
            yield name, raw
            yield f"{name} in hex", raw.hex().encode()
            yield f"{name} in hex", raw.hex().upper().encode()
            for shift in range(3):
                # Base64 of a longer text holds this one at one of three alignments.
                part = raw[shift : shift + (len(raw) - shift) // 3 * 3]
                yield f"{name} in base64", base64.b64encode(part)
            for joint in (",", ", "):
                yield f"{name} as text", joint.join(map(str, line.reshape(-1))).encode()
                nested = json.dumps(line.tolist(), separators=(joint, ":"))
                yield f"{name} as nested text", nested.encode()


def _texts(text: str) -> Iterator[tuple[str, bytes]]:
    for form in (text, text.replace(" ", ""), text.replace(" ", "-"), text.lower()):
        yield f"plate text {form}", form.encode()
        yield f"plate text {form} in UTF-16", form.encode("utf-16-le")
        yield f"plate text {form} in base64", base64.b64encode(form.encode()).rstrip(b"=")[:-1]
        yield f"plate text {form} in hex", form.encode().hex().encode()
