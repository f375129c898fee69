"""An application's routes → its OpenAPI document with permissions, and a page that shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import iter_route_contexts

from common.security import Permission, SecurityLevel
from coordinator.dashboard.rendering import render
from coordinator.problems import Problem, problems
from coordinator.security.access import Declared, declared_of, may

DOCUMENT_PATH = "/openapi.json"
PAGE_PATH = "/docs"

_SCHEME = "bearer"
_METHODS = ("get", "put", "post", "patch", "delete")

# What may be asked is told to whoever may ask anything at all.
router = APIRouter(include_in_schema=False, dependencies=[may(Permission.TRAFFIC_READ)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route as the page shows it."""

    method: str
    path: str
    summary: str
    description: str
    permission: str
    is_fresh: bool
    parameters: tuple[Mapping[str, Any], ...]


@router.get(DOCUMENT_PATH)
def show_document(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get(PAGE_PATH, response_class=HTMLResponse)
def show_page(request: Request) -> HTMLResponse:
    """Every route with what it asks for, without a script."""
    document = request.app.openapi()
    named = {tag["name"]: tag["description"] for tag in document.get("tags", ())}
    groups: dict[str, list[Operation]] = {name: [] for name in named}
    for tag, operation in _operations(document):
        groups.setdefault(tag, []).append(operation)
    shown = [(name, named.get(name, ""), found) for name, found in groups.items() if found]
    return render(request, "api.html", groups=shown, document=DOCUMENT_PATH)


def describe(app: FastAPI) -> None:
    """Let ``app.openapi()`` tell of problem bodies and of what each route asks for."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = Problem.model_json_schema()
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["securitySchemes"] = {
        _SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "description": "A person's access token, or a program's service token",
        }
    }
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                _tell(operation, declared_of(route))
    return document


def _tell(operation: dict[str, Any], declared: Declared) -> None:
    if declared.permission is None:
        operation["security"] = []
        return
    operation["security"] = [{_SCHEME: []}]
    operation["x-permission"] = declared.permission.value
    if declared.level is SecurityLevel.FRESH:
        operation["x-needs-fresh-code"] = True
    for status, told in problems(401, 403).items():
        operation["responses"].setdefault(str(status), told)


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, Operation]]:
    for path, methods in document["paths"].items():
        for method in _METHODS:
            found = methods.get(method)
            if found is None:
                continue
            yield (
                (found.get("tags") or ["other"])[0],
                Operation(
                    method=method.upper(),
                    path=path,
                    summary=found.get("summary", ""),
                    description=found.get("description", ""),
                    permission=found.get("x-permission", ""),
                    is_fresh=found.get("x-needs-fresh-code", False),
                    parameters=tuple(found.get("parameters", ())),
                ),
            )
