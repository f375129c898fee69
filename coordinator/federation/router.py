"""Questions and wishes about federated runs over HTTP → the manager's answers and events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path
from fastapi.sse import EventSourceResponse, ServerSentEvent

from common.errors import UnreachableError
from common.ids import SLUG_PATTERN
from common.rounds import RunPlan, RunState
from common.security import Permission
from coordinator.dependencies import ContainerDep
from coordinator.federation.manager import DistributedTrainingManager
from coordinator.federation.states import ENDED
from coordinator.federation.views import (
    RunDetailView,
    RunEventView,
    RunView,
    RunWish,
    Verification,
)
from coordinator.problems import problems
from coordinator.security.access import may
from coordinator.streams import for_a_while

router = APIRouter(prefix="/rounds", tags=["rounds"])

_READ = [may(Permission.ROUNDS_READ)]
_RUN = [may(Permission.ROUNDS_RUN)]

MOST_FOLLOWERS = 50
_LOOK_S = 1.0


def training_of(container: ContainerDep) -> DistributedTrainingManager:
    """Federated runs."""
    manager: DistributedTrainingManager = container.training()
    return manager


TrainingDep = Annotated[DistributedTrainingManager, Depends(training_of)]
RunPath = Annotated[
    str, Path(pattern=SLUG_PATTERN, description="Name of the run", examples=["night-2026-03"])
]


@router.get("", dependencies=_READ)
def list_runs(training: TrainingDep) -> list[RunView]:
    """Every run, the newest first."""
    return training.list()


@router.post("", dependencies=_RUN, status_code=201, responses=problems(403, 404, 409))
def launch_run(body: RunWish, training: TrainingDep) -> RunView:
    """Plan a run; it begins within seconds when no other is under way."""
    return training.launch(body)


@router.post("/plan", dependencies=_RUN, responses=problems(403, 404, 409))
def plan_run(body: RunWish, training: TrainingDep) -> RunPlan:
    """What would be launched; nothing is kept."""
    return training.plan(body)


@router.get("/{run}", dependencies=_READ, responses=problems(404))
def show_run(run: RunPath, training: TrainingDep) -> RunDetailView:
    """One run with its plan, and what became of every box in every finished round."""
    return training.show(run)


@router.post("/{run}/stop", dependencies=_RUN, status_code=202, responses=problems(404, 409))
def stop_run(run: RunPath, training: TrainingDep) -> RunView:
    """End a run within seconds; its finished rounds stay."""
    return training.stop(run)


@router.post("/{run}/resumption", dependencies=_RUN, status_code=202, responses=problems(404, 409))
def resume_run(run: RunPath, training: TrainingDep) -> RunView:
    """Go on with a run that failed or was stopped, at its last finished round."""
    return training.resume(run)


@router.get("/{run}/verification", dependencies=_READ, responses=problems(404))
def verify_run(run: RunPath, training: TrainingDep) -> Verification:
    """Whether ledger, weights and candidate still are what they were."""
    return training.verify(run)


class _Followers:
    """How many clients follow any run in this process."""

    def __init__(self) -> None:
        self.number = 0


_followers = _Followers()


async def followed_run(
    run: RunPath,
    training: TrainingDep,
    last_event_id: Annotated[
        str | None, Header(max_length=32, description="Number of the last event seen")
    ] = None,
) -> AsyncIterator[tuple[str, int]]:
    """Joins before the answer begins, so that a refusal is a proper problem answer."""
    await asyncio.to_thread(training.events, run, after=2**31 - 1)
    if _followers.number >= MOST_FOLLOWERS:
        raise UnreachableError(
            f"{_followers.number} clients follow runs, expected fewer", hint="ask again later"
        )
    _followers.number += 1
    try:
        yield run, _number(last_event_id)
    finally:
        _followers.number -= 1


@router.get(
    "/{run}/events",
    dependencies=_READ,
    response_class=EventSourceResponse,
    responses=problems(404, 503),
)
async def follow_run(
    followed: Annotated[tuple[str, int], Depends(followed_run)], training: TrainingDep
) -> AsyncIterator[ServerSentEvent]:
    """What happens in a run, from its first event on; the stream ends with the run.

    It also ends after five minutes. `Last-Event-ID` continues after that event, in whichever
    process answers.
    """
    run, after = followed
    async for event in for_a_while(_events(training, run, after=after)):
        yield ServerSentEvent(event=event.kind, id=str(event.number), data=event)


async def _events(
    training: DistributedTrainingManager, run: str, *, after: int
) -> AsyncIterator[RunEventView]:
    has_ended = False
    while True:
        events = await asyncio.to_thread(training.events, run, after=after)
        for event in events:
            after = event.number
            has_ended = _ends(event, has_ended=has_ended)
            yield event
        if not events:
            if has_ended or (await asyncio.to_thread(training.show, run)).state in ENDED:
                return
            await asyncio.sleep(_LOOK_S)


def _ends(event: RunEventView, *, has_ended: bool) -> bool:
    if event.kind != "state":
        return has_ended
    return RunState(event.detail["state"]) in ENDED


def _number(last_event_id: str | None) -> int:
    """A number of ours; anything odd starts from the first event."""
    text = last_event_id or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
