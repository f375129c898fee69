"""Scores of two models → the verdict, the tables of the card, and plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

WORST_LOSS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Average precision of one class, or the mean of a set.

    Attributes:
        map50: At an overlap of 0.5, in [0, 1].
        map50_95: Mean over overlaps from 0.5 to 0.95, in [0, 1].
        boxes: Labelled boxes it rests on.
    """

    map50: float
    map50_95: float
    boxes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetScore:
    """Precision on one evaluation folder.

    Attributes:
        mean: Over the classes that the set labels.
        classes: Class name → precision.
    """

    mean: Precision
    classes: dict[str, Precision]


Scores = dict[str, SetScore]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a candidate may replace a reference.

    Attributes:
        passed: Better overall, and no class of any set more than a point worse.
        overall_gain: Change of mAP50-95, mean over the sets.
        losses: ``set/class`` → change of mAP50, for every class that lost over a point.
    """

    passed: bool
    overall_gain: float
    losses: dict[str, float]


def compare(reference: Scores, candidate: Scores, *, least_boxes: int = 1) -> Verdict:
    """Hold a candidate against a reference on the same folders.

    Args:
        reference: Scores of the model in use.
        candidate: Scores of the model that wants to replace it.
        least_boxes: Classes with fewer boxes in a set are not judged there.

    Raises:
        ValueError: The two were not scored on the same folders and classes.
    """
    if reference.keys() != candidate.keys():
        raise ValueError(f"scored on {sorted(reference)} and {sorted(candidate)}")
    losses = {}
    for name, before in reference.items():
        after = candidate[name]
        if before.classes.keys() != after.classes.keys():
            raise ValueError(f"{name}: {sorted(before.classes)} and {sorted(after.classes)}")
        for label, old in before.classes.items():
            change = after.classes[label].map50 - old.map50
            if change < -WORST_LOSS and old.boxes >= least_boxes:
                losses[f"{name}/{label}"] = change
    gain = overall(candidate) - overall(reference)
    return Verdict(passed=gain > 0 and not losses, overall_gain=gain, losses=losses)


def overall(scores: Scores) -> float:
    """Mean mAP50-95 over the sets, each set counting once."""
    return sum(score.mean.map50_95 for score in scores.values()) / max(len(scores), 1)


def table(columns: Mapping[str, Scores]) -> str:
    """Scores of several models side by side, as a Markdown table.

    Args:
        columns: Heading → scores, all on the same folders; mAP is shown in points (0-100).
    """
    first = next(iter(columns.values()))
    lines = [
        "| set | class | boxes | " + " | ".join(f"{c} mAP50 / mAP50-95" for c in columns) + " |",
        "|---|---|---:|" + "---:|" * len(columns),
    ]
    for name, score in first.items():
        for label in [*score.classes, "**mean**"]:
            cells = [_of(scores[name], label) for scores in columns.values()]
            shown = " | ".join(f"{100 * c.map50:.1f} / {100 * c.map50_95:.1f}" for c in cells)
            lines.append(f"| {name} | {label} | {cells[0].boxes} | {shown} |")
    return "\n".join(lines)


def as_plain(scores: Scores) -> dict[str, Any]:
    """Scores as JSON values."""
    return {name: asdict(score) for name, score in scores.items()}


def from_plain(content: Mapping[str, Any]) -> Scores:
    """Scores read back from JSON values."""
    return {
        name: SetScore(
            mean=Precision(**score["mean"]),
            classes={label: Precision(**value) for label, value in score["classes"].items()},
        )
        for name, score in content.items()
    }


def _of(score: SetScore, label: str) -> Precision:
    return score.classes.get(label, score.mean)
