"""Folders of labelled images → named sets, their splits, and how often each image is shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from common.errors import ConfigError
from common.road_users import ROAD_USERS

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
# "train_42_png_9dc35f": variants that Roboflow derived from one real frame share the first part
_VARIANT = re.compile(r"_(?:png|jpe?g)(?:_[0-9a-f]+)?$")
_EXHAUSTIVE = re.compile(r"^#\s*exhaustively labelled here:\s*([a-z, ]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    """One folder with ``data.yaml`` in YOLO layout, ``images/`` split or not.

    Attributes:
        name: Path below the data folder, slashes turned into dashes.
        root: The folder.
        labelled: Class indices that are drawn exhaustively; the rest is unknown, not absent.
    """

    name: str
    root: Path
    labelled: frozenset[int]

    @property
    def family(self) -> str:
        """The collection it belongs to: four cameras of one city are one family."""
        return self.name.split("-", maxsplit=1)[0]

    def images(self, split: str) -> list[Path]:
        """Images of ``train`` or ``val``, sorted by name; a set without splits is all train."""
        folder = self.root / split / "images"
        if split == "train" and not folder.is_dir():
            folder = self.root / "images"
        found = folder.iterdir() if folder.is_dir() else iter(())
        return sorted(path for path in found if path.suffix.lower() in IMAGE_SUFFIXES)


def find_sets(data: Path) -> list[LabelledSet]:
    """Every labelled set below ``data``, sorted by name.

    Raises:
        ConfigError: No set there, or one whose classes are not ours in our order.
    """
    files = sorted(data.rglob("data.yaml")) if data.is_dir() else []
    if not files:
        raise ConfigError(
            f"data folder {data} holds no data.yaml, expected labelled sets in YOLO layout",
            hint="give the folder above the sets, see docs/ml-engineer.md",
        )
    return [_read_set(path, below=data) for path in files]


def label_file(image: Path) -> Path:
    """The label file of an image: ``images/a.jpg`` → ``labels/a.txt``."""
    return image.parent.parent / "labels" / f"{image.stem}.txt"


def frame_of(image: Path) -> str:
    """The real frame an image was derived from; its variants must stay on one side."""
    return _VARIANT.sub("", image.stem)


def split_frames(
    images: Sequence[Path], *, share: float, rng: np.random.Generator
) -> tuple[list[Path], list[Path]]:
    """Split images into (kept, held out) so that no real frame is on both sides."""
    frames = sorted({frame_of(image) for image in images})
    held = set(rng.permutation(frames)[: round(share * len(frames))].tolist())
    return (
        [image for image in images if frame_of(image) not in held],
        [image for image in images if frame_of(image) in held],
    )


def repeat_factors(
    classes_by_image: Mapping[str, Iterable[int]], *, repeat_below: float
) -> dict[str, float]:
    """How often to show each image, at least once (Gupta et al. 2019, LVIS, §5).

    A class on a share f of the images asks for sqrt(repeat_below / f); an image follows
    the rarest class on it.
    """
    present = {name: set(classes) for name, classes in classes_by_image.items()}
    total = max(len(present), 1)
    wish = {}
    for index in range(len(ROAD_USERS)):
        share = sum(index in classes for classes in present.values()) / total
        wish[index] = max(1.0, float(np.sqrt(repeat_below / share))) if share > 0 else 1.0
    return {name: max((wish[c] for c in classes), default=1.0) for name, classes in present.items()}


def draw_repeats(factors: Mapping[str, float], *, rng: np.random.Generator) -> list[str]:
    """Names with repetitions; the fraction of a factor is settled by chance."""
    drawn = []
    for name, factor in sorted(factors.items()):
        times = int(factor) + int(rng.random() < factor % 1)
        drawn += [name] * times
    return drawn


def _read_set(path: Path, *, below: Path) -> LabelledSet:
    text = path.read_text(encoding="utf-8")
    try:
        content = yaml.safe_load(text)
        names = content["names"]
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} has no readable key 'names', expected our class list") from error
    listed = list(names.values()) if isinstance(names, dict) else list(names)
    ours = [str(road_user) for road_user in ROAD_USERS]
    if listed != ours:
        raise ConfigError(
            f"{path} names the classes {listed}, expected {ours} in this order",
            hint="renumber the labels of the set",
        )
    note = _EXHAUSTIVE.search(text)
    words = re.split(r"[,\s]+", note.group(1).strip()) if note else ours
    labelled = frozenset(ours.index(word) for word in words if word in ours)
    name = "-".join(path.parent.relative_to(below).parts) or path.parent.name
    return LabelledSet(name=name, root=path.parent, labelled=labelled)
