"""A camera of a site → the page on which its lines, areas and flows are drawn and sent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel, Field

from common.errors import ConflictError
from common.ids import SLUG_PATTERN
from common.security import Permission
from coordinator.dashboard import section_words as words
from coordinator.dashboard.rendering import render, wants_part
from coordinator.dashboard.section_drawing import DrawnCamera, SectionDrawings, WishStep
from coordinator.dashboard.section_rules import (
    MOST_DRAWING_CHARACTERS,
    Checked,
    Drawing,
    Mistake,
    check_drawing,
    read_drawing,
)
from coordinator.dependencies import ContainerDep, TenantDep
from coordinator.plates.service import Plates
from coordinator.security.access import may

router = APIRouter(
    prefix="/sites/{site}/cameras/{camera}",
    include_in_schema=False,
    dependencies=[may(Permission.SECTIONS_EDIT)],
)

SlugPath = Annotated[str, Path(pattern=SLUG_PATTERN)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One camera, and what its editor works with."""

    site: str
    camera: str
    drawings: SectionDrawings
    plates: Plates

    @property
    def base(self) -> str:
        """Where the pages of this camera begin."""
        return f"/sites/{self.site}/cameras/{self.camera}"

    def shown(self) -> DrawnCamera:
        """What is drawn, wished and in effect."""
        return self.drawings.show(self.site, self.camera)


def desk_of(
    site: SlugPath,
    camera: SlugPath,
    tenant: TenantDep,
    container: ContainerDep,
) -> Desk:
    """The desk of the camera that the address names."""
    drawings = SectionDrawings(container.database(), tenant, container.twins())
    return Desk(site=site, camera=camera, drawings=drawings, plates=container.plates())


DeskDep = Annotated[Desk, Depends(desk_of)]


class SentDrawing(BaseModel):
    """The form of the editor.

    Attributes:
        layout: The drawing as JSON.
        if_version: The wish that was the newest when the page was opened.
    """

    layout: Annotated[str, Field(max_length=MOST_DRAWING_CHARACTERS)]
    if_version: Annotated[int, Field(ge=0, le=2**31)]


@router.get("/sections", response_class=HTMLResponse)
def show_sections(request: Request, desk: DeskDep) -> HTMLResponse:
    """The editor, with what is drawn now."""
    shown = desk.shown()
    of_box = request.query_params.get("from") == "box"
    return _page(request, desk, shown, content=shown.content(of_box=of_box))


@router.post("/sections", response_class=HTMLResponse)
def send_sections(
    request: Request, desk: DeskDep, sent: Annotated[SentDrawing, Form()]
) -> Response:
    """Send a drawing to the box, when it holds."""
    shown = desk.shown()
    content, checked = _checked(sent.layout, shown)
    if not checked.mistakes:
        try:
            desk.drawings.wish(shown, checked, if_version=sent.if_version)
        except ConflictError as error:
            checked = Checked(mistakes=(Mistake(where="drawing", text=str(error)),))
        else:
            return RedirectResponse(f"{desk.base}/sections#wish", status_code=303)
    return _page(request, desk, shown, content=content, mistakes=checked.mistakes)


@router.post("/sections/check")
def check_sections(desk: DeskDep, drawing: Drawing) -> JSONResponse:
    """Whether the box would take a drawing, while it is drawn."""
    checked = check_drawing(drawing, desk.shown().frame)
    return JSONResponse({"mistakes": [asdict(each) for each in checked.mistakes]})


@router.get("/sections/state", response_class=HTMLResponse)
def show_state(request: Request, desk: DeskDep) -> HTMLResponse:
    """How the box took the last wish."""
    return render(request, "sections/_state.html", **_of_wish(desk, desk.shown()))


@router.get("/plate")
def show_plate(
    desk: DeskDep, _number: Annotated[int, Query(alias="number", ge=0, le=2**31)] = 0
) -> Response:
    """The newest picture of the empty road; a number gives each picture an address of its own."""
    return Response(
        desk.plates.picture(desk.site, desk.camera),
        media_type="image/webp",
        headers={
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": "inline; filename=plate.webp",
            "Cache-Control": "private, no-store",
        },
    )


@router.get("/plate/state", response_class=HTMLResponse)
def show_plate_state(request: Request, desk: DeskDep) -> HTMLResponse:
    """How the last wish for a picture stands."""
    return render(request, "sections/_plate.html", **_of_plate(desk, desk.shown()))


@router.post("/plate", response_class=HTMLResponse)
def wish_plate(
    request: Request,
    desk: DeskDep,
    action: Annotated[Literal["wish", "forget"], Form()] = "wish",
) -> Response:
    """Ask the box for a new picture, or delete the one that is kept."""
    if action == "forget":
        desk.plates.forget(desk.site, desk.camera)
    else:
        desk.plates.wish(desk.site, desk.camera)
    if not wants_part(request):
        return RedirectResponse(f"{desk.base}/sections", status_code=303)
    return render(request, "sections/_plate.html", **_of_plate(desk, desk.shown()))


def _page(
    request: Request,
    desk: Desk,
    shown: DrawnCamera,
    *,
    content: dict[str, Any],
    mistakes: tuple[Mistake, ...] = (),
) -> HTMLResponse:
    return render(
        request,
        "sections.html",
        status=422 if mistakes else 200,
        content=content,
        box_content=shown.content(of_box=True),
        mistakes=mistakes,
        line_uses=words.LINE_USES,
        area_uses=words.AREA_USES,
        movements=words.MOVEMENTS,
        **(_of_wish(desk, shown) | _of_plate(desk, shown)),
    )


def _of_wish(desk: Desk, shown: DrawnCamera) -> dict[str, Any]:
    tone, badge, sentence = words.WISHES[shown.state.step]
    reason = shown.state.reason
    return {
        "shown": shown,
        "base": desk.base,
        "zone": shown.site.timezone,
        "wish_tone": tone,
        "wish_badge": badge,
        "wish_sentence": sentence,
        "wish_reason": words.REASONS.get(reason, reason),
        "is_waiting": shown.state.step is WishStep.SENT,
    }


def _of_plate(desk: Desk, shown: DrawnCamera) -> dict[str, Any]:
    plate = desk.plates.show(desk.site, desk.camera)
    tone, sentence = words.OUTCOMES[plate.outcome] if plate.outcome else ("none", "")
    return {
        "base": desk.base,
        "zone": shown.site.timezone,
        "has_box": shown.device is not None,
        "plate": plate,
        "plate_tone": tone,
        "plate_sentence": sentence,
    }


def _checked(layout: str, shown: DrawnCamera) -> tuple[dict[str, Any], Checked]:
    """What a form sent, as the page holds it, and what is wrong with it."""
    drawing = read_drawing(layout)
    if isinstance(drawing, Mistake):
        return shown.content(), Checked(mistakes=(drawing,))
    return drawing.model_dump(mode="json"), check_drawing(drawing, shown.frame)
