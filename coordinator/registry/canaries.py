"""A canary that held → evidence for the gate before production, in the rollout's transaction."""

from __future__ import annotations

from datetime import datetime

from coordinator.registry.stages import DeploymentStage
from coordinator.registry.store import Happened, ModelStore

ROLLOUTS = "rollouts"
"""The part of the coordinator that watches boxes, as events name it."""


def record_canary(
    store: ModelStore, version: str, *, rollout: str, boxes: int, now: datetime
) -> None:
    """Keep that so many boxes confirmed the version and that it held.

    Raises:
        NotFoundError: No such version.
    """
    row = store.version_to_change(version)
    row.canaries = max(row.canaries, boxes)
    told = Happened(
        kind="evidence",
        by=ROLLOUTS,
        text=f"the canary of rollout {rollout} held on {boxes} boxes",
        stage=DeploymentStage.PRODUCTION,
        detail={"rollout": rollout, "boxes": boxes},
    )
    store.tell(row, told, now=now)


def is_in_production(store: ModelStore, version: str) -> bool:
    """Whether somebody let the version into production."""
    row = store.find(version)
    return row is not None and row.stage == DeploymentStage.PRODUCTION.value
