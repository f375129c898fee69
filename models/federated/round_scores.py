"""A vector of weights and labelled sets → its scores, and whether it forgot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.dataset import write_families
from models.evaluation import DEPLOYED_PX, evaluate
from models.federated.network import with_vector
from models.federated.parameters import Layout
from models.scores import Scores
from models.sources import find_sets

MOST_LOST = 0.02
"""Two points of mAP50: what a run may cost on a set that it was not run for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundVerdict:
    """Whether the global model of a round may become a candidate.

    Attributes:
        passed: No anchor set lost too much, and the sets together did not get worse.
        gains: Set name → change of mAP50 against the parent.
        reasons: One sentence for each thing that speaks against it.
    """

    passed: bool
    gains: dict[str, float]
    reasons: tuple[str, ...]


def prepare_sets(data: Path, folder: Path) -> dict[str, Path]:
    """Copy the validation images of every set below ``data``; what is there already stays.

    The evaluation writes caches beside what it reads, and the given folder may be read-only.

    Returns:
        Name of the set → folder with ``images`` and ``labels``.

    Raises:
        ConfigError: No labelled set there.
    """
    images = {one.name: one.images("val") for one in find_sets(data)}
    missing = {name: paths for name, paths in images.items() if not (folder / name).is_dir()}
    write_families(missing, folder)
    return {name: folder / name for name, paths in sorted(images.items()) if paths}


def score_vector(
    model: Any,
    vector: NDArray[np.float32],
    layout: Layout,
    folders: Mapping[str, Path],
    *,
    image_px: int = DEPLOYED_PX,
) -> Scores:
    """Score weights on each folder.

    Args:
        model: ``ultralytics.YOLO`` of this layout; it stays as it is.
        vector: Shape (layout.size,).
        layout: Where each tensor lies in the vector.
        folders: From ``prepare_sets``.
        image_px: Longer side of the input.
    """
    return evaluate(with_vector(model, vector, layout), folders, image_px=image_px)


def verdict_of(before: Scores, after: Scores, *, most_lost: float = MOST_LOST) -> RoundVerdict:
    """Hold the global model of a round against its parent.

    Args:
        before: The parent's scores.
        after: Scores on the same sets.
        most_lost: Change of mAP50, as a share, that a single set may lose.

    Raises:
        ValueError: They were scored on different sets.
    """
    if before.keys() != after.keys():
        raise ValueError(f"scored on {sorted(before)} and {sorted(after)}")
    gains = {name: after[name].mean.map50 - before[name].mean.map50 for name in before}
    reasons = [
        f"{name}: mAP50 fell from {100 * before[name].mean.map50:.1f} to "
        f"{100 * after[name].mean.map50:.1f} points, at most {100 * most_lost:.1f} may be lost"
        for name, gain in gains.items()
        if not gain >= -most_lost
    ]
    overall = sum(gains.values()) / max(len(gains), 1)
    if not overall > 0:
        reasons.append(f"mAP50 over all sets changed by {100 * overall:+.1f} points, expected more")
    return RoundVerdict(passed=not reasons, gains=gains, reasons=tuple(reasons))
