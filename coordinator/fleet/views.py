"""What the API and the command line show of boxes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from common.orders import DesiredCamera, DesiredRelease
from coordinator.fleet.states import DeviceState
from coordinator.fleet.tables import DeviceRow, TwinRow

_EXAMPLE: dict[str, Any] = {
    "id": "main-7kq2xa",
    "site": "main",
    "state": "enrolled",
    "enrolled_at": "2026-03-01T06:00:00Z",
    "ended_at": None,
    "ended_why": "",
    "replaced_by": None,
    "last_seen_at": "2026-03-08T12:00:00Z",
    "certificate_expires_at": "2026-03-12T06:00:00Z",
}


class DeviceView(BaseModel):
    """A box."""

    model_config = ConfigDict(json_schema_extra={"example": _EXAMPLE})

    id: str
    site: str
    state: DeviceState
    enrolled_at: datetime
    ended_at: datetime | None
    ended_why: str
    replaced_by: str | None
    last_seen_at: datetime | None
    certificate_expires_at: datetime | None

    @classmethod
    def of(
        cls, row: DeviceRow, *, site: str, certificate_expires_at: datetime | None
    ) -> DeviceView:
        """A row as it is shown."""
        return cls(
            id=row.id,
            site=site,
            state=DeviceState(row.state),
            enrolled_at=row.enrolled_at,
            ended_at=row.ended_at,
            ended_why=row.ended_why,
            replaced_by=row.replaced_by,
            last_seen_at=row.last_seen_at,
            certificate_expires_at=certificate_expires_at,
        )


class CertificateView(BaseModel):
    """A certificate that was issued to a box."""

    serial: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class DeviceDetailView(DeviceView):
    """A box with its keys, certificates and last health report."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {**_EXAMPLE, "key_ids": [], "certificates": [], "health": None}
        }
    )

    key_ids: list[str]
    certificates: list[CertificateView]
    health: dict[str, Any] | None


class Retirement(BaseModel):
    """Why a box is taken out of service."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"reason": "stolen from the pole"}}
    )

    reason: Annotated[
        str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
    ]


class TwinView(BaseModel):
    """What a box shall run, and what it says that it runs.

    ``reported_state`` is none, applied, refused or rolled_back.
    """

    device: str
    desired_version: int
    desired_at: datetime | None
    cameras: list[DesiredCamera]
    release: DesiredRelease | None
    reported_version: int
    reported_state: str
    reported_at: datetime | None

    @classmethod
    def of(cls, device: str, row: TwinRow | None) -> TwinView:
        """A row as it is shown; a box that was never told anything has none."""
        row = row or TwinRow(device_id=device, tenant_id="")
        return cls(
            device=device,
            desired_version=row.desired_version,
            desired_at=row.desired_at,
            cameras=[DesiredCamera.model_validate(c) for c in row.desired.get("cameras", ())],
            release=row.desired.get("release"),
            reported_version=row.reported_version,
            reported_state=row.reported_state,
            reported_at=row.reported_at,
        )


class TwinWish(BaseModel):
    """What a box shall run from now on; ``if_version`` refuses to overwrite a newer wish."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {"cameras": [{"camera": "north", "mode": "statistics"}], "if_version": 3}
        },
    )

    cameras: Annotated[tuple[DesiredCamera, ...], Field(max_length=16)]
    if_version: Annotated[int, Field(ge=0, le=2**31)] | None = None
