"""Questions and wishes about boxes over HTTP → the fleet's answers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from common.ids import SLUG_PATTERN
from common.security import Permission, SecurityLevel
from coordinator.dependencies import FleetDep, TwinsDep
from coordinator.fleet.states import DeviceState
from coordinator.fleet.views import (
    DeviceDetailView,
    DeviceView,
    Retirement,
    TwinView,
    TwinWish,
)
from coordinator.problems import problems
from coordinator.security.access import may

router = APIRouter(prefix="/devices", tags=["fleet"])

_READ = [may(Permission.FLEET_READ)]
_MANAGE = [may(Permission.FLEET_MANAGE)]

DevicePath = Annotated[
    str, Path(pattern=SLUG_PATTERN, description="Id of the box", examples=["main-7kq2xa"])
]


@router.get("", dependencies=_READ)
def list_devices(
    fleet: FleetDep,
    state: Annotated[DeviceState | None, Query(description="Only boxes in this state")] = None,
) -> list[DeviceView]:
    """Every box by id."""
    return fleet.list(state=state)


@router.get("/{device_id}", dependencies=_READ, responses=problems(404))
def show_device(device_id: DevicePath, fleet: FleetDep) -> DeviceDetailView:
    """One box with its keys, certificates and newest health report."""
    return fleet.show(device_id)


@router.post(
    "/{device_id}/retirement",
    # A box does not come back from it.
    dependencies=[may(Permission.FLEET_MANAGE, level=SecurityLevel.FRESH)],
    status_code=201,
    responses=problems(404, 409),
)
def retire_device(device_id: DevicePath, body: Retirement, fleet: FleetDep) -> DeviceView:
    """Revoke the box's certificates and keys; its reports are refused within seconds."""
    return fleet.retire(device_id, reason=body.reason)


@router.get("/{device_id}/twin", dependencies=_READ, responses=problems(404))
def show_twin(device_id: DevicePath, twins: TwinsDep) -> TwinView:
    """What the box shall run, and what it says that it runs."""
    return twins.show(device_id)


@router.put("/{device_id}/twin", dependencies=_MANAGE, responses=problems(404, 409))
def wish_twin(device_id: DevicePath, body: TwinWish, twins: TwinsDep) -> TwinView:
    """Tell the box what to run; it validates the wish and may refuse it or roll it back."""
    return twins.wish(device_id, body)
