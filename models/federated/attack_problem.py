"""Labelled cameras → ten clients with their honest updates, worked out once and kept.

Small enough for minutes on two cores and real enough to mean mAP: YOLO11n is fine-tuned from
its COCO weights on the frames of a few cameras, split over ten clients. Round 1 is honest and
shared by everybody; round 2 is the one that is attacked, so that a stale update (of round 1)
exists. Every client's local training runs once; attacks transform what came out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from common.road_users import ROAD_USERS
from common.rounds import LocalTraining
from common.samples import LabelSource, Sample
from models.detector import load_model
from models.federated.attack_clients import BenchClient, attackers_of, deal, split, write_scored
from models.federated.image_batches import boxes_of
from models.federated.local_training import LocalTask, seed_of, train_locally
from models.federated.network import layout_of_network, vector_of
from models.federated.parameters import F32, Layout
from models.labels import Rows, read_rows
from models.runtime import use_all_threads
from models.sources import find_sets, label_file

ROUNDS = 2
"""The first is honest, the second attacked."""
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemSettings:
    """Everything that decides the updates; the defaults are the table in the documentation.

    Attributes:
        held_share: Share of the real frames of each training set that is scored, not trained on.
        most_images: Of one client, one variant of a real frame before the second of another.
        image_px: Side of the squares that are trained on and scored.
        seed: Of the split and of every client's training.
    """

    held_share: float = 0.2
    most_images: int = 16
    image_px: int = 320
    epochs: int = 2
    learning_rate: float = 1.5e-4
    batch: int = 4
    frozen_layers: int = 10
    seed: int = 0

    @property
    def local(self) -> LocalTraining:
        """As a plan has it."""
        return LocalTraining(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch=self.batch,
            image_px=self.image_px,
            frozen_layers=self.frozen_layers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AttackProblem:
    """Ten clients before the attacked round.

    Attributes:
        parent: ``ultralytics.YOLO`` of the layout.
        base: Global weights that round 2 starts from.
        deltas: Client → honest update of round 2.
        flipped: The first few attackers → their update after training on swapped classes.
        stale: Client → its update of round 1.
        samples: Client → images it trained on.
        attackers: Client names in the order in which they turn bad.
        scored: Folder of held-out images, squares of ``image_px``.
    """

    parent: Any
    layout: Layout
    start: F32
    base: F32
    deltas: dict[str, F32]
    flipped: dict[str, F32]
    stale: dict[str, F32]
    samples: dict[str, int]
    attackers: tuple[str, ...]
    scored: Path
    key: str
    settings: ProblemSettings = field(default_factory=ProblemSettings)


def build_problem(
    data: Path,
    folder: Path,
    *,
    model: str | Path,
    settings: ProblemSettings | None = None,
    report: Report = lambda _: None,
) -> AttackProblem:
    """Split, train every client once, and keep what came out; what is there is not made again.

    Args:
        data: Folder above labelled sets, one camera each.
        folder: Where updates and scored images are kept.
        model: Weights to start from.
        settings: Split and training.
        report: Receives one line per training.

    Raises:
        ConfigError: Unusable data or model, or too few images for ten clients.
    """
    settings = settings or ProblemSettings()
    sets = find_sets(data)
    kept, held = split(sets, held_share=settings.held_share, seed=settings.seed)
    clients = deal(kept, most_images=settings.most_images)
    parent = load_model(model)
    use_all_threads()
    layout = layout_of_network(parent)
    start = vector_of(parent, layout)
    key = _key(settings, clients, held, start)
    folder = folder / f"problem-{key}"
    scored = write_scored(held, folder / "scored", settings.image_px)
    bench = _Bench(parent, layout, folder, settings, report)
    stale = {one.name: bench.delta(one, start, number=1) for one in clients}
    samples = {one.name: len(one.images) for one in clients}
    base = start + weighted_mean(stale, samples)
    deltas = {one.name: bench.delta(one, base, number=2) for one in clients}
    attackers = attackers_of(clients)
    flipped = {
        one.name: bench.delta(one, base, number=2, flips=True)
        for one in clients
        if one.name in attackers
    }
    return AttackProblem(
        parent=parent,
        layout=layout,
        start=start,
        base=base,
        deltas=deltas,
        flipped=flipped,
        stale=stale,
        samples=samples,
        attackers=attackers,
        scored=scored,
        key=key,
        settings=settings,
    )


def weighted_mean(deltas: dict[str, F32], samples: dict[str, int]) -> F32:
    """What plain federated averaging makes of honest updates, shape (n,)."""
    total = sum(samples.values())
    mean = np.zeros_like(next(iter(deltas.values())), dtype=np.float64)
    for client, delta in sorted(deltas.items()):
        mean += delta.astype(np.float64) * (samples[client] / total)
    return mean.astype(np.float32)


def flip_classes(rows: Rows) -> Rows:
    """Class i becomes class 5 - i: cars are motorcycles, persons are trucks (Fung et al. 2020)."""
    swapped = rows.copy()
    swapped[:, 0] = len(ROAD_USERS) - 1 - swapped[:, 0]
    return swapped


class _Bench:
    def __init__(
        self, parent: Any, layout: Layout, folder: Path, settings: ProblemSettings, report: Report
    ) -> None:
        self._parent = parent
        self._layout = layout
        self._folder = folder
        self._settings = settings
        self._report = report

    def delta(self, client: BenchClient, base: F32, *, number: int, flips: bool = False) -> F32:
        name = f"round{number}-{client.name}{'-flipped' if flips else ''}.npy"
        path = self._folder / name
        if path.exists():
            return np.asarray(np.load(path), dtype=np.float32)
        task = LocalTask(
            vector=base,
            layout=self._layout,
            samples=[_sample(image, client.camera, flips=flips) for image in client.images],
            plan_local=self._settings.local,
            seed=seed_of(self._settings.seed, number, client.name),
        )
        result = train_locally(self._parent, task)
        delta = result.vector - base
        part = path.with_suffix(".part.npy")
        np.save(part, delta)
        part.replace(path)
        self._report(
            f"{name}: {result.samples} images of {client.camera}, {result.seconds:.0f} s, "
            f"loss {result.losses['total']:.2f}, length {float(np.linalg.norm(delta)):.3f}"
        )
        return delta


def _sample(image: Path, camera: str, *, flips: bool) -> Sample:
    rows = read_rows(label_file(image))
    return Sample(
        id=hashlib.sha256(f"{camera}/{image.name}".encode()).hexdigest()[:16],
        camera=camera.lower(),
        taken_at=datetime(2026, 1, 1, tzinfo=UTC),
        source=LabelSource.TECHNICIAN,
        boxes=boxes_of(flip_classes(rows) if flips else rows),
        jpeg=image.read_bytes(),
    )


def _key(
    settings: ProblemSettings, clients: Sequence[BenchClient], held: Sequence[Path], start: F32
) -> str:
    facts = {
        "settings": asdict(settings),
        "clients": [[one.camera, [image.name for image in one.images]] for one in clients],
        "held": [image.name for image in held],
        "start": hashlib.sha256(start.tobytes()).hexdigest(),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
