"""What ML engineers ask about versions → where each came from and how far it may go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ValidationError

from common.errors import ConflictError
from common.release.manifest import SEMANTIC_VERSION
from common.security import Permission, SecurityLevel
from coordinator.dashboard.judged_scores import score_rows
from coordinator.dashboard.rendering import render
from coordinator.registry.registry import ModelRegistry
from coordinator.registry.router import RegistryDep
from coordinator.registry.stages import DeploymentStage
from coordinator.registry.views import Declining
from coordinator.rollouts.rollouts import Rollouts
from coordinator.rollouts.router import RolloutsDep
from coordinator.security.access import ContextDep, may

router = APIRouter(include_in_schema=False)

STAGES = {
    DeploymentStage.DEVELOPMENT: ("Development", "none"),
    DeploymentStage.STAGING: ("Staging", "info"),
    DeploymentStage.CANARY: ("Canary", "watch"),
    DeploymentStage.PRODUCTION: ("Production", "good"),
}
_MOST_RUNS = 20
_DONE = {
    "proposed": "The version was taken one stage further, or waits for a second person.",
    "approved": "The version is let into production. A rollout that waited for it goes on.",
    "declined": "The proposal is off the table.",
}
_READ = [may(Permission.MODELS_READ)]
_MANAGE = [may(Permission.MODELS_MANAGE)]
_APPROVE = [may(Permission.MODELS_APPROVE, level=SecurityLevel.FRESH)]

VersionPath = Annotated[str, Path(pattern=SEMANTIC_VERSION)]


class StageForm(BaseModel):
    """Where a version shall go."""

    stage: DeploymentStage


class ReasonForm(BaseModel):
    """Why."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the page of a version is made from, and for whom."""

    registry: ModelRegistry
    rollouts: Rollouts
    by: str

    def values(self, version: str) -> dict[str, Any]:
        """Everything about a version, for its template.

        Raises:
            NotFoundError: No such version.
        """
        model = self.registry.show(version)
        return {
            "model": model,
            "stages": STAGES,
            "scores": score_rows(model.judged),
            "runs": self.rollouts.history(version=version)[:_MOST_RUNS],
            "rollouts": [one for one in self.rollouts.list() if one.version == version],
            "is_own_proposal": model.proposed_by == self.by,
        }


def desk_of(registry: RegistryDep, rollouts: RolloutsDep, context: ContextDep) -> Desk:
    """For whoever asks."""
    return Desk(registry=registry, rollouts=rollouts, by=context.name)


DeskDep = Annotated[Desk, Depends(desk_of)]


@router.get("/models", response_class=HTMLResponse, dependencies=_READ)
def list_models(request: Request, registry: RegistryDep, rollouts: RolloutsDep) -> HTMLResponse:
    """Every version and every rollout, the newest first."""
    models = registry.list()
    return render(
        request,
        "models.html",
        models=models,
        current=next((model for model in models if model.is_current), None),
        waiting=[model for model in models if model.proposed_by is not None],
        rollouts=rollouts.list(),
        stages=STAGES,
    )


@router.get("/models/{version}", response_class=HTMLResponse, dependencies=_READ)
def show_model(
    request: Request,
    version: VersionPath,
    desk: DeskDep,
    done: Annotated[str, Query(max_length=16)] = "",
) -> HTMLResponse:
    """One version: lineage, evidence, gates, and where it ran."""
    page = desk.values(version)
    return render(request, "models/model.html", **page, notice=_DONE.get(done, ""))


@router.post("/models/{version}/proposals", response_class=HTMLResponse, dependencies=_MANAGE)
def propose_model(
    request: Request,
    version: VersionPath,
    form: Annotated[StageForm, Form()],
    desk: DeskDep,
) -> Response:
    """Take a version to its next stage; for production, ask a second person."""
    try:
        desk.registry.propose(version, form.stage, by=desk.by)
    except ConflictError as error:
        page = desk.values(version)
        return _refused(request, page, str(error))
    return _done(version, "proposed")


@router.post("/models/{version}/approval", response_class=HTMLResponse, dependencies=_APPROVE)
def approve_model(
    request: Request,
    version: VersionPath,
    desk: DeskDep,
) -> Response:
    """Let a proposed version into production, as somebody else than who proposed it."""
    try:
        desk.registry.approve(version, by=desk.by)
    except ConflictError as error:
        page = desk.values(version)
        return _refused(request, page, str(error))
    return _done(version, "approved")


@router.get("/models/{version}/approval", response_class=HTMLResponse, dependencies=_APPROVE)
def confirm_approval(version: VersionPath) -> Response:
    """Where somebody arrives who had to show the second factor again: back at the version."""
    return RedirectResponse(f"/models/{quote(version)}", status_code=303)


@router.post("/models/{version}/refusal", response_class=HTMLResponse,
             dependencies=[may(Permission.MODELS_APPROVE)])  # fmt: skip
def decline_model(
    request: Request,
    version: VersionPath,
    form: Annotated[ReasonForm, Form()],
    desk: DeskDep,
) -> Response:
    """Take a proposal for production off the table."""
    try:
        reason = Declining(reason=form.reason.strip()).reason
        desk.registry.decline(version, by=desk.by, reason=reason)
    except ValidationError:
        page = desk.values(version)
        return _refused(request, page, "a refusal says why, in 1 to 200 characters", status=422)
    except ConflictError as error:
        page = desk.values(version)
        return _refused(request, page, str(error))
    return _done(version, "declined")


def _refused(
    request: Request, page: dict[str, Any], why: str, *, status: int = 409
) -> HTMLResponse:
    told = {"notice": f"That is not possible: {why}.", "notice_tone": "watch"}
    return render(request, "models/model.html", status, **page, **told)


def _done(version: str, what: str) -> Response:
    return RedirectResponse(f"/models/{quote(version)}?done={what}", status_code=303)
