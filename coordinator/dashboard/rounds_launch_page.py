"""What an ML engineer chooses → a plan to look at, and a launched run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from common.errors import ItsError
from common.rounds import RunPlan
from common.security import Permission
from coordinator.dashboard.form_fields import FormDep, FormFields
from coordinator.dashboard.launch_form import (
    ANCHORS,
    BATCH_NORMS,
    PACKINGS,
    STRATEGIES,
    USUAL,
    wish_of,
)
from coordinator.dashboard.rendering import render, wants_part
from coordinator.dashboard.rounds_page import TrainingDep
from coordinator.dependencies import ContainerDep
from coordinator.federation.manager import DistributedTrainingManager
from coordinator.federation.privacy_budget import epsilon
from coordinator.federation.views import RunWish
from coordinator.problems import status_of
from coordinator.security.access import may

router = APIRouter(include_in_schema=False)

_RUN = [may(Permission.ROUNDS_RUN)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchDesk:
    """What launching needs; ``anchor_data`` and ``parent`` as the configuration names them."""

    training: DistributedTrainingManager
    anchor_data: Path | None
    parent: str
    least_samples: int

    def values(self, given: FormFields, mistakes: dict[str, str]) -> dict[str, Any]:
        """For the template of the form."""
        return {
            "given": {**USUAL, **given.single},
            "chosen": set(given.all.get("devices", ())),
            "mistakes": mistakes,
            "trainees": self.training.trainees(),
            "parent": self.parent,
            "has_anchor": self.anchor_data is not None,
            "is_on": self.training.is_on,
            "least_samples": self.least_samples,
            "strategies": STRATEGIES,
            "packings": PACKINGS,
            "batch_norms": BATCH_NORMS,
            "anchors": ANCHORS,
        }


def launch_desk(container: ContainerDep, training: TrainingDep) -> LaunchDesk:
    """What the configuration says of rounds."""
    federation = container.settings().federation
    parent = federation.parent if federation else None
    return LaunchDesk(
        training=training,
        anchor_data=federation.anchor_data if federation else None,
        parent=f"{parent.name} {parent.version}" if parent else "",
        least_samples=federation.least_samples if federation else 0,
    )


DeskDep = Annotated[LaunchDesk, Depends(launch_desk)]


@router.get("/rounds/-/launch", response_class=HTMLResponse, dependencies=_RUN)
def ask_launch(request: Request, desk: DeskDep) -> HTMLResponse:
    """The form; ``-`` is no name that a run can have."""
    return render(request, "rounds/launch.html", **desk.values(FormFields({}), {}))


@router.post("/rounds/-/plan", response_class=HTMLResponse, dependencies=_RUN)
def preview_plan(request: Request, desk: DeskDep, form: FormDep) -> HTMLResponse:
    """What would be launched; nothing is kept."""
    wish, mistakes = wish_of(form, anchor_data=desk.anchor_data)
    plan = None
    if wish is not None:
        try:
            plan = desk.training.plan(wish)
        except ItsError as error:
            mistakes = {"form": f"{error}", "hint": error.hint}
    if not wants_part(request):
        # Without scripts the plan stands below the form.
        values = desk.values(form, mistakes) | {"plan": plan, "spent": _spent(plan)}
        return render(request, "rounds/launch.html", **values)
    return render(request, "rounds/_plan.html", plan=plan, mistakes=mistakes, spent=_spent(plan))


@router.post("/rounds/-/launch", response_class=HTMLResponse, dependencies=_RUN)
def launch(request: Request, desk: DeskDep, form: FormDep) -> Response:
    """Launch a run, or say why not."""
    wish, mistakes = wish_of(form, anchor_data=desk.anchor_data)
    status = 422
    if wish is not None:
        try:
            run = _launched(desk, wish)
        except ItsError as error:
            mistakes, status = {"form": f"{error}", "hint": error.hint}, status_of(error)
        else:
            return RedirectResponse(f"/rounds/{run}?done=launched", status_code=303)
    return render(request, "rounds/launch.html", status, **desk.values(form, mistakes))


def _launched(desk: LaunchDesk, wish: RunWish) -> str:
    return desk.training.launch(wish).run


def _spent(plan: RunPlan | None) -> float | None:
    """Privacy loss of a whole run, None where its updates carry no noise."""
    if plan is None or plan.privacy is None:
        return None
    privacy = plan.privacy
    return epsilon(
        noise_multiplier=privacy.noise_multiplier, rounds=plan.rounds, delta=privacy.delta
    )
