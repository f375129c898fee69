"""A detector and a mix of images → the same detector, gently fine-tuned.

Ultralytics supplies the data set, the loss and the moving average; the loop is ours,
because theirs re-estimates BatchNorm, rebuilds the head and talks to the network.
BatchNorm statistics stay those of the start: the weights of start and result then
differ only in what was learned, and can be interpolated (Wortsman et al. 2022).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from common.road_users import ROAD_USERS
from models.degrade import degrade
from models.detector import load_model
from models.recipe import Recipe
from models.runtime import prepare, use_all_threads

GRADIENT_NORM = 10.0
LOSSES = ("box", "class", "distribution")


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """What one pass over the mix did.

    Attributes:
        number: 1 for the first.
        losses: Mean box, class and distribution loss per image.
        images: Images seen.
        checkpoint: The moving average after this epoch.
    """

    number: int
    losses: dict[str, float]
    images: int
    checkpoint: Path


def fine_tune(
    model: Any,
    train_list: Path,
    folder: Path,
    *,
    recipe: Recipe,
    on_epoch: Callable[[Epoch], None] = lambda _: None,
) -> Any:
    """Train a copy of ``model`` and return it; ``model`` itself stays the start.

    Args:
        model: ``ultralytics.YOLO`` with our classes.
        train_list: Text file of images, labels beside them in YOLO layout.
        folder: Where each epoch's checkpoint goes.
        recipe: Rates, augmentation, epochs and seed.
        on_epoch: Called after each epoch.

    Returns:
        ``ultralytics.YOLO`` that holds the moving average of the last epoch.
    """
    prepare()
    from ultralytics.utils.torch_utils import ModelEMA

    seed_chance(recipe.seed)
    use_all_threads()
    network = copy_of(model).model
    loader = loader_of(degraded_dataset(recipe), str(train_list), recipe)
    optimiser = prepare_for_training(network, recipe)
    average = ModelEMA(network, decay=1 - 1 / recipe.average_steps, tau=recipe.average_steps / 4)
    for number in range(1, recipe.epochs + 1):
        losses, images = _one_pass(network, loader, optimiser, average, (number, recipe))
        checkpoint = folder / f"epoch{number:02d}.pt"
        save_checkpoint(average.ema, checkpoint)
        on_epoch(Epoch(number=number, losses=losses, images=images, checkpoint=checkpoint))
    # as saved, in half precision: what is chosen and scored is what somebody can load again
    return load_model(checkpoint)


def _one_pass(
    network: Any, loader: Any, optimiser: Any, average: Any, which: tuple[int, Recipe]
) -> tuple[dict[str, float], int]:
    import torch

    number, recipe = which
    train_mode(network)
    sums, images = np.zeros(len(LOSSES)), 0
    for step, batch in enumerate(loader, start=(number - 1) * len(loader)):
        rate = rate_at(
            step, steps=len(loader) * recipe.epochs, per_epoch=len(loader), recipe=recipe
        )
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch["img"] = batch["img"].float() / 255
        loss, parts = network.loss(batch)
        optimiser.zero_grad()
        loss.sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), GRADIENT_NORM)
        optimiser.step()
        average.update(network)
        sums += len(batch["img"]) * np.asarray([float(value) for value in parts.values()])
        images += len(batch["img"])
    return dict(zip(LOSSES, (sums / images).tolist(), strict=True)), images


def rate_at(step: int, *, steps: int, per_epoch: int, recipe: Recipe) -> float:
    """Learning rate of a step: linear warm-up, then a cosine down to the final share."""
    warm_up = min(recipe.warmup_epochs * per_epoch, steps / 2)
    if step < warm_up:
        return recipe.learning_rate * (step + 1) / warm_up
    through = (step - warm_up) / max(steps - warm_up, 1)
    low = recipe.final_rate_share
    return recipe.learning_rate * (low + (1 - low) * (1 + math.cos(math.pi * through)) / 2)


def copy_of(model: Any) -> Any:
    """An independent copy of a YOLO, without gradients or graph."""
    import copy

    # a YOLO is a torch module: a shallow copy would share the very table that holds its network
    twin = copy.deepcopy(model)
    twin.model = clean(model.model)
    return twin


def clean(network: Any) -> Any:
    """A float32 evaluation copy of a network without training leftovers."""
    import copy

    twin = copy.deepcopy(network).float().eval()
    twin.criterion = None
    for parameter in twin.parameters():
        parameter.requires_grad_(True)
    return twin


def save_checkpoint(network: Any, path: Path, *, facts: dict[str, Any] | None = None) -> Path:
    """Write a half-precision checkpoint that Ultralytics loads; ``facts`` ride along."""
    import torch
    from ultralytics import __version__
    from ultralytics.cfg import DEFAULT_CFG_DICT

    network = clean(network).half()
    network.args = {**DEFAULT_CFG_DICT, "task": "detect", "imgsz": 640}
    network.pt_path = path.name
    content = {
        "model": network,
        "ema": None,
        "train_args": {"task": "detect", "imgsz": 640},
        "version": __version__,
        "license": "AGPL-3.0-or-later",
        "its": facts or {},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


def prepare_for_training(network: Any, recipe: Recipe) -> Any:
    """Give a network the loss and the frozen layers of ``recipe``; returns its optimiser."""
    network.args = _settings(recipe)
    network.criterion = None
    _freeze(network, layers=recipe.frozen_layers)
    return _optimiser(network, recipe)


def degraded_dataset(recipe: Recipe) -> Any:
    """The data set class of a recipe: ``YOLODataset`` that sees through bad cameras."""
    from ultralytics.data.dataset import YOLODataset

    rng = np.random.default_rng(recipe.seed + 1)

    class DegradedDataset(YOLODataset):  # type: ignore[misc]
        """Frames as cheap, distant or night cameras send them, before mosaic and zoom."""

        def get_image_and_label(self, index: int) -> dict[str, Any]:
            label: dict[str, Any] = super().get_image_and_label(index)
            instances = label["instances"]
            height, width = label["img"].shape[:2]
            boxes = instances.bboxes.astype(np.float64)
            if not instances.normalized:
                boxes = boxes / (width, height, width, height)
            rows = np.column_stack([label["cls"].reshape(-1), boxes.reshape(-1, 4)])
            label["img"] = degrade(label["img"], rows, recipe=recipe, rng=rng)
            return label

    return DegradedDataset


def loader_of(dataset_class: Any, source: Any, recipe: Recipe) -> Any:
    """Shuffled, augmented batches whose order and chance depend on the seed alone.

    Args:
        dataset_class: From ``degraded_dataset``, or a subclass.
        source: What that class reads: the list of images as a text file, or its own.
        recipe: Size of picture and batch, augmentation, seed.
    """
    import torch

    names = {i: str(road_user) for i, road_user in enumerate(ROAD_USERS)}
    dataset = dataset_class(
        img_path=source,
        imgsz=recipe.image_px,
        batch_size=recipe.batch,
        augment=True,
        hyp=_settings(recipe),
        data={"names": names, "nc": len(names), "channels": 3},
    )
    return torch.utils.data.DataLoader(
        dataset,
        batch_size=recipe.batch,
        shuffle=True,
        num_workers=0,  # order and chance then depend on the seed alone
        collate_fn=dataset_class.collate_fn,
        generator=torch.Generator().manual_seed(recipe.seed),
    )


def _settings(recipe: Recipe) -> Any:
    from ultralytics.cfg import get_cfg

    return get_cfg(
        overrides={
            "task": "detect",
            "imgsz": recipe.image_px,
            "mosaic": recipe.mosaic,
            "scale": recipe.scale,
            "translate": 0.1,
            "mixup": 0.0,
            "hsv_h": 0.01,
            "hsv_s": 0.5,
            "hsv_v": 0.3,
            "fliplr": 0.5,
        }
    )


def _optimiser(network: Any, recipe: Recipe) -> Any:
    import torch

    weights: list[Any] = []
    others: list[Any] = []
    for parameter in network.parameters():
        if parameter.requires_grad:
            (weights if parameter.ndim > 1 else others).append(parameter)
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.999))


def _freeze(network: Any, *, layers: int) -> None:
    for index, layer in enumerate(network.model):
        for parameter in layer.parameters():
            parameter.requires_grad_(index >= layers)
    # the projection of the distribution head is a constant, not a weight
    dfl = getattr(network.model[-1], "dfl", None)
    for parameter in dfl.parameters() if dfl is not None else ():
        parameter.requires_grad_(False)


def train_mode(network: Any) -> None:
    """Switch to training, all but the statistics of BatchNorm."""
    import torch

    network.train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()


def seed_chance(seed: int) -> None:
    """Seed every generator that training draws from."""
    import torch

    random.seed(seed)
    np.random.seed(seed)  # the augmentations of Ultralytics draw from it
    torch.manual_seed(seed)
