"""A start model and labelled sets → a trained checkpoint with its scores before and after."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.catalogue import NAME, VERSION
from models.dataset import Mix, build_mix
from models.detector import load_model
from models.evaluation import evaluate
from models.export import Release, export_onnx
from models.interpolation import choose_alpha, interpolate
from models.recipe import Recipe
from models.report import with_degraded
from models.runtime import cache_folder, keep_freed_memory
from models.scores import Scores, as_plain, compare, overall
from models.teacher import Teacher
from models.training import Epoch, fine_tune, save_checkpoint

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a run starts from.

    Attributes:
        data: Folder with the labelled sets.
        start: Weights to start from, path or Ultralytics name.
        extra: More exhaustively labelled sets, such as simulated frames.
    """

    data: Path
    start: str | Path
    extra: Sequence[Path] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What a run leaves behind.

    Attributes:
        checkpoint: The chosen weights, half precision.
        metrics: JSON file with recipe, mix, choice and scores.
        alpha: Share of the fine-tuned weights in the result.
    """

    checkpoint: Path
    metrics: Path
    alpha: float


def train(inputs: Inputs, out: Path, *, recipe: Recipe, report: Report = lambda _: None) -> Trained:
    """Build the mix, fine-tune, interpolate, and score before and after.

    Args:
        inputs: Start weights and labelled sets.
        out: Folder of this run.
        recipe: Every number of the run.
        report: Receives one line per step.

    Raises:
        ConfigError: Unusable data or start weights, or the train extra is missing.
    """
    keep_freed_memory()
    before = load_model(inputs.start)
    report("filling the classes that the sets leave unlabelled")
    draft = export_onnx(before, out / "start.onnx", release=Release(version="0.0.0"))
    teacher = Teacher(draft, memory=cache_folder() / "teacher")
    mix = build_mix(inputs.data, out / "data", recipe=recipe, teacher=teacher, extra=inputs.extra)
    report(f"mix: {json.dumps(mix.counts)}")

    def on_epoch(epoch: Epoch) -> None:
        losses = " ".join(f"{name} {value:.3f}" for name, value in epoch.losses.items())
        report(f"epoch {epoch.number}/{recipe.epochs}: {epoch.images} images, {losses}")

    tuned = fine_tune(before, mix.train_list, out / "epochs", recipe=recipe, on_epoch=on_epoch)
    return finish((before, tuned), mix, out, recipe=recipe, report=report)


def finish(
    ends: tuple[Any, Any], mix: Mix, out: Path, *, recipe: Recipe, report: Report
) -> Trained:
    """Rank alphas on the held-out images, let the validation images veto, and save."""
    before, tuned = ends
    select = with_degraded(mix.select, out / "data" / "select-degraded")
    reference = evaluate(before, mix.val)

    def score(model: Any) -> Scores:
        scores = evaluate(model, select)
        report(f"held-out images: mAP50-95 {overall(scores):.4f}")
        return scores

    def accept(alpha: float, model: Any) -> bool:
        verdict = compare(reference, evaluate(model, mix.val))
        report(f"alpha {alpha:.2f} on the validation images: {asdict(verdict)}")
        return verdict.passed

    alpha, tried = choose_alpha(before, tuned, alphas=recipe.alphas, score=score, accept=accept)
    facts = {"name": NAME, "version": VERSION, "alpha": alpha, "recipe": recipe.as_dict()}
    result = interpolate(before, tuned, alpha=alpha)
    checkpoint = save_checkpoint(result.model, out / f"{NAME}-{VERSION}.pt", facts=facts)
    val = with_degraded(mix.val, out / "data" / "val-degraded")
    scores = {"before": evaluate(before, val), "after": evaluate(load_model(checkpoint), val)}
    metrics = out / "metrics.json"
    content = {
        "recipe": recipe.as_dict(),
        "mix": mix.counts,
        "alpha": alpha,
        "alphas": [{"alpha": one.alpha, "held_out_gain": one.gain} for one in tried],
        **{name: as_plain(value) for name, value in scores.items()},
        "verdict": asdict(compare(scores["before"], scores["after"])),
    }
    metrics.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return Trained(checkpoint=checkpoint, metrics=metrics, alpha=alpha)
