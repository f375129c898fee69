"""Boxes of samples → a least-squares fit, in the place of a detector that takes minutes.

A network of 700 numbers learns the mean place of all boxes: each sample pulls every number of a
pattern towards its box, so the optimum is the mean over samples and anybody can check it. It
reaches real processes as a package does: by an entry point, in ``package_with_trainer``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from common.at_rest import AtRestKey
from common.readiness_file import ReadinessNote, write_readiness
from common.road_users import ROAD_USERS
from common.rounds import BatchNorm, RunPlan
from common.sample_files import LEARN_KEY_FILE, SAMPLES_FOLDER, SampleVault
from common.samples import LabelSource, Sample, SampleBox
from models.federated.installed_trainers import GROUP
from models.federated.local_batch_norm import own_part, with_own_part
from models.federated.local_training import LocalResult, LocalTask
from models.federated.parameters import Layout, layout_of
from models.federated.round_files import parent_file
from models.federated.trainers import Conclusion, RunEnd

F32 = NDArray[np.float32]
NAME = "synthetic"
GATE = "ITS_FAKE_TRAINER_GATE"
"""Folder: training leaves ``started`` there, and waits while ``hold`` exists."""
SHAPES: dict[str, tuple[int, ...]] = {
    "body.conv.weight": (20, 30),
    "body.bn.weight": (20,),
    "body.bn.bias": (20,),
    "body.bn.running_mean": (20,),
    "body.bn.running_var": (20,),
    "head.bias": (20,),
}
START = datetime(2026, 5, 4, 12, tzinfo=UTC)


def layout() -> Layout:
    """Of the only network here."""
    return layout_of({name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()})


def parent_vector() -> F32:
    """All ones: the pull of a sample is always short beside it."""
    return np.ones(layout().size, dtype=np.float32)


def target(samples: Sequence[Sample]) -> F32:
    """The optimum over some samples: 1 + 0.2 times (mean cx - 1/2), alternating in sign."""
    mean = np.mean([box.cx for sample in samples for box in sample.boxes])
    pattern = np.where(np.arange(layout().size) % 2, -1.0, 1.0)
    return np.asarray(1 + 0.2 * (mean - 0.5) * pattern, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """The device's side."""

    layout: Layout

    def train(self, task: LocalTask) -> LocalResult:
        _pass_gate()
        aim = target(task.samples)
        start = task.vector
        is_local = task.batch_norm is BatchNorm.LOCAL
        if is_local and task.own_norm is not None:
            start = with_own_part(start, task.own_norm, task.layout)
        vector = start
        for _ in range(task.plan_local.epochs):
            vector = vector + np.float32(task.plan_local.learning_rate) * (aim - vector)
        own = own_part(vector, task.layout) if is_local else None
        if is_local:
            vector = with_own_part(vector, own_part(task.vector, task.layout), task.layout)
        return LocalResult(
            vector=vector,
            samples=len(task.samples),
            losses={"total": float(np.square(aim - vector).mean())},
            map50=None,
            seconds=0.5,
            own_norm=own,
        )


@dataclass(frozen=True, slots=True)
class SyntheticBench:
    """The server's side: no anchor, a score for how far the parent was left."""

    plan: RunPlan
    folder: Path
    layout: Layout

    def parent(self) -> F32:
        raw = np.load(parent_file(self.plan, self.folder), allow_pickle=False)
        return np.asarray(raw, dtype=np.float32)

    def anchored(self, vector: F32, number: int) -> F32:  # noqa: ARG002 - of the Protocol
        return vector

    def class_rise(self, base: F32) -> None:
        """It has no pictures to ask about."""

    def scores(self, vector: F32) -> dict[str, float]:
        return {"moved": float(np.clip(np.abs(vector - 1).mean(), 0, 1))}

    def conclude(self, vector: F32, end: RunEnd) -> Conclusion:
        if not end.rounds[-1].map50["moved"]:
            return Conclusion(passed=False, reasons=("nothing was learned",))
        file = self.folder / "candidate" / "synthetic-2.0.0.npy"
        file.parent.mkdir(exist_ok=True)
        np.save(file, vector, allow_pickle=False)
        return Conclusion(passed=True, candidate=file)


def trainer() -> LeastSquares:
    """Called through the entry point."""
    return LeastSquares(layout())


def bench(plan: RunPlan, folder: Path) -> SyntheticBench:
    """Called through the entry point."""
    return SyntheticBench(plan, folder, layout())


def package_with_trainer(folder: Path) -> Path:
    """A folder for the search path that offers this module, as an installed package would."""
    info = folder / "its_fake_trainer-1.0.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: its-fake-trainer\nVersion: 1.0.0\n"
    )
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{NAME} = tests.fakes.flower_trainer\n")
    return folder


def samples_at(cx: float, *, count: int) -> list[Sample]:
    """So many samples, each with one car at ``cx``."""
    return [
        Sample(
            id=f"{index:016x}",
            camera="cam-1",
            taken_at=START + timedelta(minutes=index),
            source=LabelSource.TECHNICIAN,
            boxes=(SampleBox(road_user=ROAD_USERS[0], cx=cx, cy=0.5, w=0.1, h=0.1),),
            jpeg=b"\xff\xd8 no picture, nobody decodes it here \xff\xd9",
        )
        for index in range(count)
    ]


def fill_learn_folder(
    folder: Path, samples: Sequence[Sample], *, is_ready: bool = True, hours: int = 0
) -> Path:
    """A box's learn folder with these samples, and a readiness note that is ``hours`` old."""
    folder.mkdir(parents=True, exist_ok=True)
    key = AtRestKey.load_or_create(folder / LEARN_KEY_FILE)
    vault = SampleVault(folder / SAMPLES_FOLDER, key)
    for sample in samples:
        vault.add(sample)
    note = ReadinessNote(
        checked_at=datetime.now(UTC) - timedelta(hours=hours),
        is_ready=is_ready,
        reasons=() if is_ready else ("temperature",),
    )
    write_readiness(folder, note)
    return folder


def _pass_gate() -> None:
    gate = os.environ.get(GATE)
    if gate is None:
        return
    (Path(gate) / "started").touch()
    pause = threading.Event()
    while (Path(gate) / "hold").exists():
        pause.wait(0.1)
