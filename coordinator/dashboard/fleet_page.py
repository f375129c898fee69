"""What technicians ask about boxes → the list of all, and everything about one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse

from common.ids import SLUG_PATTERN
from common.security import Permission
from coordinator.dashboard.box_facts import BoxFacts, facts_of
from coordinator.dashboard.box_layouts import compare_layouts
from coordinator.dashboard.release_words import release_reason
from coordinator.dashboard.rendering import render, wants_part
from coordinator.dependencies import ClockDep, ContainerDep, FleetDep, TwinsDep
from coordinator.fleet.overview import BoxOverview, read_health
from coordinator.fleet.states import DeviceState
from coordinator.fleet.views import DeviceDetailView
from coordinator.security.access import may
from coordinator.traffic.providers import OverviewDep

router = APIRouter(include_in_schema=False)

PER_PAGE = 50
_LONGEST_SEARCH = 80
_DONE = {
    "retired": "The box is retired: its certificates and keys are revoked, and what it sends "
    "is refused.",
}

DevicePath = Annotated[str, Path(pattern=SLUG_PATTERN)]


class Shown(StrEnum):
    """Which boxes are listed."""

    ALL = "all"
    ATTENTION = "attention"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What facts of boxes are held against."""

    now: datetime
    certificate_life: timedelta

    def facts(self, box: BoxOverview) -> BoxFacts:
        """The words of one box."""
        return facts_of(box, now=self.now, certificate_life=self.certificate_life)


def judging(container: ContainerDep, clock: ClockDep) -> Judging:
    """The time, and how long certificates of boxes are good."""
    life = timedelta(hours=container.settings().trust.device_hours)
    return Judging(now=clock.now(), certificate_life=life)


JudgingDep = Annotated[Judging, Depends(judging)]


def all_boxes(fleet: FleetDep, judging: JudgingDep) -> Sequence[BoxFacts]:
    """Every box, ended ones included."""
    return [judging.facts(box) for box in fleet.overview()]


BoxesDep = Annotated[Sequence[BoxFacts], Depends(all_boxes)]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneBox:
    """Everything about one box."""

    detail: DeviceDetailView
    facts: BoxFacts


def one_box(device: DevicePath, fleet: FleetDep, twins: TwinsDep, judging: JudgingDep) -> OneBox:
    """The box of the address."""
    detail = fleet.show(device)
    box = BoxOverview(device=detail, health=read_health(detail.health), twin=twins.show(device))
    return OneBox(detail=detail, facts=judging.facts(box))


OneBoxDep = Annotated[OneBox, Depends(one_box)]


@router.get("/fleet", response_class=HTMLResponse, dependencies=[may(Permission.FLEET_READ)])
def show_fleet(
    request: Request,
    boxes: BoxesDep,
    q: Annotated[str, Query(max_length=_LONGEST_SEARCH)] = "",
    show: Shown = Shown.ALL,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> HTMLResponse:
    """Every box with how it does; to htmx only the list."""
    enrolled = [one for one in boxes if one.box.device.state is DeviceState.ENROLLED]
    ended = [one for one in boxes if one.box.device.state is not DeviceState.ENROLLED]
    troubled = [one for one in enrolled if one.concerns]
    chosen = {Shown.ALL: enrolled, Shown.ATTENTION: troubled, Shown.ENDED: ended}[show]
    found = [one for one in chosen if _matches(one, q)]
    return render(
        request,
        "fleet/_list.html" if wants_part(request) else "fleet.html",
        boxes=found[(page - 1) * PER_PAGE : page * PER_PAGE],
        found=len(found),
        page=page,
        pages=-(-len(found) // PER_PAGE),
        per_page=PER_PAGE,
        q=q,
        show=show,
        numbers={Shown.ALL: len(enrolled), Shown.ATTENTION: len(troubled), Shown.ENDED: len(ended)},
        online=sum(1 for one in enrolled if one.presence.tone == "good"),
        waiting=sum(1 for one in enrolled if one.configuration.tone == "info"),
        cameras=sum(len(one.cameras) for one in enrolled),
        running=sum(one.running for one in enrolled),
    )


@router.get(
    "/fleet/{device}", response_class=HTMLResponse, dependencies=[may(Permission.FLEET_READ)]
)
def show_box(request: Request, box: OneBoxDep, overview: OverviewDep) -> HTMLResponse:
    """One box; to htmx only what changes."""
    return render(
        request,
        "fleet/_box.html" if wants_part(request) else "fleet/box.html",
        detail=box.detail,
        facts=box.facts,
        layouts=compare_layouts(box.facts.box, overview.layouts(box.detail.site)),
        release_reason=release_reason,
        notice=_DONE.get(request.query_params.get("done", ""), ""),
    )


def _matches(facts: BoxFacts, text: str) -> bool:
    device = facts.box.device
    return text.strip().lower() in f"{device.id} {device.site}"
