"""A container → the two HTTP applications: the API, and what boxes call to enrol."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from coordinator.api_document import describe
from coordinator.api_document import router as document_router
from coordinator.container import CoordinatorContainer
from coordinator.dashboard.problem_pages import add_problem_pages
from coordinator.dashboard.router import router as pages_router
from coordinator.dashboard.security_headers import SecurityHeaders
from coordinator.federation.router import router as rounds_router
from coordinator.fleet.enrolment_router import router as enrolment_router
from coordinator.fleet.router import router as fleet_router
from coordinator.health_router import router as health_router
from coordinator.problems import COMMON, add_problem_handlers
from coordinator.registry.releases_router import router as releases_router
from coordinator.registry.router import router as models_router
from coordinator.reports.router import router as reports_router
from coordinator.request_guard import RequestGuard
from coordinator.rollouts.router import router as rollouts_router
from coordinator.security.access import require_declared
from coordinator.security.alerts_router import router as alerts_router
from coordinator.security.audit_router import router as audit_router
from coordinator.security.session_router import router as session_router
from coordinator.security.users_router import router as users_router
from coordinator.traffic.router import router as traffic_router

API_PREFIX = "/api/v1"
_MOST_DEVICE_BODY_BYTES = 65_536
_TAGS = [
    {"name": "traffic", "description": "Counts and what follows from them, each with its quality"},
    {"name": "exports", "description": "The same numbers as files"},
    {"name": "data quality", "description": "Gaps, anomalies and how far numbers can be trusted"},
    {"name": "live", "description": "Bins as they are committed, as server-sent events"},
    {"name": "fleet", "description": "Boxes, their end, and what they shall run"},
    {"name": "rounds", "description": "Federated runs: planned, watched, judged"},
    {"name": "quarantine", "description": "What was received and not believed, and why"},
    {"name": "models", "description": "Versions of the model, their evidence and their stages"},
    {"name": "rollouts", "description": "A version on its way to the boxes, and where each ran"},
    {"name": "alerts", "description": "Traces of attacks, and who works on them"},
    {"name": "audit", "description": "Who did what, on a record that shows every edit"},
    {"name": "session", "description": "Signing in, and one's own account"},
    {"name": "users", "description": "Who may sign in, and with which roles"},
    {"name": "health", "description": "Whether this process does its work"},
]


def create_app(container: CoordinatorContainer) -> FastAPI:
    """Pages and API; each route says who may use it, or this raises ValueError."""
    hosts = container.settings().api.hosts
    app = FastAPI(
        title="ITS Camera AI coordinator",
        version=version("its-camera-ai"),
        summary="Traffic counts that were anonymised before they left the pole.",
        openapi_tags=_TAGS,
        responses=COMMON,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(RequestGuard, metrics=container.metrics(), hosts=hosts),
        ],
    )
    app.state.container = container
    add_problem_handlers(app)
    add_problem_pages(app)
    api = APIRouter(prefix=API_PREFIX)
    for router in (
        traffic_router,
        reports_router,
        fleet_router,
        rounds_router,
        alerts_router,
        audit_router,
        session_router,
        users_router,
        models_router,
        rollouts_router,
    ):
        api.include_router(router)
    app.include_router(api)
    app.include_router(health_router)
    app.include_router(document_router)
    app.include_router(pages_router)
    describe(app)
    require_declared(app)
    return app


def create_device_app(container: CoordinatorContainer) -> FastAPI:
    """Enrolment, renewal and the revocation list; nothing else is answered to the network."""
    app = FastAPI(
        title="ITS Camera AI enrolment",
        version=version("its-camera-ai"),
        responses=COMMON,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(
                RequestGuard,
                metrics=container.metrics(),
                hosts=None,
                most_body_bytes=_MOST_DEVICE_BODY_BYTES,
            ),
        ],
    )
    app.state.container = container
    add_problem_handlers(app)
    app.include_router(enrolment_router)
    app.include_router(releases_router)
    describe(app)
    require_declared(app)
    return app
