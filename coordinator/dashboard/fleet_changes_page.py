"""What technicians change about the fleet → new enrolment tokens, and the end of a box."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from common.errors import ConflictError, ItsError
from common.ids import SLUG_PATTERN, Slug
from common.security import Permission, SecurityLevel
from coordinator.dashboard.fleet_page import DevicePath, OneBoxDep
from coordinator.dashboard.form_fields import BLANK_IS_NONE, FormDep, mistakes_in
from coordinator.dashboard.rendering import render
from coordinator.dependencies import ClockDep, ContainerDep, FleetDep
from coordinator.fleet.fleet import Fleet
from coordinator.fleet.states import DeviceState
from coordinator.fleet.token_picture import token_picture
from coordinator.fleet.tokens import Tokens
from coordinator.fleet.views import Retirement
from coordinator.problems import status_of
from coordinator.security.access import may
from coordinator.traffic.periods import zone_of

router = APIRouter(include_in_schema=False)

_FRESH = [may(Permission.FLEET_MANAGE, level=SecurityLevel.FRESH)]
"""Letting a box in or ending one: whoever finds an open browser shall not do that."""

_MOST_TOKENS = 20
_DONE = {"revoked": "The token is revoked: nobody enrols with it any more."}
_MOST_HOURS = 24 * 90


_ShortText = Annotated[str, StringConstraints(max_length=128, pattern=r"^[^\x00-\x1f\x7f]*$")]


class TokenForm(BaseModel):
    """What the form about a new token says."""

    model_config = ConfigDict(frozen=True, str_strip_whitespace=True)

    site: Slug
    hours: Annotated[float, Field(ge=0.1, le=_MOST_HOURS)]
    replaces: Annotated[Slug | None, BLANK_IS_NONE] = None
    name: Annotated[_ShortText | None, BLANK_IS_NONE] = None
    timezone: Annotated[_ShortText | None, BLANK_IS_NONE] = None
    latitude: Annotated[Annotated[float, Field(ge=-90, le=90)] | None, BLANK_IS_NONE] = None
    longitude: Annotated[Annotated[float, Field(ge=-180, le=180)] | None, BLANK_IS_NONE] = None

    @property
    def details(self) -> dict[str, Any]:
        """What is said of the site."""
        told = self.model_dump(include={"name", "timezone", "latitude", "longitude"})
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenDesk:
    """What the page of tokens is made of."""

    tokens: Tokens
    fleet: Fleet
    usual_hours: float
    coordinator_url: str
    now: datetime

    def values(
        self, given: Mapping[str, str], mistakes: Mapping[str, str], *, notice: str = ""
    ) -> dict[str, Any]:
        """For the template: the form as it was filled in, and the newest tokens."""
        boxes = self.fleet.list(state=DeviceState.ENROLLED)
        return {
            "given": {"hours": f"{self.usual_hours:g}", **given},
            "mistakes": mistakes,
            "notice": notice,
            "sites": self.fleet.sites(),
            "boxes": boxes,
            "tokens": self.tokens.list()[:_MOST_TOKENS],
            "now": self.now,
        }


def token_desk(container: ContainerDep, fleet: FleetDep, clock: ClockDep) -> TokenDesk:
    """Tokens, and what is known of sites and boxes."""
    settings = container.settings()
    return TokenDesk(
        tokens=container.tokens(),
        fleet=fleet,
        usual_hours=settings.trust.token_hours,
        coordinator_url=settings.devices.url,
        now=clock.now(),
    )


DeskDep = Annotated[TokenDesk, Depends(token_desk)]


@router.get("/fleet/tokens", response_class=HTMLResponse, dependencies=_FRESH)
def show_tokens(
    request: Request,
    desk: DeskDep,
    replaces: Annotated[str | None, Query(pattern=SLUG_PATTERN)] = None,
    done: Annotated[str, Query(max_length=16)] = "",
) -> HTMLResponse:
    """The form for a new token, and what became of the last ones."""
    given = {"replaces": replaces} if replaces else {}
    site = next((b.site for b in desk.fleet.list() if b.id == replaces), None)
    return render(
        request,
        "fleet/tokens.html",
        **desk.values(given | ({"site": site} if site else {}), {}, notice=_DONE.get(done, "")),
    )


@router.post("/fleet/tokens", response_class=HTMLResponse, dependencies=_FRESH)
def create_token(request: Request, desk: DeskDep, form: FormDep) -> HTMLResponse:
    """Make a token and show it, this once."""
    given = form.single
    try:
        wish = TokenForm.model_validate(given)
        if wish.timezone is not None:
            zone_of(wish.timezone)
        made = desk.tokens.create(
            wish.site, hours=wish.hours, replaces=wish.replaces, details=wish.details
        )
    except ValidationError as error:
        values = desk.values(given, mistakes_in(error))
        return render(request, "fleet/tokens.html", 422, **values)
    except ItsError as error:
        values = desk.values(given, {"form": f"{error}"})
        return render(request, "fleet/tokens.html", status_of(error), **values)
    return render(
        request,
        "fleet/token.html",
        201,
        made=made,
        text=made.token.to_text(),
        picture=token_picture(made.token),
        url=desk.coordinator_url,
        replaces=wish.replaces,
    )


@router.post("/fleet/tokens/{token}/revocation", dependencies=_FRESH)
def revoke_token(
    request: Request, desk: DeskDep, token: Annotated[str, Path(pattern=r"^[0-9a-f]{12}$")]
) -> Response:
    """End a token that nobody used yet."""
    try:
        desk.tokens.revoke(token)
    except ItsError as error:
        values = desk.values({}, {"form": f"{error}"})
        return render(request, "fleet/tokens.html", status_of(error), **values)
    return RedirectResponse("/fleet/tokens?done=revoked", status_code=303)


@router.get("/fleet/{device}/retirement", response_class=HTMLResponse, dependencies=_FRESH)
def ask_retirement(request: Request, box: OneBoxDep) -> HTMLResponse:
    """What retiring a box means, and the form that asks for its name."""
    return render(request, "fleet/retirement.html", detail=box.detail, given={}, mistakes={})


@router.post("/fleet/{device}/retirement", dependencies=_FRESH)
def retire(
    request: Request, device: DevicePath, box: OneBoxDep, fleet: FleetDep, form: FormDep
) -> Response:
    """End a box whose name was typed."""
    given, mistakes = form.single, {}
    if given.get("name", "").strip() != device:
        mistakes["name"] = f"Type {device} to make sure that it is this box."
    try:
        reason = Retirement(reason=given.get("reason", "").strip()).reason
    except ValidationError:
        reason = ""
        mistakes["reason"] = "Say why, in at most 200 characters."
    if not mistakes:
        try:
            fleet.retire(device, reason=reason)
        except ConflictError as error:
            mistakes["form"] = f"{error}"
        else:
            return RedirectResponse(f"/fleet/{device}?done=retired", status_code=303)
    status = 409 if "form" in mistakes else 422
    values = {"detail": box.detail, "given": given, "mistakes": mistakes}
    return render(request, "fleet/retirement.html", status, **values)
