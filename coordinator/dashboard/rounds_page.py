"""What ML engineers ask about federated runs → the list, one run as it goes, and its evidence."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from common.errors import ConflictError
from common.ids import SLUG_PATTERN
from common.rounds import RunState
from common.security import Permission
from coordinator.dashboard.launch_form import STRATEGIES
from coordinator.dashboard.rendering import render, wants_part
from coordinator.dashboard.run_facts import (
    STATES,
    VERDICTS,
    curves,
    event_words,
    reason_words,
    stages,
    totals,
)
from coordinator.dependencies import ContainerDep
from coordinator.federation.manager import DistributedTrainingManager
from coordinator.federation.states import AT_WORK, ENDED
from coordinator.federation.views import RunDetailView
from coordinator.registry.views import ModelView
from coordinator.security.access import may

router = APIRouter(include_in_schema=False)

PER_PAGE = 20
_MOST_TOLD = 15
_MOST_EVENTS = 50
_DONE = {
    "launched": "The run is planned. It begins within seconds when no other is under way.",
    "stopped": "The run is asked to stop; what its rounds yielded stays.",
    "resumed": "The run is planned again and goes on at its last finished round.",
}
_READ = [may(Permission.ROUNDS_READ)]
_RUN = [may(Permission.ROUNDS_RUN)]

RunPath = Annotated[str, Path(pattern=SLUG_PATTERN)]


def training_of(container: ContainerDep) -> DistributedTrainingManager:
    """Federated runs."""
    manager: DistributedTrainingManager = container.training()
    return manager


TrainingDep = Annotated[DistributedTrainingManager, Depends(training_of)]


@router.get("/rounds", response_class=HTMLResponse, dependencies=_READ)
def list_rounds(
    request: Request,
    training: TrainingDep,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> HTMLResponse:
    """Every run, the newest first."""
    runs = training.list()
    return render(
        request,
        "rounds.html",
        runs=runs[(page - 1) * PER_PAGE : page * PER_PAGE],
        total=len(runs),
        page=page,
        pages=-(-len(runs) // PER_PAGE),
        states=STATES,
        strategies=STRATEGIES,
        numbers={
            "under_way": sum(1 for one in runs if one.state in AT_WORK),
            "candidates": sum(1 for one in runs if one.state is RunState.CANDIDATE),
        },
        is_on=training.is_on,
    )


@router.get("/rounds/{run}", response_class=HTMLResponse, dependencies=_READ)
def show_round(
    request: Request, run: RunPath, training: TrainingDep, container: ContainerDep
) -> HTMLResponse:
    """One run; to htmx only what changes."""
    view = training.show(run)
    template = "rounds/_progress.html" if wants_part(request) else "rounds/run.html"
    done = _DONE.get(request.query_params.get("done", ""), "")
    values = _values(view, training)
    return render(request, template, notice=done, models=_models(container, run), **values)


@router.get("/rounds/{run}/curves.json", dependencies=_READ)
def show_curves(run: RunPath, training: TrainingDep) -> JSONResponse:
    """The numbers of the charts."""
    return JSONResponse(curves(training.show(run)))


@router.get("/rounds/{run}/verification", response_class=HTMLResponse, dependencies=_READ)
def verify_round(request: Request, run: RunPath, training: TrainingDep) -> HTMLResponse:
    """Whether ledger, weights and candidate still are what they were."""
    return render(request, "rounds/_verification.html", verification=training.verify(run))


@router.post("/rounds/{run}/stop", dependencies=_RUN)
def stop_round(request: Request, run: RunPath, training: TrainingDep) -> Response:
    """End a run."""
    return _changed(request, run, training, "stopped")


@router.post("/rounds/{run}/resumption", dependencies=_RUN)
def resume_round(request: Request, run: RunPath, training: TrainingDep) -> Response:
    """Go on with a run that failed or was stopped."""
    return _changed(request, run, training, "resumed")


def _changed(
    request: Request, run: str, training: DistributedTrainingManager, what: str
) -> Response:
    change = {"stopped": training.stop, "resumed": training.resume}[what]
    try:
        change(run)
    except ConflictError as error:
        # It went on while somebody looked: the page as it is now says how.
        container = request.app.state.container
        values = _values(training.show(run), training) | {"models": _models(container, run)}
        told = {"notice": f"That is not possible now: {error}.", "notice_tone": "watch"}
        return render(request, "rounds/run.html", 409, **told, **values)
    return RedirectResponse(f"/rounds/{run}?done={what}", status_code=303)


def _values(view: RunDetailView, training: DistributedTrainingManager) -> dict[str, Any]:
    events = _newest_events(training, view.run)
    passed = [event.detail.get("state", "") for event in events if event.kind == "state"]
    return {
        "run": view,
        "states": STATES,
        "strategies": STRATEGIES,
        "verdicts": VERDICTS,
        "stages": stages(view.state, [*passed, *_before(view)]),
        "events": [(event, event_words(event)) for event in reversed(events)][:_MOST_TOLD],
        "last_event": events[-1].number if events else 0,
        "is_ended": view.state in ENDED,
        "totals": totals(view),
        "scores": training.candidate_scores(view.run) if view.state in ENDED else None,
        "reason_words": reason_words,
    }


def _newest_events(training: DistributedTrainingManager, run: str) -> list[Any]:
    """The end of what happened; of a long run the beginning is left out."""
    newest: list[Any] = []
    after = 0
    while events := list(training.events(run, after=after)):
        states = [event for event in newest if event.kind == "state"]
        others = [event for event in newest if event.kind != "state"][-_MOST_EVENTS:]
        newest = sorted([*states, *others], key=lambda event: event.number) + events
        after = events[-1].number
    return newest


def _before(view: RunDetailView) -> list[str]:
    """States that a run must have passed to be where it is."""
    way = ["planned", "running", "screened", "evaluated"]
    if view.state in (RunState.CANDIDATE, RunState.REJECTED):
        return way
    return way[: way.index(view.state)] if view.state in way else []


def _models(container: ContainerDep, run: str) -> list[ModelView]:
    """Versions of the registry that came out of this run."""
    return [model for model in container.registry().list() if model.run == run]
