"""Rows, seeds and a laboratory → scores of each row, kept on disk so that a cut-off run goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError
from common.rounds import Anchoring, AnchorSettings, BatchNorm, Packing
from models.evaluation import DEPLOYED_PX, evaluate
from models.federated.laboratory import EVERYBODY, Bench, Method, Row, Trained, train_row
from models.federated.laboratory_data import LaboratoryData
from models.federated.network import with_vector
from models.scores import Precision

F32 = NDArray[np.float32]
Facts = dict[str, Any]
PROXIMAL = 0.01

ZERO_SHOT = Row(name="zero-shot", method=Method.ZERO_SHOT)
FEDAVG = Row(name="FedAvg", method=Method.FEDERATED)
METHODS: tuple[Row, ...] = (
    ZERO_SHOT,
    Row(name="local-only", method=Method.LOCAL_ONLY),
    Row(name="centralised", method=Method.CENTRALISED),
    FEDAVG,
    Row(name="FedProx", method=Method.FEDERATED, mu=PROXIMAL),
    Row(name="FedBN", method=Method.FEDERATED, batch_norm=BatchNorm.LOCAL),
    Row(name="FedAvg pseudo-labels", method=Method.FEDERATED, is_pseudo=True),
    Row(name="FedAvg int8", method=Method.FEDERATED, packing=Packing.INT8),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One seed of a comparison.

    Attributes:
        bench: Model, plan and its seed.
        data: Clients and scored pictures.
        folder: Where each row's scores are kept.
        unseen: Cameras that are left out in turn, and scored by what learned without them.
        elsewhere: Sets that are scored for forgetting.
        image_px: Longer side of the input when scoring.
        threads: Of torch.
    """

    bench: Bench
    data: LaboratoryData
    folder: Path
    unseen: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()
    image_px: int = DEPLOYED_PX
    threads: int = 0


def anchor_rows(server: Path, *, steps: int, rate: float) -> tuple[Row, ...]:
    """FedAvg under each way of not forgetting, for choosing one.

    Args:
        server: Folder above the server's labelled sets.
        steps: Of replay and distillation after each round.
        rate: Their learning rate.
    """

    def anchored(kind: Anchoring, keep: float = 0.5) -> AnchorSettings:
        return AnchorSettings(kind=kind, data=server, steps=steps, learning_rate=rate, keep=keep)

    def row(name: str, anchor: AnchorSettings, **local: float) -> Row:
        return Row(name=name, method=Method.FEDERATED, anchor=anchor, local=local)

    none = anchored(Anchoring.NONE)
    return (
        ZERO_SHOT,
        row("none", none),
        row("low rate", none, learning_rate=5e-5),
        row("unfrozen", none, frozen_layers=0),
        row("average 0.5", anchored(Anchoring.AVERAGE)),
        row("average 0.25", anchored(Anchoring.AVERAGE, 0.25)),
        row("replay", anchored(Anchoring.REPLAY)),
        row("distil", anchored(Anchoring.DISTIL)),
    )


def run_row(
    comparison: Comparison, row: Row, report: Callable[[str], None] = lambda _: None
) -> Facts:
    """Train and score one row, or read what an earlier run left.

    Args:
        comparison: What the rows share.
        row: Which one.
        report: Told how long it took.

    Returns:
        ``cameras``, ``unseen`` and ``elsewhere``: name → scores; pictures, bytes and seconds.

    Raises:
        ConfigError: The folder holds scores of other settings.
    """
    facts = _kept(comparison, row, "", lambda: _whole(comparison, row))
    report(f"{row.name}: {facts['seconds']:.0f} s")
    if row.method is Method.ZERO_SHOT:
        facts["unseen"] = {name: facts["cameras"][name] for name in comparison.unseen}
    if row.method in (Method.CENTRALISED, Method.FEDERATED):
        for camera in comparison.unseen:
            left_out = _kept(comparison, row, camera, partial(_without, comparison, row, camera))
            report(f"{row.name} without {camera}: {left_out['seconds']:.0f} s")
            facts["unseen"] |= left_out["unseen"]
    return facts


def _whole(comparison: Comparison, row: Row) -> Facts:
    trained = train_row(comparison.bench, row, comparison.data.clients)
    elsewhere = {name: comparison.data.elsewhere[name] for name in comparison.elsewhere}
    cameras = _own_scores(comparison, trained)
    far = [_score(comparison, vector, elsewhere) for vector in trained.everywhere.values()]
    facts: Facts = {
        "cameras": cameras,
        "unseen": {},
        "elsewhere": {name: _mean([one[name] for one in far]) for name in elsewhere},
        "images": trained.images,
        "sent_bytes": trained.sent_bytes,
    }
    if row.method is Method.LOCAL_ONLY:
        facts["unseen"] = {
            name: _by_others(comparison, trained, name) for name in comparison.unseen
        }
    return facts


def _own_scores(comparison: Comparison, trained: Trained) -> dict[str, Facts]:
    # cameras that count with the same weights are scored in one go
    groups: dict[int, list[str]] = {}
    for name, vector in trained.own.items():
        groups.setdefault(id(vector), []).append(name)
    scores: dict[str, Facts] = {}
    for names in groups.values():
        folders = {name: comparison.data.cameras[name] for name in names}
        scores |= _score(comparison, trained.own[names[0]], folders)
    return scores


def _without(comparison: Comparison, row: Row, camera: str) -> Facts:
    clients = [one for one in comparison.data.clients if one.name != camera]
    trained = train_row(comparison.bench, row, clients)
    folders = {camera: comparison.data.cameras[camera]}
    return {"unseen": _score(comparison, trained.everywhere[EVERYBODY], folders)}


def _by_others(comparison: Comparison, trained: Trained, camera: str) -> Facts:
    folders = {camera: comparison.data.cameras[camera]}
    others = [vector for name, vector in trained.everywhere.items() if name != camera]
    return _mean([_score(comparison, vector, folders)[camera] for vector in others])


def _score(comparison: Comparison, vector: F32, folders: Mapping[str, Path]) -> dict[str, Facts]:
    if not folders:
        return {}
    bench = comparison.bench
    scores = evaluate(
        with_vector(bench.model, vector, bench.layout),
        folders,
        image_px=comparison.image_px,
        threads=comparison.threads,
    )
    return {
        name: _plain(score.mean) | {"classes": {k: _plain(v) for k, v in score.classes.items()}}
        for name, score in scores.items()
    }


def _plain(precision: Precision) -> Facts:
    return {
        "map50": round(precision.map50, 5),
        "map50_95": round(precision.map50_95, 5),
        "boxes": precision.boxes,
    }


def _mean(scores: Sequence[Facts]) -> Facts:
    keys = ("map50", "map50_95")
    return {key: float(np.mean([one[key] for one in scores])) for key in keys}


def _kept(comparison: Comparison, row: Row, without: str, make: Callable[[], Facts]) -> Facts:
    stem = row.name.lower().replace(" ", "-") + (f".without-{without}" if without else "")
    path = comparison.folder / f"{stem}.json"
    settings = _settings(comparison, row)
    if path.exists():
        kept: Facts = json.loads(path.read_text(encoding="utf-8"))
        if kept["settings"] != settings:
            raise ConfigError(
                f"{path} was made with other settings, expected {settings}",
                hint="name another folder with --out, or delete this one",
            )
        return kept
    began_s = time.monotonic()
    facts = make() | {"settings": settings}
    facts["seconds"] = round(time.monotonic() - began_s, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".part")
    beside.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    beside.replace(path)
    return facts


def _settings(comparison: Comparison, row: Row) -> Facts:
    plan = comparison.bench.plan
    anchor = row.anchor or plan.anchor
    folders = comparison.data.cameras | {
        name: comparison.data.elsewhere[name] for name in comparison.elsewhere
    }
    # zero-shot depends on nothing that is trained
    always = {
        "parent": plan.parent.sha256,
        "image_px": comparison.image_px,
        "scored": {name: len(list((f / "images").iterdir())) for name, f in folders.items()},
    }
    if row.method is Method.ZERO_SHOT:
        return always
    if row.method is Method.LOCAL_ONLY:
        always["unseen"] = list(comparison.unseen)
    return always | {
        "clients": {one.name: len(one.labelled) for one in comparison.data.clients},
        "rounds": plan.rounds,
        "seed": plan.seed,
        "local": plan.local.model_dump(mode="json") | dict(row.local),
        "anchor": anchor.model_dump(mode="json", exclude={"data"}),
        "mu": row.mu,
        "batch_norm": row.batch_norm,
        "packing": row.packing,
    }
