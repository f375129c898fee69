"""The global weights and the samples of one device → the weights after a round of training there.

The same weights, samples, plan, seed and number of threads give the same bits: a device
that is asked twice answers twice the same.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import ConflictError
from common.rounds import BatchNorm, LocalTraining
from common.samples import Sample
from models.federated.image_batches import batches_of
from models.federated.local_batch_norm import own_part, with_own_part
from models.federated.local_scores import own_map50
from models.federated.network import network_with, vector_of_network, with_vector
from models.federated.parameters import Layout
from models.recipe import Recipe
from models.runtime import keep_freed_memory, prepare

F32 = NDArray[np.float32]
WARM_UP_STEPS = 5
FINAL_SHARE = 0.2
Loss = Callable[[Any, Any], tuple[Any, dict[str, Any]]]
"""Network and batch → loss to descend (summed over the batch), parts per image to report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTask:
    """What a device is asked to do in one round.

    Attributes:
        vector: Global weights, shape (layout.size,).
        samples: Pictures with boxes; of more than ``plan_local.most_samples`` some are drawn.
        batch_norm: Whose BatchNorm the device trains.
        mu: Weight of FedProx's pull towards ``vector``.
        seed: From ``seed_of``.
        own_norm: The device's BatchNorm part after its last round, None in its first.
        scored: On so many of its samples the weights are scored before they are trained.
    """

    vector: F32
    layout: Layout
    samples: Sequence[Sample]
    plan_local: LocalTraining = LocalTraining()  # noqa: RUF009 - frozen
    batch_norm: BatchNorm = BatchNorm.SHARED
    mu: float = 0.0
    seed: int = 0
    own_norm: F32 | None = None
    scored: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalResult:
    """What a device has after one round.

    Attributes:
        vector: Its weights, shape (layout.size,); under ``BatchNorm.LOCAL`` the BatchNorm
            part is that of the global weights, so that the update says nothing about it.
        samples: Pictures that it trained on.
        losses: Mean box, class and distribution loss per image and their sum, ``total``.
        map50: Of the weights that it began with on its own samples, mean over their classes;
            None when none was scored or none has a box.
        seconds: Time the training and the scoring took.
        own_norm: Its BatchNorm part, to be kept on its disk, None when it is shared.
        classes: Class → mAP50 behind ``map50``.
    """

    vector: F32
    samples: int
    losses: dict[str, float]
    map50: float | None
    seconds: float
    own_norm: F32 | None = None
    classes: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Descent:
    """How weights walk down a loss.

    Attributes:
        recipe: Batch, rate, frozen layers and seed.
        steps: So many at most; ``rate_in_round`` says how fast each is.
        mu: Weight of the pull towards the start (Li et al. 2020, FedProx).
    """

    recipe: Recipe
    steps: int
    mu: float = 0.0


def seed_of(plan_seed: int, number: int, device: str) -> int:
    """The seed of one device in one round: of no other, and the same when repeated."""
    digest = hashlib.sha256(f"its/v1 round seed\n{plan_seed}\n{number}\n{device}".encode())
    return int.from_bytes(digest.digest()[:4], "big") >> 1


def recipe_of(local: LocalTraining, *, seed: int) -> Recipe:
    """The bench's recipe with the rates and sizes of a plan."""
    return replace(
        Recipe(),
        seed=seed,
        epochs=local.epochs,
        batch=local.batch,
        image_px=local.image_px,
        learning_rate=local.learning_rate,
        frozen_layers=local.frozen_layers,
    )


def train_locally(parent_model: Any, task: LocalTask) -> LocalResult:
    """Train a copy of the global model on the samples of one device.

    Args:
        parent_model: ``ultralytics.YOLO`` of the task's layout; it stays as it is.
        task: Weights, samples and settings.

    Raises:
        ConflictError: There is nothing to train on.
        ConfigError: A sample is not a picture.
    """
    if not task.samples:
        raise ConflictError(
            "no sample to train on, expected at least one with labels",
            hint="let the device collect samples first, or leave it out of the round",
        )
    started_s = time.monotonic()
    prepare()
    keep_freed_memory()
    is_local = task.batch_norm is BatchNorm.LOCAL
    samples = _drawn(task)
    start = task.vector
    if is_local and task.own_norm is not None:
        start = with_own_part(start, task.own_norm, task.layout)
    network = network_with(parent_model, start, task.layout)
    classes = _scores(parent_model, start, task)
    recipe = recipe_of(task.plan_local, seed=task.seed)
    steps = recipe.epochs * -(-len(samples) // recipe.batch)
    losses = descend(
        network,
        batches_of(samples, recipe),
        loss=detection_loss,
        how=Descent(recipe=recipe, steps=steps, mu=task.mu),
    )
    vector = vector_of_network(network, task.layout)
    own = own_part(vector, task.layout) if is_local else None
    if is_local:
        vector = with_own_part(vector, own_part(task.vector, task.layout), task.layout)
    return LocalResult(
        vector=vector,
        samples=len(samples),
        losses=losses,
        map50=sum(classes.values()) / len(classes) if classes else None,
        seconds=time.monotonic() - started_s,
        own_norm=own,
        classes=classes,
    )


def detection_loss(network: Any, batch: Any) -> tuple[Any, dict[str, Any]]:
    """Ultralytics' loss of boxes, classes and distributions."""
    loss, parts = network.loss(batch)
    names = (name.removesuffix("_loss") for name in parts)
    return loss.sum(), dict(zip(names, parts.values(), strict=True))


def descend(network: Any, batches: Iterable[Any], *, loss: Loss, how: Descent) -> dict[str, float]:
    """Take optimiser steps on a network, in place.

    Args:
        network: The torch module inside a YOLO.
        batches: Lazily made; chance is seeded before the first is drawn.
        loss: What to descend.
        how: Rates and number of steps.

    Returns:
        Mean of each part of the loss per image, and of their sum as ``total``.
    """
    import torch

    from models.training import (
        GRADIENT_NORM,
        prepare_for_training,
        seed_chance,
        train_mode,
    )

    seed_chance(how.recipe.seed)
    optimiser = prepare_for_training(network, how.recipe)
    learned = [each for each in network.parameters() if each.requires_grad]
    began = [each.detach().clone() for each in learned] if how.mu else []
    train_mode(network)
    sums: dict[str, float] = {}
    images = 0
    for step, batch in zip(range(how.steps), batches, strict=False):
        rate = rate_in_round(step, steps=how.steps, peak=how.recipe.learning_rate)
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch["img"] = batch["img"].float() / 255
        whole, parts = loss(network, batch)
        optimiser.zero_grad()
        whole.backward()
        for now, before in zip(learned, began, strict=False):
            now.grad = (0 if now.grad is None else now.grad) + how.mu * (now.detach() - before)
        torch.nn.utils.clip_grad_norm_(learned, GRADIENT_NORM)
        optimiser.step()
        images += len(batch["img"])
        for name, value in parts.items():
            sums[name] = sums.get(name, 0.0) + len(batch["img"]) * float(value)
    means = {name: value / max(images, 1) for name, value in sums.items()}
    network.eval()
    return means | {"total": sum(means.values())}


def rate_in_round(step: int, *, steps: int, peak: float) -> float:
    """Learning rate of a step of one round: a few steps of warm-up, then a cosine.

    An optimiser begins every round without a memory, and the first steps of Adam move every
    weight by the full rate whatever its gradient: unwarmed, a dozen of them ruin a network.
    """
    rise = min(1.0, (step + 1) / max(1.0, min(WARM_UP_STEPS, steps / 2)))
    through = step / max(steps - 1, 1)
    fall = FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * through)) / 2
    return peak * rise * fall


def _scores(parent_model: Any, start: F32, task: LocalTask) -> dict[str, float]:
    if not task.scored:
        return {}
    chosen = np.random.default_rng(0).permutation(len(task.samples))[: task.scored].tolist()
    model = with_vector(parent_model, start, task.layout)
    samples = [task.samples[index] for index in sorted(chosen)]
    return own_map50(model, samples, image_px=task.plan_local.image_px)


def _drawn(task: LocalTask) -> list[Sample]:
    most = task.plan_local.most_samples
    if len(task.samples) <= most:
        return list(task.samples)
    picked = np.random.default_rng(task.seed).permutation(len(task.samples))[:most]
    return [task.samples[index] for index in sorted(picked.tolist())]
