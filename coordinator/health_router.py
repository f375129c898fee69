"""Questions of supervisors → whether this process lives, works, and its figures."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response, status
from pydantic import BaseModel

from common.errors import UnreachableError
from coordinator.dependencies import ContainerDep

router = APIRouter(tags=["health"])


class HealthView(BaseModel):
    """Parts of this process: ``ok``, or what is wrong."""

    status: Literal["ok", "failing"]
    parts: dict[str, str]


@router.get("/health/live")
def live() -> HealthView:
    """Whether the process answers at all."""
    return HealthView(status="ok", parts={})


@router.get("/health/ready", responses={503: {"model": HealthView}})
def ready(container: ContainerDep, response: Response) -> HealthView:
    """Whether database, broker, ingest and loops do their work."""
    parts = container.parts().conditions()
    try:
        container.database().check()
        parts["database"] = "ok"
    except UnreachableError as error:
        parts["database"] = str(error)
    if all(state == "ok" for state in parts.values()):
        return HealthView(status="ok", parts=parts)
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return HealthView(status="failing", parts=parts)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(container: ContainerDep) -> Response:
    """Figures for Prometheus."""
    return Response(
        container.metrics().text(), media_type="text/plain; version=0.0.4; charset=utf-8"
    )
