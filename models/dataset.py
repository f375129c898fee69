"""Labelled sets and a teacher → the YOLO folders that one training run reads.

Layout below the run's ``data`` folder: ``mix/images`` and ``mix/labels`` (completed
labels), ``mix/train.txt`` (with repetitions), and ``select/<family>`` and
``val/<family>`` with the annotators' labels alone, for evaluation.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from common.errors import ConfigError
from common.road_users import ROAD_USERS
from models.degrade import Image, as_low_resolution, as_night
from models.labels import Rows, cut_rows, fill_labels, read_rows, write_rows
from models.recipe import Recipe
from models.sources import (
    LabelledSet,
    draw_repeats,
    find_sets,
    label_file,
    repeat_factors,
    split_frames,
)

WIDE = 1.4
LEAST_VISIBLE = 0.35
TILE_JPEG_QUALITY = 95

Predict = Callable[[NDArray[np.uint8]], Rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """The folders of one run.

    Attributes:
        train_list: Text file of training images, repeated as often as they are shown.
        select: Family name → held-out training images, to choose alpha.
        val: Family name → validation images, for the card.
        counts: What went in, for the card.
    """

    train_list: Path
    select: dict[str, Path]
    val: dict[str, Path]
    counts: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """One training image after it was written.

    Attributes:
        classes: Name of each written part → class indices on it.
        filled: Class indices that the teacher added.
        is_dark: Whether it counts as a night frame.
    """

    classes: dict[str, list[int]]
    filled: list[int]
    is_dark: bool


def build_mix(
    data: Path, folder: Path, *, recipe: Recipe, teacher: Predict, extra: Sequence[Path] = ()
) -> Mix:
    """Write the folders of one run; the same arguments write the same bytes.

    Args:
        data: Folder with the labelled sets.
        folder: Where to write; it is emptied first.
        recipe: Split, repeats and thresholds.
        teacher: Fills classes that a set does not label.
        extra: More sets in YOLO layout, such as simulated frames, exhaustively labelled.

    Raises:
        ConfigError: No sets, foreign classes, or an unreadable image or label file.
    """
    shutil.rmtree(folder, ignore_errors=True)
    rng = np.random.default_rng(recipe.seed)
    added: list[Added] = []
    held: dict[str, list[Path]] = defaultdict(list)
    val: dict[str, list[Path]] = defaultdict(list)
    sets = find_sets(data)
    for labelled_set in sets:
        kept, selected = split_frames(
            labelled_set.images("train"), share=recipe.selection_share, rng=rng
        )
        held[labelled_set.family] += selected
        val[labelled_set.family] += labelled_set.images("val")
        added += [_add(image, labelled_set, folder, recipe, teacher) for image in kept]
    drawn = draw_repeats(_factors(added, recipe), rng=rng)
    simulated = _add_extra(extra, folder, at_most=_room(len(drawn), recipe), rng=rng)
    train_list = folder / "mix" / "train.txt"
    lines = [str((folder / "mix" / "images" / name).resolve()) for name in drawn + simulated]
    train_list.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    counts = {"sets": [one.name for one in sets], **_counts(added)}
    counts |= {"shown_per_epoch": len(lines), "simulated": len(simulated)}
    (folder / "mix" / "mix.json").write_text(json.dumps(counts, indent=1), encoding="utf-8")
    return Mix(
        train_list=train_list,
        select=write_families(held, folder / "select"),
        val=write_families(val, folder / "val"),
        counts=counts,
    )


def write_families(images: dict[str, list[Path]], folder: Path) -> dict[str, Path]:
    """Copy images with their own labels into one folder per family; returns the folders."""
    written = {}
    for family, paths in sorted(images.items()):
        for image in paths:
            _copy(image, folder / family, name=f"{image.parent.parent.parent.name}__{image.name}")
        if paths:
            written[family] = folder / family
    return written


def write_degraded(clean: Path, folder: Path, *, kind: str, seed: int = 0) -> Path:
    """Copy an evaluation folder as a bad camera would have seen it.

    Args:
        clean: Folder with ``images`` and ``labels``.
        folder: Where to write.
        kind: ``low_resolution`` (352 px wide, JPEG quality 25) or ``night``.
        seed: Seeds the lamps and the grain of ``night``.
    """
    rng = np.random.default_rng(seed)
    for path in sorted((clean / "images").iterdir()):
        image, rows = read_image(path), read_rows(label_file(path))
        if kind == "low_resolution":
            image = as_low_resolution(image, share=352 / image.shape[1], jpeg_quality=25)
        elif kind == "night":
            image = as_night(image, rows, rng=rng)
        else:
            raise ValueError(f"unknown degradation {kind!r}, expected low_resolution or night")
        _place(folder, f"{path.stem}.png", rows)
        cv2.imwrite(str(folder / "images" / f"{path.stem}.png"), image)
    return folder


def write_data_yaml(path: Path, *, train: Path, val: Path) -> Path:
    """Write the file that Ultralytics opens."""
    names = {i: str(road_user) for i, road_user in enumerate(ROAD_USERS)}
    content = {"path": "/", "train": str(train.resolve()), "val": str(val.resolve())}
    path.write_text(yaml.safe_dump({**content, "names": names}), encoding="utf-8")
    return path


def read_image(path: Path) -> Image:
    """Read a picture as BGR, shape (h, w, 3).

    Raises:
        ConfigError: It is not a picture that OpenCV can read.
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ConfigError(f"{path} is not a readable picture, expected JPEG or PNG")
    return np.asarray(image, dtype=np.uint8)


def _add(
    image: Path, labelled_set: LabelledSet, folder: Path, recipe: Recipe, teacher: Predict
) -> Added:
    picture, drawn = read_image(image), _drawn(image)
    rows = fill_labels(
        drawn,
        teacher(picture),
        labelled=labelled_set.labelled,
        unlabelled_score=recipe.unlabelled_score,
        missed_score=recipe.missed_score,
    )
    height, width = picture.shape[:2]
    lefts = (0,) if width < WIDE * height else (0, width - height)
    written = {}
    for number, left in enumerate(lefts):
        # a square input wastes half of itself on a wide frame; its two ends fill it
        right = width if len(lefts) == 1 else left + height
        part = cut_rows(rows, left=left / width, right=right / width, least_visible=LEAST_VISIBLE)
        name = f"{labelled_set.name}__{image.stem}__{number}.jpg"
        _place(folder / "mix", name, part)
        if len(lefts) == 1:
            shutil.copyfile(image, folder / "mix" / "images" / name)
        else:
            _write_jpeg(folder / "mix" / "images" / name, picture[:, left:right])
        written[name] = part[:, 0].astype(int).tolist()
    return Added(
        classes=written,
        filled=rows[len(drawn) :, 0].astype(int).tolist(),
        is_dark=float(picture.mean()) < recipe.dark_below,
    )


def _factors(added: Sequence[Added], recipe: Recipe) -> dict[str, float]:
    classes = {name: part for one in added for name, part in one.classes.items()}
    factors = repeat_factors(classes, repeat_below=recipe.repeat_below)
    for one in added:
        for name in one.classes:
            factors[name] *= recipe.tile_share if len(one.classes) > 1 else 1.0
            factors[name] *= recipe.night_repeat if one.is_dark else 1.0
    return factors


def _counts(added: Sequence[Added]) -> dict[str, Any]:
    filled = [index for one in added for index in one.filled]
    return {
        "images": len(added),
        "dark": sum(one.is_dark for one in added),
        "filled_boxes": {str(u): filled.count(i) for i, u in enumerate(ROAD_USERS)},
    }


def _write_jpeg(path: Path, picture: Image) -> None:
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, TILE_JPEG_QUALITY])


def _add_extra(
    extra: Sequence[Path], folder: Path, *, at_most: int, rng: np.random.Generator
) -> list[str]:
    images: list[Path] = []
    for root in extra:
        found = [path for one in find_sets(root) for path in one.images("train")]
        if not found:
            raise ConfigError(f"extra folder {root} holds no images, expected YOLO layout")
        images += found
    chosen = sorted(rng.permutation(len(images))[:at_most].tolist())
    names = []
    for index in chosen:
        name = f"extra{index:05d}__{images[index].name}"
        _copy(images[index], folder / "mix", name=name)
        names.append(name)
    return names


def _room(drawn: int, recipe: Recipe) -> int:
    return int(drawn * recipe.extra_share / (1 - recipe.extra_share))


def _drawn(image: Path) -> Rows:
    path = label_file(image)
    return read_rows(path) if path.exists() else np.empty((0, 5))


def _copy(image: Path, folder: Path, *, name: str) -> None:
    _place(folder, name, _drawn(image))
    shutil.copyfile(image, folder / "images" / name)


def _place(folder: Path, name: str, rows: Rows) -> None:
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    write_rows(folder / "labels" / f"{Path(name).stem}.txt", rows)


def class_counts(folders: Iterable[Path]) -> dict[str, int]:
    """Boxes per class below evaluation folders, for the card."""
    total = np.zeros(len(ROAD_USERS), dtype=int)
    for folder in folders:
        for path in sorted((folder / "labels").glob("*.txt")):
            total += np.bincount(read_rows(path)[:, 0].astype(int), minlength=len(ROAD_USERS))
    return {str(u): int(n) for u, n in zip(ROAD_USERS, total, strict=True) if n}
