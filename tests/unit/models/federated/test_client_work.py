"""One order on one box: trained once, answered the same again, or refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from common.errors import ConflictError, NotFoundError
from common.rounds import BatchNorm, LocalTraining, Packing
from common.samples import Sample
from models.federated.client_work import Box, work
from models.federated.codec import unpack
from models.federated.local_training import LocalResult, LocalTask
from models.federated.orders import Refusal, TrainingOrder, Travelling, outgoing
from models.federated.trainers import Trainer
from tests.fakes import flower_trainer
from tests.fakes.flower_trainer import LeastSquares, fill_learn_folder, layout, samples_at

pytestmark = pytest.mark.unit

WEIGHTS = outgoing(flower_trainer.parent_vector(), Travelling.FP32)


def order(**settings: Any) -> TrainingOrder:
    told: dict[str, Any] = {
        "run": "run-1",
        "number": 1,
        "device": "box-1",
        "parent": "synthetic",
        "parent_version": "1.0.0",
        "layout": layout().digest.hex(),
        "base_sha256": WEIGHTS.sha256,
        "travelling": Travelling.FP32,
        "local": LocalTraining(learning_rate=0.5),
        "packing": Packing.FP32,
        "batch_norm": BatchNorm.SHARED,
        "seed": 7,
    }
    return TrainingOrder(**(told | settings))


def box(folder: Path, *, samples: list[Sample] | None = None, **note: Any) -> Box:
    filled = samples_at(0.8, count=4) if samples is None else samples
    learn = fill_learn_folder(folder / "learn", filled, **note)
    return Box(device="box-1", learn_folder=learn, trainer_for=lambda _: flower_trainer.trainer())


def test_an_order_is_trained_on_the_samples_of_the_box(tmp_path: Path) -> None:
    answer, update = work(order(), WEIGHTS.data, box(tmp_path))

    # From 1 half the way to 1 ± 0.06.
    assert answer.refusal is None
    assert answer.samples == 4
    assert unpack(update, layout())[:2] == pytest.approx([0.03, -0.03], abs=1e-6)


class Countless:
    """Trains with another result every time, as hardware that is not deterministic would."""

    layout = layout()

    def __init__(self) -> None:
        self.asked = 0

    def train(self, task: LocalTask) -> LocalResult:
        self.asked += 1
        done = LeastSquares(self.layout).train(task)
        return replace(done, vector=done.vector + np.float32(0.001 * self.asked))


def test_the_same_order_again_gets_the_same_bytes_without_training(tmp_path: Path) -> None:
    trainer = Countless()
    worker = replace(box(tmp_path), trainer_for=lambda _: trainer)

    first = work(order(), WEIGHTS.data, worker)
    again = work(order(), WEIGHTS.data, worker)

    assert again == first
    assert trainer.asked == 1


@pytest.mark.parametrize("batch_norm", list(BatchNorm))
def test_a_round_repeated_without_its_answer_gives_equal_bytes(
    tmp_path: Path, batch_norm: BatchNorm
) -> None:
    worker = box(tmp_path)
    asked = [order(number=n, packing=Packing.INT8, batch_norm=batch_norm) for n in (1, 2)]
    work(asked[0], WEIGHTS.data, worker)
    _, second = work(asked[1], WEIGHTS.data, worker)
    for path in (worker.learn_folder / "state").rglob("*.answer"):
        path.unlink()

    _, again = work(asked[1], WEIGHTS.data, worker)

    assert again == second


def test_what_int8_lost_is_sent_with_the_next_round(tmp_path: Path) -> None:
    worker = box(tmp_path)
    asked = [order(number=n, packing=Packing.INT8) for n in (1, 2)]

    sent = [unpack(work(each, WEIGHTS.data, worker)[1], layout()) for each in asked]

    # Each round wants 0.03; a step of 0.3 times the root mean square is 0.009: 3 steps, then 4.
    assert sent[0][0] == pytest.approx(0.027, abs=1e-5)
    assert sent[0][0] + sent[1][0] == pytest.approx(0.06, abs=0.005)


def test_own_batch_norm_stays_on_the_disk_of_the_box(tmp_path: Path) -> None:
    worker = box(tmp_path)

    _, update = work(order(batch_norm=BatchNorm.LOCAL), WEIGHTS.data, worker)

    sent = unpack(update, layout())
    assert np.count_nonzero(sent[layout().batch_norm]) == 0
    (kept,) = (worker.learn_folder / "state" / "norms" / "run-1").glob("*.npy")
    assert np.load(kept)[0] == pytest.approx(1.03, abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        pytest.param({"device": "box-2"}, Refusal.OTHER_DEVICE, id="meant for another box"),
        pytest.param({"layout": "0" * 64}, Refusal.OTHER_LAYOUT, id="another network"),
        pytest.param({"base_sha256": "0" * 64}, Refusal.DAMAGED_BASE, id="other weights"),
        pytest.param({"travelling": Travelling.FP16}, Refusal.DAMAGED_BASE, id="other length"),
    ],
)
def test_an_order_that_does_not_fit_is_refused(
    tmp_path: Path, changes: dict[str, Any], refusal: Refusal
) -> None:
    answer, update = work(order(**changes), WEIGHTS.data, box(tmp_path))

    assert answer.refusal is refusal
    assert update == b""


@pytest.mark.parametrize(
    ("note", "refusal", "reasons"),
    [
        pytest.param({"is_ready": False}, Refusal.NOT_READY, ("temperature",), id="too hot"),
        pytest.param({"hours": 1}, Refusal.READINESS_UNKNOWN, (), id="note of a dead agent"),
        pytest.param({"hours": -1}, Refusal.READINESS_UNKNOWN, (), id="note from the future"),
    ],
)
def test_a_box_that_is_not_ready_does_not_train(
    tmp_path: Path, note: dict[str, Any], refusal: Refusal, reasons: tuple[str, ...]
) -> None:
    trainer = Countless()
    worker = replace(box(tmp_path, **note), trainer_for=lambda _: trainer)

    answer, update = work(order(), WEIGHTS.data, worker)

    assert (answer.refusal, answer.reasons, update) == (refusal, reasons, b"")
    assert trainer.asked == 0


def test_a_box_without_a_note_does_not_train(tmp_path: Path) -> None:
    worker = box(tmp_path)
    (worker.learn_folder / "readiness.json").unlink()

    answer, _ = work(order(), WEIGHTS.data, worker)

    assert answer.refusal is Refusal.READINESS_UNKNOWN


def test_a_box_without_labelled_samples_says_so(tmp_path: Path) -> None:
    answer, _ = work(order(), WEIGHTS.data, box(tmp_path, samples=[]))

    assert answer.refusal is Refusal.NO_SAMPLES


class Breaks:
    """A trainer whose disk or memory gives up."""

    layout = layout()

    def train(self, task: LocalTask) -> LocalResult:
        raise ConflictError(f"no memory for {task.layout.size} values")


def not_installed(name: str) -> Trainer:
    raise NotFoundError(f"no trainer for {name!r} is installed")


@pytest.mark.parametrize(
    ("trainer_for", "refusal"),
    [
        pytest.param(lambda _: Breaks(), Refusal.TRAINING_FAILED, id="training fails"),
        pytest.param(not_installed, Refusal.UNKNOWN_PARENT, id="nobody trains this"),
    ],
)
def test_a_fault_of_the_box_becomes_a_refusal(
    tmp_path: Path, trainer_for: Callable[[str], Trainer], refusal: Refusal
) -> None:
    answer, _ = work(order(), WEIGHTS.data, replace(box(tmp_path), trainer_for=trainer_for))

    assert answer.refusal is refusal


def test_more_samples_than_asked_for_are_drawn_the_same_way_each_time(tmp_path: Path) -> None:
    mixed = samples_at(0.6, count=3) + [
        each.model_copy(update={"id": f"{n + 3:016x}"})
        for n, each in enumerate(samples_at(0.9, count=3))
    ]
    worker = box(tmp_path, samples=mixed)
    asked = order(local=LocalTraining(learning_rate=0.5, most_samples=2))

    first, one = work(asked, WEIGHTS.data, worker)
    for path in (worker.learn_folder / "state").rglob("*.answer"):
        path.unlink()
    _, other = work(asked, WEIGHTS.data, worker)

    assert first.samples == 2
    assert one == other


def test_only_the_rounds_that_may_be_asked_again_are_kept(tmp_path: Path) -> None:
    worker = box(tmp_path)

    for number in range(1, 6):
        work(order(number=number), WEIGHTS.data, worker)

    kept = sorted(path.name for path in (worker.learn_folder / "state").rglob("round-*"))
    assert kept == [
        "round-0004.answer",
        "round-0004.residual",
        "round-0005.answer",
        "round-0005.residual",
    ]
