"""A folder that a technician labelled (YOLO layout) → samples, or every mistake in it at once.

Layout: ``images/NAME.jpg`` (or .jpeg, .png) beside ``labels/NAME.txt``; each line of a label
file is ``class cx cy w h`` in shares of the picture, an empty file says that nobody is there.
Class numbers follow ``names`` of ``data.yaml``, or our own order without that file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from common.errors import ConfigError, NotFoundError
from common.road_users import ROAD_USERS, RoadUser
from common.sample_files import SampleVault
from common.samples import MOST_JPEG_BYTES, LabelSource, Sample, SampleBox
from edge.learn.pictures import from_jpeg, to_jpeg

PICTURES = (".jpg", ".jpeg", ".png")
TECHNICIAN = "technician"
_MOST_TOLD = 20
_EDGE = 1e-3
"""Labelling tools round: a box may stick out by so much of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of an import."""

    pictures: int
    boxes: int
    refused: int


def import_labels(
    folder: Path, vault: SampleVault, *, camera: str, most_side_px: int = 1280
) -> Imported:
    """Read and check everything, then keep it; with one mistake nothing is kept.

    A second import of the same picture replaces the labels of the first.

    Args:
        folder: Holds ``images`` and ``labels``.
        vault: Where to.
        camera: That took the pictures.
        most_side_px: Pictures are kept no larger.

    Raises:
        NotFoundError: No such folder.
        ConfigError: Mistakes; the message names up to 20 of them.
        UnreachableError: The vault cannot be written.
    """
    pairs = list(_checked(folder))
    kept = boxes = 0
    for picture, found in pairs:
        if vault.add(_sample(picture, found, camera=camera, most_side_px=most_side_px)):
            kept += 1
            boxes += len(found)
    return Imported(pictures=kept, boxes=boxes, refused=len(pairs) - kept)


def _checked(folder: Path) -> Iterator[tuple[Path, Sequence[SampleBox]]]:
    """Pictures with their boxes, after all of them were found to be right."""
    images, labels = folder / "images", folder / "labels"
    for part in (images, labels):
        if not part.is_dir():
            raise NotFoundError(
                f"no folder {part}, expected images/ and labels/ in {folder}",
                hint="export from the labelling tool in YOLO format",
            )
    classes = _classes(folder / "data.yaml")
    pictures = sorted(path for path in images.iterdir() if path.suffix.lower() in PICTURES)
    if not pictures:
        raise NotFoundError(f"no picture in {images}, expected {', '.join(PICTURES)}")
    mistakes: list[str] = []
    pairs = []
    for picture in pictures:
        label = labels / f"{picture.stem}.txt"
        mistakes += _picture_mistakes(picture)
        if not label.is_file():
            mistakes.append(f"{picture.name} has no {label}, expected one, empty for nobody")
            continue
        pairs.append((picture, tuple(_boxes(label, classes, mistakes))))
    known = {picture.stem for picture in pictures}
    mistakes += [
        f"{label.name} has no picture"
        for label in sorted(labels.glob("*.txt"))
        if label.stem not in known and label.stem != "classes"
    ]
    if mistakes:
        more = f"; and {len(mistakes) - _MOST_TOLD} more" if len(mistakes) > _MOST_TOLD else ""
        raise ConfigError(
            "; ".join(mistakes[:_MOST_TOLD]) + more,
            hint="nothing was imported; correct the files and run the same command again",
        )
    yield from pairs


def _classes(data_file: Path) -> Sequence[RoadUser]:
    """Class number → road user."""
    if not data_file.exists():
        return ROAD_USERS
    try:
        content: Any = yaml.safe_load(data_file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{data_file} is not YAML") from error
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict) and sorted(names) == list(range(len(names))):
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names:
        raise ConfigError(f"{data_file} has no names, expected a list of classes")
    foreign = sorted({str(name) for name in names} - set(ROAD_USERS))
    if foreign:
        raise ConfigError(
            f"{data_file} names {', '.join(foreign)}, expected some of {', '.join(ROAD_USERS)}",
            hint="rename the classes, or leave those out that are not counted",
        )
    return [RoadUser(name) for name in names]


def _picture_mistakes(picture: Path) -> Iterator[str]:
    size = picture.stat().st_size
    if size > MOST_JPEG_BYTES:
        yield f"{picture.name} has {size} bytes, expected at most {MOST_JPEG_BYTES}"
        return
    try:
        from_jpeg(picture.read_bytes())
    except ConfigError:
        yield f"{picture.name} is not a picture"


def _boxes(label: Path, classes: Sequence[RoadUser], mistakes: list[str]) -> Iterator[SampleBox]:
    try:
        lines = label.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        mistakes.append(f"{label.name} is not text")
        return
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _box(line, classes)
        except ValueError as error:
            mistakes.append(f"{label.name}:{number}: {error}")


def _box(line: str, classes: Sequence[RoadUser]) -> SampleBox:
    words = line.split()
    if len(words) != 5:
        raise ValueError(f"{len(words)} values, expected 5: class cx cy w h")
    if not words[0].isdigit() or int(words[0]) >= len(classes):
        raise ValueError(f"class {words[0]}, expected 0 to {len(classes) - 1}")
    try:
        cx, cy, w, h = (float(word) for word in words[1:])
    except ValueError:
        raise ValueError(f"{' '.join(words[1:])}, expected four numbers") from None
    low, high = -_EDGE, 1 + _EDGE
    edges = (cx - w / 2, cx + w / 2, cy - h / 2, cy + h / 2)
    if not (w > 0 and h > 0 and all(low <= edge <= high for edge in edges)):
        raise ValueError(f"box {cx:g} {cy:g} {w:g} {h:g} is not inside the picture (0 to 1)")
    left, right, top, bottom = (min(max(edge, 0.0), 1.0) for edge in edges)
    return SampleBox(
        road_user=classes[int(words[0])],
        cx=(left + right) / 2,
        cy=(top + bottom) / 2,
        w=right - left,
        h=bottom - top,
    )


def _sample(picture: Path, boxes: Sequence[SampleBox], *, camera: str, most_side_px: int) -> Sample:
    raw = picture.read_bytes()
    digest = hashlib.sha256(camera.encode() + b"\n" + raw).hexdigest()
    return Sample(
        id=digest[:16],
        camera=camera,
        taken_at=datetime.fromtimestamp(picture.stat().st_mtime, UTC),
        source=LabelSource.TECHNICIAN,
        boxes=tuple(boxes),
        reasons=(TECHNICIAN,),
        value=1.0,
        # Written anew: whatever the file says of place and device of its taking is left behind.
        jpeg=to_jpeg(from_jpeg(raw), most_side_px=most_side_px),
    )
