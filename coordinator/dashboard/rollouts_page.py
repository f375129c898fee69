"""What ML engineers ask about rollouts → one as it goes, and the decisions that people take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field, ValidationError

from common.errors import ConflictError, NotFoundError
from common.ids import SLUG_PATTERN
from common.release.manifest import SEMANTIC_VERSION
from common.security import Permission
from common.settings_files import explain
from coordinator.dashboard.release_words import release_reason
from coordinator.dashboard.rendering import render, wants_part
from coordinator.rollouts.rollouts import Rollouts
from coordinator.rollouts.router import RolloutsDep
from coordinator.rollouts.states import UNDER_WAY, BoxState
from coordinator.rollouts.views import Ending, LimitsView, RolloutWish
from coordinator.security.access import ContextDep, may

router = APIRouter(include_in_schema=False)

BOXES = {
    BoxState.PENDING: ("Not told yet", "none"),
    BoxState.TOLD: ("Told", "info"),
    BoxState.CONFIRMED: ("Runs it", "good"),
    BoxState.FAILED: ("Failed", "bad"),
    BoxState.WITHDRAWN: ("Called back", "watch"),
}
_DONE = {
    "started": "The rollout is planned; its canaries are told within seconds.",
    "paused": "Nobody new is told. Boxes that were told go on.",
    "resumed": "The rollout goes on.",
    "halted": "The rollout ended where it is.",
    "rolled_back": "Every box that was told is sent back to what it ran before.",
}
_READ = [may(Permission.MODELS_READ)]
_RUN = [may(Permission.ROLLOUTS_RUN)]

RolloutPath = Annotated[str, Path(pattern=SLUG_PATTERN)]


class StartForm(BaseModel):
    """How a version shall go out."""

    version: Annotated[str, Field(pattern=SEMANTIC_VERSION)]
    canaries: Annotated[str, Field(max_length=6)] = ""
    watch_minutes: float = 15
    most_failed_percent: float = 10

    def wish(self) -> RolloutWish:
        """As the service takes it.

        Raises:
            ValidationError: Out of bounds.
        """
        limits = {
            "most_failed": self.most_failed_percent / 100,
            "watch_s": self.watch_minutes * 60,
        }
        return RolloutWish.model_validate(
            {
                "version": self.version,
                "canaries": self.canaries.strip() or None,
                "limits": LimitsView.model_validate(limits),
            }
        )


@dataclass(frozen=True, slots=True)
class Change:
    """Which rollout, and what shall become of it."""

    rollout: RolloutPath
    what: Annotated[str, Path(pattern="^(pause|resumption|halt|roll-back)$")]


class EndForm(BaseModel):
    """Why a rollout shall end."""

    reason: str = ""


@router.get("/rollouts/-/start", response_class=HTMLResponse, dependencies=_RUN)
def show_start(
    request: Request, version: Annotated[str, Query(pattern=SEMANTIC_VERSION)]
) -> HTMLResponse:
    """How carefully a version goes out."""
    return render(request, "rollouts/start.html", form=StartForm(version=version), error="")


@router.post("/rollouts/-/start", response_class=HTMLResponse, dependencies=_RUN)
def start_rollout(
    request: Request,
    form: Annotated[StartForm, Form()],
    rollouts: RolloutsDep,
    context: ContextDep,
) -> Response:
    """Plan it."""
    try:
        started = rollouts.start(form.wish(), by=context.name)
    except ValidationError as error:
        return render(request, "rollouts/start.html", 422, form=form, error=explain(error))
    except (ConflictError, NotFoundError) as error:
        said = f"{error}. {error.hint}" if error.hint else str(error)
        return render(request, "rollouts/start.html", 409, form=form, error=said)
    return _done(started.rollout, "started")


@router.get("/rollouts/{rollout}", response_class=HTMLResponse, dependencies=_READ)
def show_rollout(
    request: Request,
    rollout: RolloutPath,
    rollouts: RolloutsDep,
    done: Annotated[str, Query(max_length=16)] = "",
) -> HTMLResponse:
    """One rollout with every box; to htmx only what changes."""
    template = "rollouts/_progress.html" if wants_part(request) else "rollouts/rollout.html"
    page = _values(rollouts, rollout)
    return render(request, template, **page, notice=_DONE.get(done, ""))


@router.post("/rollouts/{rollout}/{what}", response_class=HTMLResponse, dependencies=_RUN)
def change_rollout(
    request: Request,
    change: Annotated[Change, Depends()],
    form: Annotated[EndForm, Form()],
    rollouts: RolloutsDep,
    context: ContextDep,
) -> Response:
    """Pause, go on, end it, or take it back; ending needs a reason."""
    rollout = change.rollout
    try:
        done = _change(rollouts, change, form.reason.strip(), by=context.name)
    except ValidationError:
        return _refused(request, rollouts, rollout, "it needs a reason of 1 to 200 characters")
    except ConflictError as error:
        return _refused(request, rollouts, rollout, str(error))
    return _done(rollout, done)


def _change(rollouts: Rollouts, change: Change, reason: str, *, by: str) -> str:
    rollout, what = change.rollout, change.what
    if what == "pause":
        rollouts.pause(rollout, by=by)
        return "paused"
    if what == "resumption":
        rollouts.resume(rollout, by=by)
        return "resumed"
    why = Ending(reason=reason).reason
    if what == "halt":
        rollouts.halt(rollout, by=by, reason=why)
        return "halted"
    rollouts.roll_back(rollout, by=by, reason=why)
    return "rolled_back"


def _values(rollouts: Rollouts, rollout: str) -> dict[str, Any]:
    found = rollouts.show(rollout)
    return {
        "rollout": found,
        "boxes": BOXES,
        "is_under_way": found.state in UNDER_WAY,
        "release_reason": release_reason,
    }


def _refused(request: Request, rollouts: Rollouts, rollout: str, why: str) -> HTMLResponse:
    told = {"notice": f"That is not possible: {why}.", "notice_tone": "watch"}
    return render(request, "rollouts/rollout.html", 409, **_values(rollouts, rollout), **told)


def _done(rollout: str, what: str) -> Response:
    return RedirectResponse(f"/rollouts/{rollout}?done={what}", status_code=303)
