"""Labelled sets on a disk → clients that each own one camera, and what belongs to the server.

One camera is one client: pictures, light and classes differ from one to the next, as they
do between real sites. Frames of one real picture stay on one side because the sets' own
split does; the server's pictures are never among those that are scored.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from common.errors import ConfigError
from common.samples import LabelSource, Region, Sample
from models.dataset import Predict, read_image, write_families
from models.export import Release, export_onnx
from models.federated.image_batches import boxes_of
from models.labels import fill_labels, read_rows
from models.recipe import Recipe
from models.sources import LabelledSet, find_sets, frame_of, label_file
from models.teacher import Teacher

PSEUDO_SCORE = 0.35
DOUBT_SCORE = 0.15
"""Between the two nobody is sure: training paints the place over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataChoice:
    """Which pictures a laboratory uses.

    Attributes:
        clients: Family of sets of which each is one client.
        samples: Pictures of each client at most.
        scored: Pictures of each scored set at most; 0 for all.
        seed: Which pictures those are; the scored ones do not depend on it.
    """

    clients: str = "atl_cameras"
    samples: int = 48
    scored: int = 0
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraClient:
    """One camera of the laboratory.

    Attributes:
        name: Name of its set.
        labelled: Its pictures with what annotators drew, completed by the teacher.
        pseudo: The same pictures with what the teacher alone is sure of.
    """

    name: str
    labelled: tuple[Sample, ...]
    pseudo: tuple[Sample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaboratoryData:
    """Everything a comparison reads.

    Attributes:
        clients: Sorted by name.
        cameras: Name of a client → its scored pictures.
        elsewhere: Name of another set → its scored pictures.
        server: Folder above the training pictures of the other sets, for the anchor.
    """

    clients: tuple[CameraClient, ...]
    cameras: dict[str, Path]
    elsewhere: dict[str, Path]
    server: Path


def collect(data: Path, folder: Path, *, start: Any, choice: DataChoice) -> LaboratoryData:
    """Read the sets below ``data``; copies and answers of the teacher go below ``folder``.

    Args:
        data: Folder above the labelled sets.
        folder: Of the laboratory; what is there already is used again.
        start: ``ultralytics.YOLO``, the teacher: what everybody starts from.
        choice: Which pictures.

    Raises:
        ConfigError: Fewer than two clients, or no other set beside them.
    """
    sets = find_sets(data)
    owned = [one for one in sets if one.family == choice.clients]
    others = [one for one in sets if one.family != choice.clients]
    if len(owned) < 2 or not others:
        raise ConfigError(
            f"{data} holds {len(owned)} sets of {choice.clients} and {len(others)} others, "
            "expected at least two clients and one set of the server",
            hint="give the folder above the families with --data, and the cameras' with --cameras",
        )
    teacher = _teacher(start, folder)
    scored = folder / f"scored-{choice.scored or 'all'}"
    return LaboratoryData(
        clients=tuple(_client(one, teacher, choice) for one in owned),
        cameras={one.name: _scored(one, scored, choice.scored) for one in owned},
        elsewhere={one.name: _scored(one, scored, choice.scored) for one in others},
        server=_server(others, folder / "server"),
    )


def pseudo_sample(sample: Sample, rows: np.ndarray[Any, np.dtype[np.float64]]) -> Sample:
    """The same picture as if nobody had labelled it.

    Args:
        sample: Its boxes are thrown away.
        rows: What a teacher sees, shape (n, 6).
    """
    sure = rows[rows[:, 5] >= PSEUDO_SCORE]
    doubtful = rows[(rows[:, 5] >= DOUBT_SCORE) & (rows[:, 5] < PSEUDO_SCORE)]
    ignore = tuple(Region(cx=b.cx, cy=b.cy, w=b.w, h=b.h) for b in boxes_of(doubtful))
    update = {"boxes": boxes_of(sure), "ignore": ignore, "source": LabelSource.TEACHER}
    return sample.model_copy(update=update)


def _client(one: LabelledSet, teacher: Predict, choice: DataChoice) -> CameraClient:
    recipe = Recipe()
    labelled: list[Sample] = []
    pseudo: list[Sample] = []
    for image in _chosen(one.images("train"), choice):
        seen = teacher(read_image(image))
        rows = fill_labels(
            read_rows(label_file(image)),
            seen,
            labelled=one.labelled,
            unlabelled_score=recipe.unlabelled_score,
            missed_score=recipe.missed_score,
        )
        sample = Sample(
            camera=_slug(one.name),
            taken_at=datetime.fromtimestamp(len(labelled), UTC),
            source=LabelSource.TECHNICIAN,
            boxes=boxes_of(rows),
            jpeg=image.read_bytes(),
        )
        labelled.append(sample)
        pseudo.append(pseudo_sample(sample, seen))
    return CameraClient(name=one.name, labelled=tuple(labelled), pseudo=tuple(pseudo))


def _chosen(images: Sequence[Path], choice: DataChoice) -> list[Path]:
    """As many real frames as possible before a second variant of one."""
    rng = np.random.default_rng(choice.seed)
    shuffled = [images[index] for index in rng.permutation(len(images))]
    seen: dict[str, int] = {}
    order: list[tuple[int, int, Path]] = []
    for image in shuffled:
        turn = seen[frame_of(image)] = seen.get(frame_of(image), 0) + 1
        order.append((turn, len(order), image))
    return sorted(image for _, _, image in sorted(order)[: choice.samples])


def _scored(one: LabelledSet, folder: Path, most: int) -> Path:
    target = folder / one.name
    if not target.is_dir():
        images = one.images("val")
        if most:
            kept = np.random.default_rng(0).permutation(len(images))[:most]
            images = [images[index] for index in sorted(kept.tolist())]
        write_families({one.name: images}, folder)
    return target


def _server(sets: Sequence[LabelledSet], folder: Path) -> Path:
    """A folder that holds the training half of the sets and nothing else."""
    shutil.rmtree(folder, ignore_errors=True)
    for one in sets:
        target = folder / one.name
        target.mkdir(parents=True)
        shutil.copyfile(one.root / "data.yaml", target / "data.yaml")
        (target / "train").symlink_to((one.root / "train").resolve(), target_is_directory=True)
    return folder


def _teacher(start: Any, folder: Path) -> Teacher:
    file = folder / "teacher.onnx"
    if not file.exists():
        export_onnx(start, file, release=Release(name="teacher"))
    return Teacher(file, memory=folder / "teacher")


def _slug(name: str) -> str:
    return name.lower().replace("_", "-")[-63:].strip("-")
