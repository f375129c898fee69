"""A container → the two HTTP applications: the API, and what boxes call to enrol."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware import Middleware

from coordinator.container import CoordinatorContainer
from coordinator.federation.router import router as rounds_router
from coordinator.fleet.enrolment_router import router as enrolment_router
from coordinator.fleet.router import router as fleet_router
from coordinator.health_router import router as health_router
from coordinator.problems import COMMON, Problem, add_problem_handlers
from coordinator.reports.router import router as reports_router
from coordinator.request_guard import RequestGuard
from coordinator.traffic.router import router as traffic_router

API_PREFIX = "/api/v1"
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_MOST_DEVICE_BODY_BYTES = 65_536
_TAGS = [
    {"name": "traffic", "description": "Counts and what follows from them, each with its quality"},
    {"name": "exports", "description": "The same numbers as files"},
    {"name": "data quality", "description": "Gaps, anomalies and how far numbers can be trusted"},
    {"name": "live", "description": "Bins as they are committed, as server-sent events"},
    {"name": "fleet", "description": "Boxes, their end, and what they shall run"},
    {"name": "rounds", "description": "Federated runs: planned, watched, judged"},
    {"name": "quarantine", "description": "What was received and not believed, and why"},
    {"name": "health", "description": "Whether this process does its work"},
]


def create_app(container: CoordinatorContainer) -> FastAPI:
    """The API, for this machine only until people can sign in."""
    hosts = {*_LOCAL_HOSTS, container.settings().api.host}
    app = FastAPI(
        title="ITS Camera AI coordinator",
        version=version("its-camera-ai"),
        summary="Traffic counts that were anonymised before they left the pole.",
        openapi_tags=_TAGS,
        responses=COMMON,
        middleware=[Middleware(RequestGuard, metrics=container.metrics(), hosts=hosts)],
    )
    app.state.container = container
    add_problem_handlers(app)
    api = APIRouter(prefix=API_PREFIX)
    for router in (traffic_router, reports_router, fleet_router, rounds_router):
        api.include_router(router)
    app.include_router(api)
    app.include_router(health_router)
    _describe_problems(app)
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
            Middleware(
                RequestGuard,
                metrics=container.metrics(),
                hosts=None,
                most_body_bytes=_MOST_DEVICE_BODY_BYTES,
            )
        ],
    )
    app.state.container = container
    add_problem_handlers(app)
    app.include_router(enrolment_router)
    _describe_problems(app)
    return app


def _describe_problems(app: FastAPI) -> None:
    """Put the problem body's schema into the document; answers refer to it by name."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                routes=app.routes,
                tags=app.openapi_tags,
            )
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = Problem.model_json_schema()
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
