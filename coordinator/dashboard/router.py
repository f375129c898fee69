"""Every page → one router, to be mounted at the root."""

from __future__ import annotations

from fastapi import APIRouter

from coordinator.dashboard.alerts_page import router as alerts_page
from coordinator.dashboard.audit_page import router as audit_page
from coordinator.dashboard.city_page import router as city_page
from coordinator.dashboard.fleet_changes_page import router as fleet_changes_page
from coordinator.dashboard.fleet_page import router as fleet_page
from coordinator.dashboard.models_page import router as models_page
from coordinator.dashboard.quality_page import router as quality_page
from coordinator.dashboard.rollouts_page import router as rollouts_page
from coordinator.dashboard.rounds_launch_page import router as rounds_launch_page
from coordinator.dashboard.rounds_page import router as rounds_page
from coordinator.dashboard.sections_page import router as sections_page
from coordinator.dashboard.site_page import router as site_page
from coordinator.dashboard.static_page import router as static_page
from coordinator.security.account_pages import router as account_pages
from coordinator.security.pages_router import router as sign_in_pages
from coordinator.security.people_pages import router as people_pages

router = APIRouter()
for page in (
    city_page,
    site_page,
    quality_page,
    fleet_changes_page,
    fleet_page,
    rounds_launch_page,
    rounds_page,
    sections_page,
    models_page,
    rollouts_page,
    alerts_page,
    audit_page,
    static_page,
    sign_in_pages,
    account_pages,
    people_pages,
):
    router.include_router(page)
