"""Questions and wishes about rollouts over HTTP → their answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query

from common.ids import SLUG_PATTERN, Slug
from common.release.manifest import ModelVersion
from common.security import Permission
from coordinator.dependencies import ContainerDep
from coordinator.problems import problems
from coordinator.rollouts.rollouts import Rollouts
from coordinator.rollouts.views import (
    Ending,
    ModelRunView,
    RolloutDetailView,
    RolloutView,
    RolloutWish,
)
from coordinator.security.access import ContextDep, may

router = APIRouter(prefix="/rollouts", tags=["rollouts"])


def rollouts_of(container: ContainerDep) -> Rollouts:
    """Rollouts."""
    rollouts: Rollouts = container.rollouts()
    return rollouts


RolloutsDep = Annotated[Rollouts, Depends(rollouts_of)]
RolloutPath = Annotated[
    str, Path(pattern=SLUG_PATTERN, description="Id of the rollout", examples=["1-1-0-7f3a"])
]

_READS = [may(Permission.MODELS_READ)]
_RUNS = [may(Permission.ROLLOUTS_RUN)]
_REFUSED = problems(403, 404, 409)


@router.get("", dependencies=_READS)
def list_rollouts(rollouts: RolloutsDep) -> list[RolloutView]:
    """Every rollout, the newest first."""
    return rollouts.list()


@router.post("", status_code=201, responses=_REFUSED, dependencies=_RUNS)
def start_rollout(body: RolloutWish, rollouts: RolloutsDep, context: ContextDep) -> RolloutView:
    """Plan a rollout; its canaries are told within seconds."""
    return rollouts.start(body, by=context.name)


@router.get("/history", dependencies=_READS)
def model_history(
    rollouts: RolloutsDep,
    device: Annotated[Slug | None, Query(description="Only this box")] = None,
    version: Annotated[ModelVersion | None, Query(description="Only this version")] = None,
) -> Sequence[ModelRunView]:
    """Which model ran on which box, when and why, the newest first."""
    return rollouts.history(device=device, version=version)


@router.get("/{rollout}", responses=problems(404), dependencies=_READS)
def show_rollout(rollout: RolloutPath, rollouts: RolloutsDep) -> RolloutDetailView:
    """One rollout with every box and everything that happened."""
    return rollouts.show(rollout)


@router.post("/{rollout}/pause", status_code=202, responses=_REFUSED, dependencies=_RUNS)
def pause_rollout(rollout: RolloutPath, rollouts: RolloutsDep, context: ContextDep) -> RolloutView:
    """Tell nobody new; boxes that were told go on."""
    return rollouts.pause(rollout, by=context.name)


@router.post("/{rollout}/resumption", status_code=202, responses=_REFUSED, dependencies=_RUNS)
def resume_rollout(rollout: RolloutPath, rollouts: RolloutsDep, context: ContextDep) -> RolloutView:
    """Go on with a paused rollout."""
    return rollouts.resume(rollout, by=context.name)


@router.post("/{rollout}/halt", status_code=202, responses=_REFUSED, dependencies=_RUNS)
def halt_rollout(
    rollout: RolloutPath, body: Ending, rollouts: RolloutsDep, context: ContextDep
) -> RolloutView:
    """End it where it is; boxes that have not taken the version yet are called back."""
    return rollouts.halt(rollout, by=context.name, reason=body.reason)


@router.post("/{rollout}/roll-back", status_code=202, responses=_REFUSED, dependencies=_RUNS)
def roll_back_rollout(
    rollout: RolloutPath, body: Ending, rollouts: RolloutsDep, context: ContextDep
) -> RolloutView:
    """Send every box that was told back to what it ran before."""
    return rollouts.roll_back(rollout, by=context.name, reason=body.reason)
