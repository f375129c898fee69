"""Models and labelled sets → one comparison that a card, a gate or a shell can read."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.dataset import write_degraded, write_families
from models.evaluation import evaluate, milliseconds, open_for_evaluation
from models.scores import as_plain, compare, from_plain, table
from models.sources import find_sets

DEGRADATIONS = ("low_resolution", "night")


def measure(
    data: Path, named: Mapping[str, str], *, image_px: int = 640, degraded: bool = False
) -> dict[str, Any]:
    """Score one or two models on the validation images of every set.

    Args:
        data: Folder with the labelled sets.
        named: ``model`` and maybe ``against`` → path or Ultralytics name.
        image_px: Longer side of the input.
        degraded: Also score low-resolution and night versions of the images.

    Returns:
        JSON values: ``scores`` per name; ``speed_ms`` of ONNX files; ``verdict`` of
        ``model`` against ``against``, where there are two.

    Raises:
        ConfigError: Unusable data or model.
    """
    models = {name: open_for_evaluation(path) for name, path in named.items()}
    with tempfile.TemporaryDirectory() as scratch:
        folders = validation_folders(data, Path(scratch), degraded=degraded)
        scores = {
            name: evaluate(model, folders, image_px=image_px) for name, model in models.items()
        }
    files = {name: Path(path) for name, path in named.items() if path.endswith(".onnx")}
    result: dict[str, Any] = {
        "models": dict(named),
        "image_px": image_px,
        "scores": {name: as_plain(value) for name, value in scores.items()},
        "speed_ms": milliseconds(files) if files else {},
    }
    if "against" in scores:
        result["verdict"] = asdict(compare(scores["against"], scores["model"]))
    return result


def shown(result: Mapping[str, Any]) -> str:
    """A comparison for reading: table, speed and verdict."""
    scores = {name: from_plain(value) for name, value in result["scores"].items()}
    lines = [table(scores)]
    lines += [f"{name}: {value:.1f} ms per frame" for name, value in result["speed_ms"].items()]
    verdict = result.get("verdict")
    if verdict:
        lines.append(
            f"{'passed' if verdict['passed'] else 'failed'}: mAP50-95 "
            f"{100 * verdict['overall_gain']:+.1f} points over all sets"
        )
        lines += [f"lost {name}: {100 * loss:+.1f}" for name, loss in verdict["losses"].items()]
    return "\n".join(lines)


def validation_folders(data: Path, folder: Path, *, degraded: bool) -> dict[str, Path]:
    """Copy the validation images of every family, annotators' labels only."""
    images: dict[str, list[Path]] = defaultdict(list)
    for labelled_set in find_sets(data):
        images[labelled_set.family] += labelled_set.images("val")
    folders = write_families(images, folder / "val")
    return with_degraded(folders, folder / "degraded") if degraded else folders


def with_degraded(folders: Mapping[str, Path], scratch: Path) -> dict[str, Path]:
    """The folders, and each of them as a low-resolution and as a night camera sees it."""
    every = dict(folders)
    for name, folder in folders.items():
        for kind in DEGRADATIONS:
            target = scratch / f"{name}-{kind}"
            if not target.exists():
                write_degraded(folder, target, kind=kind)
            every[f"{name}-{kind}"] = target
    return every
