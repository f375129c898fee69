"""An aggregate and the server's own labelled pictures → weights that have not forgotten.

After each aggregation: a few steps on those pictures (replay), the same towards what the
parent answers on them (distillation, Hinton et al. 2015; Li and Hoiem 2016, LwF), or a
point on the line between parent and aggregate (Wortsman et al. 2022, WiSE-FT).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.rounds import Anchoring, LocalTraining, RunPlan
from common.samples import LabelSource, Sample
from models.dataset import read_image
from models.federated.image_batches import batches_of, boxes_of
from models.federated.local_scores import predicted_rows
from models.federated.local_training import Descent, descend, detection_loss, recipe_of, seed_of
from models.federated.network import (
    layout_of_network,
    network_with,
    vector_of,
    vector_of_network,
)
from models.labels import Rows, fill_labels, read_rows
from models.recipe import Recipe
from models.runtime import keep_freed_memory, prepare
from models.sources import LabelledSet, find_sets, label_file
from models.training import copy_of

F32 = NDArray[np.float32]
ANCHOR = "server anchor"
BOX_SHARE = 1.0
SURE = 0.1


@dataclass(frozen=True, slots=True)
class ServerImage:
    """One labelled picture of the server and the set it belongs to."""

    path: Path
    owner: LabelledSet


def anchor_step(model: Any, vector: F32, plan: RunPlan, number: int) -> F32:
    """What becomes of an aggregate before it is the next global model.

    Args:
        model: ``ultralytics.YOLO`` with the parent's weights; it stays as it is.
        vector: The aggregate, shape (size,).
        plan: Its ``anchor`` says what is done, its ``seed`` decides chance.
        number: Of the round, 1 for the first.

    Returns:
        Shape (size,); ``vector`` itself without an anchor.

    Raises:
        ConfigError: The server's set is missing or unreadable.
    """
    settings = plan.anchor
    if settings.kind is Anchoring.NONE:
        return vector
    layout = layout_of_network(model)
    if settings.kind is Anchoring.AVERAGE:
        parent = vector_of(model, layout)
        mixed = settings.keep * parent.astype(np.float64) + (1 - settings.keep) * vector
        return mixed.astype(np.float32)
    if settings.steps == 0 or settings.data is None:
        return vector
    prepare()
    keep_freed_memory()
    seed = seed_of(plan.seed, number, ANCHOR)
    recipe = _recipe(plan.local, rate=settings.learning_rate, seed=seed)
    images = drawn_images(settings.data, count=settings.steps * recipe.batch, seed=seed)
    anchored = network_with(model, vector, layout)
    is_replay = settings.kind is Anchoring.REPLAY
    samples = filled_samples(model, images, recipe) if is_replay else plain_samples(images)
    descend(
        anchored,
        batches_of(samples, recipe),
        loss=detection_loss if is_replay else DistilledLoss(model),
        how=Descent(recipe=recipe, steps=settings.steps),
    )
    return vector_of_network(anchored, layout)


class DistilledLoss:
    """How far a network answers from its parent on the same pictures.

    Class scores are compared by cross entropy; the distributions of the four box sides by
    Kullback-Leibler divergence, where the parent sees anything at all.
    """

    def __init__(self, parent: Any) -> None:
        """Copy the parent; its answers are what is aimed at."""
        from models.training import clean, train_mode

        self._parent = clean(parent.model)
        train_mode(self._parent)

    def __call__(self, network: Any, batch: Any) -> tuple[Any, dict[str, Any]]:
        """Loss summed over the batch, and its parts per image."""
        import torch
        from torch.nn import functional

        with torch.no_grad():
            aim = self._parent(batch["img"])
        answer = network(batch["img"])
        wished = aim["scores"].sigmoid()
        weight = wished.amax(dim=1, keepdim=True)
        total = weight.sum().clamp_min(1.0)
        classes = functional.binary_cross_entropy_with_logits(
            answer["scores"], wished, reduction="none"
        ) - functional.binary_cross_entropy(wished, wished, reduction="none")
        batch_size, sides, anchors = aim["boxes"].shape
        shape = (batch_size, 4, sides // 4, anchors)
        apart = functional.kl_div(
            answer["boxes"].reshape(shape).log_softmax(dim=2),
            aim["boxes"].reshape(shape).log_softmax(dim=2),
            reduction="none",
            log_target=True,
        ).sum(dim=2)
        sure = weight * (weight > SURE)
        parts = {"class": classes.sum() / total, "box": BOX_SHARE * (apart * sure).sum() / total}
        whole = parts["class"] + parts["box"]
        return whole * batch_size, {name: value.detach() for name, value in parts.items()}


def drawn_images(data: Path, *, count: int, seed: int) -> list[ServerImage]:
    """Training pictures below ``data``, every set as often as its size allows.

    Raises:
        ConfigError: No set there.
    """
    everything = [ServerImage(path, one) for one in find_sets(data) for path in one.images("train")]
    rng = np.random.default_rng(seed)
    order: list[int] = []
    while everything and len(order) < count:
        order += rng.permutation(len(everything)).tolist()
    return [everything[index] for index in order[:count]]


def plain_samples(images: Sequence[ServerImage]) -> list[Sample]:
    """Pictures with the boxes that their annotators drew."""
    return [_sample(image, _drawn_rows(image)) for image in images]


def filled_samples(model: Any, images: Sequence[ServerImage], recipe: Recipe) -> list[Sample]:
    """The same, with what the model is sure of in classes that nobody labelled."""
    samples = []
    asked = copy_of(model)  # to predict fuses a network
    for image in images:
        rows = _drawn_rows(image)
        if len(image.owner.labelled) < len(model.model.names):
            rows = fill_labels(
                rows,
                predicted_rows(asked, read_image(image.path), image_px=recipe.image_px, least=SURE),
                labelled=image.owner.labelled,
                unlabelled_score=recipe.unlabelled_score,
                missed_score=recipe.missed_score,
            )
        samples.append(_sample(image, rows))
    return samples


def _recipe(local: LocalTraining, *, rate: float, seed: int) -> Recipe:
    return replace(recipe_of(local, seed=seed), epochs=1, learning_rate=rate)


def _drawn_rows(image: ServerImage) -> Rows:
    path = label_file(image.path)
    return read_rows(path) if path.exists() else np.empty((0, 5))


def _sample(image: ServerImage, rows: Rows) -> Sample:
    return Sample(
        camera="server",
        taken_at=datetime.fromtimestamp(0, UTC),
        source=LabelSource.TECHNICIAN,
        boxes=boxes_of(rows),
        jpeg=image.path.read_bytes(),
    )
