"""Questions of supervisors → whether this process lives, works, and its figures."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response, status
from pydantic import BaseModel

from common.errors import UnreachableError
from common.security import Permission
from coordinator.dependencies import ContainerDep
from coordinator.security.access import OptionalContextDep, may, public

router = APIRouter(tags=["health"])

# Service managers and load balancers have no account.
_SUPERVISORS = [public()]


class HealthView(BaseModel):
    """Parts of this process: ``ok``, or what is wrong."""

    status: Literal["ok", "failing"]
    parts: dict[str, str]


@router.get("/health/live", dependencies=_SUPERVISORS)
def live() -> HealthView:
    """Whether the process answers at all."""
    return HealthView(status="ok", parts={})


@router.get("/health/ready", dependencies=_SUPERVISORS, responses={503: {"model": HealthView}})
def ready(container: ContainerDep, response: Response, context: OptionalContextDep) -> HealthView:
    """Whether database, broker, ingest and loops do their work.

    Why a part fails is told to whoever may see the fleet: reasons name hosts and files.
    """
    parts = container.parts().conditions()
    try:
        container.database().check()
        parts["database"] = "ok"
    except UnreachableError as error:
        parts["database"] = str(error)
    if all(state == "ok" for state in parts.values()):
        return HealthView(status="ok", parts=parts)
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    if context is None or not context.may(Permission.FLEET_READ):
        parts = {name: state if state == "ok" else "failing" for name, state in parts.items()}
    return HealthView(status="failing", parts=parts)


@router.get(
    "/metrics",
    # From this machine too: behind a proxy everybody comes from this machine.
    dependencies=[may(Permission.METRICS_READ)],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(container: ContainerDep) -> Response:
    """Figures for Prometheus."""
    return Response(
        container.metrics().text(), media_type="text/plain; version=0.0.4; charset=utf-8"
    )
