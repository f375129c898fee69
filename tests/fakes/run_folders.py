"""A few words about a run → its folder, as a coordinator would write it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from common.rounds import LocalTraining, ParentModel, PlannedClient, RunPlan
from tests.fakes.flower_trainer import NAME, parent_vector


def make_run(folder: Path, clients: Mapping[str, int], **settings: Any) -> RunPlan:
    """Plan and parent of a run of the synthetic trainer.

    Args:
        folder: Becomes the run folder; its name is the run's.
        clients: Device → samples that the coordinator knows of.
        settings: Anything else of the plan.
    """
    folder.mkdir(parents=True)
    written = io.BytesIO()
    np.save(written, parent_vector(), allow_pickle=False)
    (folder / "parent.npy").write_bytes(written.getvalue())
    told: dict[str, Any] = {
        "local": LocalTraining(learning_rate=0.4, epochs=1),
        "rounds": 2,
        "quorum": len(clients),
        "deadline_s": 60.0,
    }
    plan = RunPlan(
        run=folder.name,
        created_at=datetime(2026, 5, 4, 12, tzinfo=UTC),
        parent=ParentModel(
            name=NAME,
            version="1.0.0",
            sha256=hashlib.sha256(written.getvalue()).hexdigest(),
            file=Path("parent.npy"),
        ),
        clients=tuple(PlannedClient(device=d, samples=n) for d, n in clients.items()),
        **(told | settings),
    )
    (folder / "plan.json").write_text(plan.model_dump_json())
    return plan
