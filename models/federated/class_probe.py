"""Weights and the server's labelled pictures → how badly they mix up road users, in nats.

An update from training on swapped labels is as long as an honest one and hardly points
elsewhere; asked about a labelled car, its network says motorcycle. So each update is asked before
it is summed, on pictures whose labels the coordinator knows (Fang et al. 2020, rejection by loss;
Xie, Koyejo and Gupta 2019, Zeno). It is asked *which* road user stands there, not whether one
does: a box that learned at night is honestly unsure of pictures by day, and a loss of detection
rises by that as much as by a lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from common.rounds import RunPlan
from models.federated.anchoring import drawn_images, plain_samples
from models.federated.image_batches import GREY, decode, fitted, rows_of
from models.federated.local_training import seed_of
from models.federated.network import network_with
from models.federated.parameters import F32, Layout
from models.federated.verdicts import ClassRise
from models.runtime import prepare

CLASS_PROBE = "class probe"
LOUDEST = 5
"""Cells of a labelled box that are asked: those where the network is surest of anything."""
MIDDLE = 0.6
"""Share of a box's sides inside which a cell stands for it; at its edge stands something else."""
BATCH = 8


@dataclass(frozen=True, slots=True)
class _Question:
    """A labelled box: its picture in the batch, the cells inside, the right class."""

    picture: int
    cells: NDArray[np.int64]
    right: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePictures:
    """Which pictures are asked about; the same choice draws the same.

    Attributes:
        data: Folder above the server's labelled sets; None where it has none.
        count: So many training pictures of them.
        seed: Of the draw.
        side_px: They are asked as squares of this side.
    """

    data: Path | None
    count: int
    seed: int
    side_px: int

    @classmethod
    def of_plan(cls, plan: RunPlan) -> Self:
        """What a run has: the pictures that it is anchored with."""
        return cls(
            data=plan.anchor.data,
            count=plan.screening.pictures,
            seed=seed_of(plan.seed, 0, CLASS_PROBE),
            side_px=plan.local.image_px,
        )


class ClassProbe:
    """Pictures and questions, made once; asked of many weights."""

    def __init__(self, model: Any, layout: Layout, pictures: ProbePictures) -> None:
        """Draw and read the pictures.

        Args:
            model: ``ultralytics.YOLO``; it stays as it is.
            layout: Of its weights.
            pictures: Which ones.

        Raises:
            ConfigError: The pictures are missing or unreadable.
        """
        self._model = model
        self._layout = layout
        self._side_px = pictures.side_px
        self._batches = []
        if pictures.data is not None and pictures.count:
            images = drawn_images(pictures.data, count=pictures.count, seed=pictures.seed)
            samples = plain_samples(images)
            self._batches = [
                self._batch(samples[begin : begin + BATCH])
                for begin in range(0, len(samples), BATCH)
            ]

    @property
    def questions(self) -> int:
        """Labelled boxes that are asked about."""
        return sum(len(questions) for _, questions in self._batches)

    def loss(self, vector: F32) -> float:
        """Mean cross entropy of the right class among the classes, nats per labelled box.

        ``log(classes)`` is what guessing costs. Infinite where the network gives no finite answer.

        Args:
            vector: Weights, shape (layout.size,).

        Raises:
            ValueError: There is nothing to ask.
        """
        if not self.questions:
            raise ValueError("no labelled box to ask about")
        import torch

        from models.training import train_mode

        prepare()
        network = network_with(self._model, vector, self._layout)
        train_mode(network)  # raw answers, with the statistics of BatchNorm as they are
        total = 0.0
        with torch.no_grad():
            for pictures, questions in self._batches:
                answers = network(torch.from_numpy(pictures).float() / 255)["scores"].numpy()
                total += sum(_surprise(answers[q.picture], q) for q in questions)
        mean = total / self.questions
        return mean if np.isfinite(mean) else float("inf")

    def _batch(self, samples: Sequence[Any]) -> tuple[NDArray[np.uint8], list[_Question]]:
        side = self._side_px
        pictures = np.full((len(samples), 3, side, side), GREY, dtype=np.uint8)
        questions: list[_Question] = []
        cells = _cell_centres(side, [int(each) for each in self._model.model.stride])
        for index, sample in enumerate(samples):
            picture = fitted(decode(sample), side)
            height, width = picture.shape[:2]
            pictures[index, :, :height, :width] = picture[:, :, ::-1].transpose(2, 0, 1)
            for class_index, *box in rows_of(sample).tolist():
                inside = _inside(cells, np.array(box) * [width, height, width, height])
                if len(inside):
                    questions.append(_Question(index, inside, int(class_index)))
        return pictures, questions


def rise_over(probe: ClassProbe, base: F32) -> ClassRise | None:
    """What screening asks of every delta of a round; None where there is nothing to ask about.

    Args:
        probe: Pictures and questions.
        base: Weights that the round began with, shape (layout.size,).
    """
    if not probe.questions:
        return None
    before = probe.loss(base)
    return lambda delta: probe.loss(base + delta) - before


def _cell_centres(side_px: int, strides: Sequence[int]) -> NDArray[np.float64]:
    """Centres in the order in which the head answers, shape (cells, 2), x before y."""

    def of(stride: int) -> Iterator[NDArray[np.float64]]:
        steps = (np.arange(side_px // stride) + 0.5) * stride
        yield np.stack([np.tile(steps, len(steps)), np.repeat(steps, len(steps))], axis=1)

    return np.concatenate([centres for stride in strides for centres in of(stride)])


def _inside(cells: NDArray[np.float64], box_px: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.flatnonzero((np.abs(cells - box_px[:2]) < box_px[2:] * MIDDLE / 2).all(axis=1))


def _surprise(scores: NDArray[np.float32], question: _Question) -> float:
    """Cross entropy of one box, nats: mean over its loudest cells; logits (classes, cells)."""
    inside = scores[:, question.cells].astype(np.float64)
    loudest = inside[:, np.argsort(-inside.max(axis=0), kind="stable")[:LOUDEST]]
    highest = loudest.max(axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        whole = highest + np.log(np.exp(loudest - highest).sum(axis=0))
        return float((whole - loudest[question.right]).mean())
