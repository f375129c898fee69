"""The whole city now → a map and a list of its sites, kept up to date."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from common.security import Permission
from coordinator.dashboard.city_view import SHOWN_AS, City, Show, boxes_by_site, city_of
from coordinator.dashboard.rendering import render, wants_part
from coordinator.dependencies import ClockDep, FleetDep, SessionDep, TenantDep
from coordinator.security.access import may
from coordinator.traffic.periods import zone_of
from coordinator.traffic.providers import OverviewDep
from coordinator.traffic.pulse_answers import PulseAnswers

router = APIRouter(include_in_schema=False)

_LONGEST_SEARCH = 80


def pulse_answers(session: SessionDep, tenant: TenantDep, clock: ClockDep) -> PulseAnswers:
    """How the city moves now."""
    return PulseAnswers(session, tenant, now=clock.now())


PulseDep = Annotated[PulseAnswers, Depends(pulse_answers)]


def city_now(overview: OverviewDep, pulse: PulseDep, fleet: FleetDep, clock: ClockDep) -> City:
    """Every site with its traffic, its data and its boxes."""
    now = clock.now()
    sites = overview.sites()
    today = {site.site: now.astimezone(zone_of(site.timezone)).date() for site in sites}
    days = [
        day
        for date in sorted(set(today.values()))
        for day in overview.city_day(date).sites
        if today.get(day.site) == date
    ]
    return city_of(sites, days, pulse.city(), boxes_by_site(fleet.overview(), now))


CityDep = Annotated[City, Depends(city_now)]


@router.get("/", response_class=HTMLResponse, dependencies=[may(Permission.TRAFFIC_READ)])
def show_city(
    request: Request,
    city: CityDep,
    q: Annotated[str, Query(max_length=_LONGEST_SEARCH)] = "",
    show: Show = Show.ALL,
) -> HTMLResponse:
    """The page; to htmx only what changes."""
    template = "city/_now.html" if wants_part(request) else "city.html"
    return render(
        request,
        template,
        city=city,
        shown=city.shown(show, q),
        search=q,
        show=show,
        shows=[(one.value, text) for one, text in SHOWN_AS.items()],
    )
