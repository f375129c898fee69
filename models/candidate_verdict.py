"""A candidate and the model in use → may it replace it, with every reason why not.

Three questions, each asked on the same images and scenes for both: does it forget a class
or a place, does it count worse, and is it better at all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common.errors import ConfigError
from models.candidate_evidence import Evidence, Examination, examine
from models.catalogue import NAME, VERSION, read_facts
from models.dataset import write_families
from models.evaluation import DEPLOYED_PX
from models.proof_counts import SCENES, ProofScene, SceneCount, together
from models.registry_entry import code_version
from models.scores import SetScore, as_plain, table
from models.sources import find_sets

PRODUCTION = "production"
ROADSIDE = "roadside"
REJECTED_EXIT_CODE = 1
"""Of ``ml evaluate --candidate``; 0 is a pass, 3 and above are faults (common.errors)."""
_WEIGHTS = Path(__file__).parent / "weights"
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a candidate may lose.

    Attributes:
        loss: mAP50 of any judged class of a set, or of the mean over them, as a share.
        roadside_loss: The same for sets whose name begins with ``roadside``: no camera that
            is learned from, and who pays when a model forgets.
        least_boxes: A class with fewer labelled boxes in a set is shown and not judged
            there: on ten boxes one box is ten points.
        more_faults: How many more crossings may be missed or invented.
        more_wrong_classes: How many more may be classed wrongly.
    """

    loss: float = 0.01
    roadside_loss: float = 0.02
    least_boxes: int = 30
    more_faults: int = 0
    more_wrong_classes: int = 0

    def loss_of(self, name: str) -> float:
        """What may be lost on a set."""
        return self.roadside_loss if name.startswith(ROADSIDE) else self.loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A candidate beside what it wants to replace.

    Attributes:
        passed: Nothing speaks against it.
        reasons: What does, one line each.
        gain: Change of mAP50-95 over the judged classes, mean over the sets, as a share.
    """

    passed: bool
    reasons: tuple[str, ...]
    gain: float
    candidate: Evidence
    against: Evidence

    def as_plain(self) -> dict[str, Any]:
        """JSON values."""
        sides = (("candidate", self.candidate), ("against", self.against))
        return {
            "passed": self.passed,
            "reasons": list(self.reasons),
            "gain_map50_95": self.gain,
            "code_version": code_version(),
            **{
                name: {
                    "scores": as_plain(side.scores),
                    "counts": [asdict(row) for row in side.counts],
                    "counts_together": asdict(together(side.counts)),
                }
                for name, side in sides
            },
        }


def judge(candidate: Evidence, against: Evidence, *, limits: Limits | None = None) -> Judgement:
    """Hold what was measured of a candidate against what was measured of the model in use.

    Raises:
        ValueError: The two were not measured on the same sets, classes and scenes.
    """
    limits = limits or Limits()
    if candidate.scores.keys() != against.scores.keys():
        raise ValueError(f"scored on {sorted(candidate.scores)} and {sorted(against.scores)}")
    scenes = [[row.scene for row in side.counts] for side in (candidate, against)]
    if scenes[0] != scenes[1]:
        raise ValueError(f"counted {scenes[0]} and {scenes[1]}")
    reasons: list[str] = []
    for name, before in against.scores.items():
        labels = (before.classes.keys(), candidate.scores[name].classes.keys())
        if labels[0] != labels[1]:
            raise ValueError(f"{name}: {sorted(labels[0])} and {sorted(labels[1])}")
        reasons += _forgotten(name, before, candidate.scores[name], limits)
    reasons += _miscounted(together(candidate.counts), together(against.counts), limits)
    gain = _gain(candidate, against, limits)
    if gain <= 0:
        reasons.append(f"not better: mAP50-95 {100 * gain:+.2f} points over all sets")
    return Judgement(
        passed=not reasons, reasons=tuple(reasons), gain=gain, candidate=candidate, against=against
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measuring:
    """What is measured of both.

    Attributes:
        scenes: What to count; none to judge by mAP alone.
        image_px: Longer side of the input of the scores.
    """

    scenes: Sequence[ProofScene] = SCENES
    image_px: int = DEPLOYED_PX


def judge_files(
    candidate: Path,
    *,
    data: Path,
    against: str = PRODUCTION,
    measuring: Measuring | None = None,
    report: Report = lambda _: None,
) -> Judgement:
    """Measure a candidate and what it wants to replace, and judge.

    Args:
        candidate: A ``.pt`` checkpoint, which is exported first, or an ``.onnx`` file.
        data: Folder above the labelled sets; their validation images are scored.
        against: ``production`` for the packaged model, or a file.
        measuring: Scenes and size.
        report: Receives one line per step.

    Raises:
        ConfigError: Unusable model or data, or a scene could not be counted.
    """
    how = measuring or Measuring()
    reference = production() if against == PRODUCTION else Path(against)
    with tempfile.TemporaryDirectory() as scratch:
        images = {one.name: one.images("val") for one in find_sets(data)}
        folders = write_families(images, Path(scratch))
        if not folders:
            raise ConfigError(f"data folder {data} holds no validation image below SET/val/images")
        on = Examination(folders=folders, scenes=how.scenes, image_px=how.image_px)
        new = examine(candidate, on, role="candidate", report=report)
        return judge(new, examine(reference, on, role=against, report=report))


def production() -> Path:
    """The packaged file that boxes run."""
    return _WEIGHTS / read_facts(_WEIGHTS / f"{NAME}-{VERSION}.json").default


def shown(judgement: Judgement) -> str:
    """A judgement for reading: mAP, counts, verdict and reasons."""
    sides = {"candidate": judgement.candidate, "against": judgement.against}
    lines = [table({name: side.scores for name, side in sides.items()}), ""]
    if judgement.candidate.counts:
        lines.append("| scene | crossings | candidate missed / false / class | against |")
        lines.append("|---|---:|---:|---:|")
        rows = [(*side.counts, together(side.counts)) for side in sides.values()]
        for new, old in zip(*rows, strict=True):
            lines.append(f"| {new.scene} | {new.true} | {_cells(new)} | {_cells(old)} |")
        lines.append("")
    word = "passed" if judgement.passed else "rejected"
    lines.append(f"{word}: mAP50-95 {100 * judgement.gain:+.2f} points over all sets")
    lines += [f"  {reason}" for reason in judgement.reasons]
    return "\n".join(lines)


def _cells(row: SceneCount) -> str:
    return f"{row.missed} / {row.false} / {row.wrong_class}"


def _judged(score: SetScore, limits: Limits) -> list[str]:
    """Classes with enough boxes; of a set without any such class all of them speak together."""
    enough = [label for label, one in score.classes.items() if one.boxes >= limits.least_boxes]
    return enough or list(score.classes)


def _gain(candidate: Evidence, against: Evidence, limits: Limits) -> float:
    """Each set counts once, through the classes that are judged there."""
    gains = []
    for name, before in against.scores.items():
        labels = _judged(before, limits)
        after = candidate.scores[name].classes
        changes = [after[label].map50_95 - before.classes[label].map50_95 for label in labels]
        gains.append(sum(changes) / max(len(changes), 1))
    return sum(gains) / max(len(gains), 1)


def _forgotten(name: str, before: SetScore, after: SetScore, limits: Limits) -> list[str]:
    labels = _judged(before, limits)
    rows = [
        (f"{name}/{label}", before.classes[label].map50, after.classes[label].map50)
        for label in labels
        if before.classes[label].boxes >= limits.least_boxes
    ]
    if len(labels) > 1:
        # over the judged alone: in the mean of all, a class of three boxes would have its veto
        means = [sum(s.classes[label].map50 for label in labels) for s in (before, after)]
        rows.append((f"{name}/mean", means[0] / len(labels), means[1] / len(labels)))
    allowed = limits.loss_of(name)
    return [
        f"forgets {what}: mAP50 {100 * old:.1f} to {100 * new:.1f}, may lose {100 * allowed:g}"
        for what, old, new in rows
        if new < old - allowed
    ]


def _miscounted(after: SceneCount, before: SceneCount, limits: Limits) -> list[str]:
    reasons = []
    if after.faults > before.faults + limits.more_faults:
        reasons.append(
            f"counts worse: {after.missed} missed and {after.false} false of {after.true}, "
            f"before {before.missed} and {before.false}"
        )
    if after.wrong_class > before.wrong_class + limits.more_wrong_classes:
        reasons.append(
            f"classes worse: {after.wrong_class} of {after.true} crossings under a wrong class, "
            f"before {before.wrong_class}"
        )
    return reasons
