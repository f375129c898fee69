"""The last global weights of a run → a folder that a registry takes, with its judgement.

It is written whether it passed or not: somebody may want to know why. Nothing of a device is
in it but names, counts and what the ledger says anyway.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.release.candidate import METRICS_FILE, VERDICT_FILE, Lineage
from common.rounds import ClientVerdict, RoundOutcome, RunPlan
from models.candidate_verdict import Judgement, judge_files
from models.export import Release, export_onnx
from models.federated.network import with_vector
from models.federated.parameters import Layout
from models.federated.round_files import parent_file
from models.federated.trainers import Conclusion, RunEnd
from models.registry_entry import (
    code_version,
    data_statement,
    seal_entry,
    trained_on,
)
from models.training import save_checkpoint

F32 = NDArray[np.float32]
UNMEASURED = "nobody measured it: the plan names no evaluation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run whose last round is done.

    Attributes:
        model: ``ultralytics.YOLO`` with the parent's weights; it stays as it is.
        run_folder: Of the run.
        vector: The last global weights, shape (layout.size,).
    """

    plan: RunPlan
    run_folder: Path
    model: Any
    layout: Layout
    vector: F32
    end: RunEnd


def candidate_version(plan: RunPlan) -> str:
    """The parent's version with the run's name as build metadata (semver.org, item 10)."""
    return f"{plan.parent.version.partition('+')[0]}+{plan.run}"[:64]


def write_candidate(finished: Finished, folder: Path, *, now: datetime) -> Conclusion:
    """Write weights, metrics, verdict and lineage.

    Raises:
        ItsError: It cannot be written, scored or counted.
    """
    plan = finished.plan
    version = candidate_version(plan)
    stem = f"{plan.parent.name}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    model = with_vector(finished.model, finished.vector, finished.layout)
    checkpoint = save_checkpoint(model.model, folder / f"{stem}.pt", facts={"run": plan.run})
    release = Release(name=plan.parent.name, version=version)
    exported = export_onnx(model, folder / f"{stem}.onnx", release=release)
    judgement = _judged(finished, exported)
    reasons = judgement.reasons if judgement else (UNMEASURED,)
    metrics = {
        "rounds": [each.model_dump(mode="json") for each in finished.end.rounds],
        "judged": judgement.as_plain() if judgement else None,
    }
    _write(folder / METRICS_FILE, metrics)
    _write(folder / VERDICT_FILE, {"passed": not reasons, "reasons": list(reasons)})
    seal_entry(folder, _lineage(finished, version, passed=not reasons, now=now))
    return Conclusion(passed=not reasons, reasons=reasons, candidate=checkpoint)


def _judged(finished: Finished, exported: Path) -> Judgement | None:
    data = finished.plan.evaluation
    if data is None:
        return None
    parent = parent_file(finished.plan, finished.run_folder)
    return judge_files(exported, data=data, against=str(parent))


def _lineage(finished: Finished, version: str, *, passed: bool, now: datetime) -> Lineage:
    plan, rounds = finished.plan, finished.end.rounds
    return Lineage(
        name=plan.parent.name,
        model_version=version,
        created_at=now,
        parent_name=plan.parent.name,
        parent_version=plan.parent.version,
        parent_sha256=plan.parent.sha256,
        run=plan.run,
        rounds=len(rounds),
        clients=trained_on(plan, [_taken(each) for each in rounds]),
        data_statement=data_statement(plan),
        code_version=code_version(),
        ledger_head=finished.end.ledger_head,
        epsilon=rounds[-1].epsilon if rounds else None,
        passed=passed,
    )


def _taken(outcome: RoundOutcome) -> tuple[str, ...]:
    taken: Sequence[ClientVerdict] = (ClientVerdict.ACCEPTED, ClientVerdict.CAPPED)
    return tuple(client.device for client in outcome.clients if client.verdict in taken)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
