"""Labelled cameras → clients that share nothing, who of them turns bad, and what is scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from common.errors import ConfigError
from models.dataset import read_image
from models.degrade import Image
from models.labels import Rows, cut_rows, read_rows, write_rows
from models.sources import LabelledSet, frame_of, label_file, split_frames

CLIENTS = 10
SCORED_QUALITY = 95
WINDOWS = 5


@dataclass(frozen=True, slots=True)
class BenchClient:
    """One of the clients: frames of one camera, nobody else's."""

    name: str
    camera: str
    images: tuple[Path, ...]


def split(
    sets: Sequence[LabelledSet], *, held_share: float, seed: int
) -> tuple[dict[str, Sequence[Path]], list[Path]]:
    """Camera → images to train on, and the images of all cameras to score."""
    rng = np.random.default_rng(seed)
    kept: dict[str, Sequence[Path]] = {}
    held: list[Path] = []
    for one in sets:
        kept[one.name], selected = split_frames(one.images("train"), share=held_share, rng=rng)
        held += selected + one.images("val")
    return kept, held


def deal(
    kept: Mapping[str, Sequence[Path]], *, clients: int = CLIENTS, most_images: int
) -> tuple[BenchClient, ...]:
    """Give each camera clients in proportion to its images, at least one, and deal out frames.

    Raises:
        ConfigError: More cameras than clients, or fewer images than clients.
    """
    total = sum(len(images) for images in kept.values())
    if len(kept) > clients or total < 4 * clients:
        raise ConfigError(
            f"{total} images of {len(kept)} cameras, expected at least {4 * clients} of at most "
            f"{clients} cameras",
            hint="name a folder above a few labelled cameras with --data",
        )
    places = dict.fromkeys(kept, 1)
    for _ in range(clients - len(kept)):
        most = max(kept, key=lambda camera: (len(kept[camera]) / places[camera], camera))
        places[most] += 1
    dealt: list[BenchClient] = []
    for camera, images in sorted(kept.items()):
        # in blocks of the sorted names: variants of one frame mostly stay with one client
        for part in np.array_split(np.arange(len(images)), places[camera]):
            chosen = different_frames([images[index] for index in part.tolist()])[:most_images]
            dealt.append(BenchClient(f"client-{len(dealt):02d}", camera, chosen))
    return tuple(dealt)


def different_frames(images: Sequence[Path]) -> tuple[Path, ...]:
    """The same images, first one of each real frame, then the second variants, and so on."""
    seen: dict[str, int] = {}
    turns = []
    for image in images:
        frame = frame_of(image)
        seen[frame] = seen.get(frame, 0) + 1
        turns.append((seen[frame], image))
    return tuple(image for _, image in sorted(turns, key=lambda turn: turn[0]))


def attackers_of(clients: Sequence[BenchClient], count: int = 3) -> tuple[str, ...]:
    """Who turns bad, of a different camera each, never a camera's only client."""
    by_camera: dict[str, list[str]] = {}
    for one in clients:
        by_camera.setdefault(one.camera, []).append(one.name)
    shared = sorted(names[0] for names in by_camera.values() if len(names) > 1)
    if len(shared) < count:
        raise ConfigError(
            f"{len(shared)} cameras have more than one client, expected {count} or more"
        )
    return tuple(shared[:count])


def write_scored(images: Sequence[Path], folder: Path, image_px: int) -> Path:
    """Square windows of held-out frames, as small as they are scored.

    One image stands for all variants of a real frame. Of a wide frame the square with the most
    boxes is taken: that is the scale that devices train at, and letterboxed half of the work
    would go into grey bars.
    """
    if folder.is_dir():
        return folder
    part = folder.with_name(".scored")
    (part / "images").mkdir(parents=True, exist_ok=True)
    (part / "labels").mkdir(exist_ok=True)
    frames: dict[str, Path] = {}
    for image in images:
        frames.setdefault(f"{image.parents[2].name}__{frame_of(image)}", image)
    for stem, image in sorted(frames.items()):
        picture, rows = best_window(read_image(image), read_rows(label_file(image)))
        small = cv2.resize(picture, (image_px, image_px), interpolation=cv2.INTER_AREA)
        quality = [cv2.IMWRITE_JPEG_QUALITY, SCORED_QUALITY]
        cv2.imwrite(str(part / "images" / f"{stem}.jpg"), small, quality)
        write_rows(part / "labels" / f"{stem}.txt", rows)
    part.rename(folder)
    return folder


def best_window(picture: Image, rows: Rows) -> tuple[Image, Rows]:
    """The square of a wide picture that holds most boxes, and those boxes in its shares."""
    height, width = picture.shape[:2]
    side = min(height, width)
    lefts = [round(place * (width - side)) for place in np.linspace(0, 1, WINDOWS)]
    found = [
        cut_rows(rows, left=left / width, right=(left + side) / width, least_visible=0.35)
        for left in lefts
    ]
    best = max(range(WINDOWS), key=lambda index: len(found[index]))
    return picture[:, lefts[best] : lefts[best] + side], found[best]
