"""A model file → its mAP on the labelled sets and its count errors on the proof set, kept.

Scores and counts are kept by what they rest on (model, images, our code): the model in use
is measured once, however many candidates are held against it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import ConfigError
from models.evaluation import DEPLOYED_PX, evaluate, open_for_evaluation
from models.proof_counts import SCENES, CountingBox, ProofScene, SceneCount, count_proof_set
from models.registry_entry import source_digest
from models.runtime import cache_folder
from models.scores import Scores, as_plain, from_plain

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was measured of one model.

    Attributes:
        scores: Set → precision.
        counts: One row per scene; empty where nothing was counted.
    """

    scores: Scores
    counts: tuple[SceneCount, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What a model is measured on.

    Attributes:
        folders: Set → folder with ``images`` and ``labels``.
        scenes: Proof scenes; none to leave the counts out.
        image_px: Longer side of the input of the scores.
        box: Who counts; the installed command unless given.
        memory: Where results are kept; the cache folder unless given.
    """

    folders: Mapping[str, Path]
    scenes: Sequence[ProofScene] = SCENES
    image_px: int = DEPLOYED_PX
    box: CountingBox | None = None
    memory: Path | None = None


def examine(
    model: Path, on: Examination, *, role: str = "model", report: Report = lambda _: None
) -> Evidence:
    """Measure one model, as a box runs it: a checkpoint is exported first.

    Args:
        model: A ``.pt`` or ``.onnx`` file.
        on: Images and scenes.
        role: What the model is called in messages.
        report: Receives one line per step.

    Raises:
        ConfigError: No such file, no detector of our classes, or a scene could not be counted.
    """
    if not model.is_file() or model.suffix not in (".pt", ".onnx"):
        raise ConfigError(
            f"{role} {model} is not there, expected a .pt or .onnx file",
            hint="name a file, or 'production' for the packaged model",
        )
    memory = on.memory or cache_folder() / "verdicts"
    memory.mkdir(parents=True, exist_ok=True)
    file = _deployed(model, memory)
    report(f"{role}: mAP on {len(on.folders)} sets")
    scores = _scores(file, on, memory)
    if on.scenes:
        report(f"{role}: counting {len(on.scenes)} proof scenes")
    return Evidence(
        scores=scores,
        counts=count_proof_set(file, memory=memory, scenes=on.scenes, box=on.box),
    )


def _deployed(model: Path, memory: Path) -> Path:
    if model.suffix == ".onnx":
        return model
    from models.detector import load_model
    from models.export import Release, export_onnx

    # kept: a second export of the same weights need not have the same bytes
    file = memory / f"exported-{_key(_sha256(model))}.onnx"
    if not file.exists():
        part = memory / f".{file.name}"
        export_onnx(load_model(model), part, release=Release(version="0.0.0"))
        part.replace(file)
    return file


def _scores(file: Path, on: Examination, memory: Path) -> Scores:
    key = _key(_sha256(file), images_digest(on.folders), str(on.image_px))
    kept = memory / f"scores-{key}.json"
    if kept.exists():
        return from_plain(json.loads(kept.read_text(encoding="utf-8")))
    scores = evaluate(open_for_evaluation(file), on.folders, image_px=on.image_px)
    part = kept.with_suffix(".part")
    part.write_text(json.dumps(as_plain(scores)), encoding="utf-8")
    part.replace(kept)
    return scores


def images_digest(folders: Mapping[str, Path]) -> str:
    """SHA-256 over names and contents of every picture and label file."""
    digest = hashlib.sha256()
    for name, folder in sorted(folders.items()):
        # the label cache that Ultralytics leaves behind is no part of it
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".cache"):
            digest.update(f"{name}/{path.relative_to(folder)}\n".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _key(*facts: str) -> str:
    return hashlib.sha256("\n".join((source_digest("models"), *facts)).encode()).hexdigest()[:32]
