"""Lines, areas and flows as somebody drew them → what a box may be told, or every mistake.

The rules are the box's own: the same models read its site file. Each mistake names the key, the
value and what was expected, and the thing it is about, so that the drawing can point at it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.messages import FlowLayout, SectionLayout
from common.settings_files import explain
from common.site import Camera, Flow, Movement, Section, Use
from common.wire import MOST_SECTIONS

MOST_FLOWS = 256
MOST_DRAWING_CHARACTERS = 400_000
"""Of the drawing as JSON: 64 areas of 64 corners and 256 flows are a third of it."""

Words = Annotated[str, Field(max_length=200)]
Xy = tuple[float, float]


class _Drawn(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DrawnSection(_Drawn):
    """A line or area as the page sends it; nothing but its shape is certain."""

    name: Words
    use: Words
    is_area: bool
    points_px: Annotated[tuple[Xy, ...], Field(max_length=64)]


class DrawnFlow(_Drawn):
    """A flow as the page sends it."""

    name: Words
    start: Words
    end: Words
    movement: Words


class Drawing(_Drawn):
    """Everything that is drawn for one camera."""

    sections: Annotated[tuple[DrawnSection, ...], Field(max_length=MOST_SECTIONS)] = ()
    flows: Annotated[tuple[DrawnFlow, ...], Field(max_length=MOST_FLOWS)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """What keeps a box from counting with a drawing.

    Attributes:
        where: ``sections.2``, ``flows.0``, or ``drawing`` for all of it.
        text: Key, value and expectation.
    """

    where: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A drawing that was looked at; without mistakes it can be sent."""

    sections: tuple[SectionLayout, ...] = ()
    flows: tuple[FlowLayout, ...] = ()
    mistakes: tuple[Mistake, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What the drawing's pixels refer to."""

    camera: str
    size: tuple[int, int]


def read_drawing(text: str) -> Drawing | Mistake:
    """The drawing that a form field holds."""
    try:
        return Drawing.model_validate_json(text)
    except ValidationError as error:
        return Mistake(where="drawing", text=explain(error)[:500])


def check_drawing(drawing: Drawing, frame: Frame) -> Checked:
    """Judge a drawing as the box would."""
    mistakes = [*_alone(drawing, frame), *_missing(drawing)]
    mistakes = mistakes or list(_together(drawing, frame))
    if mistakes:
        return Checked(mistakes=tuple(mistakes))
    return Checked(
        sections=tuple(
            SectionLayout(
                name=each.name,
                use=Use(each.use),
                points_px=each.points_px,
                is_area=each.is_area,
            )
            for each in drawing.sections
        ),
        flows=tuple(
            FlowLayout(
                name=each.name, start=each.start, end=each.end, movement=Movement(each.movement)
            )
            for each in drawing.flows
        ),
    )


def _missing(drawing: Drawing) -> Iterator[Mistake]:
    if not drawing.sections:
        yield Mistake(
            where="drawing", text="sections is empty, expected at least one line or area to count"
        )


def _alone(drawing: Drawing, frame: Frame) -> Iterator[Mistake]:
    """Mistakes of each section and flow by itself."""
    for number, section in enumerate(drawing.sections):
        content = _section(section)
        fault = _fault(partial(Section.model_validate, content))
        fault = fault or _fault(partial(_camera, frame, [content]))
        if fault:
            yield Mistake(where=f"sections.{number}", text=fault)
    for number, flow in enumerate(drawing.flows):
        fault = _fault(partial(Flow.model_validate, _flow(flow)))
        if fault:
            yield Mistake(where=f"flows.{number}", text=fault)


def _together(drawing: Drawing, frame: Frame) -> Iterator[Mistake]:
    """Names that are given twice, and flows between what is not drawn."""
    sections = [_section(each) for each in drawing.sections]
    fault = _fault(partial(_camera, frame, sections))
    if fault:
        yield Mistake(where=f"sections.{_repeated(drawing.sections)}", text=fault)
        return
    for number, flow in enumerate(drawing.flows):
        fault = _fault(partial(_camera, frame, sections, [_flow(flow)]))
        if fault:
            yield Mistake(where=f"flows.{number}", text=fault)
    flows = [_flow(each) for each in drawing.flows]
    fault = _fault(partial(_camera, frame, sections, flows))
    if fault and _repeated(drawing.flows):
        yield Mistake(where=f"flows.{_repeated(drawing.flows)}", text=fault)


def _repeated(named: tuple[DrawnSection, ...] | tuple[DrawnFlow, ...]) -> int:
    """Position of the first whose name was given before; 0 where there is none."""
    names = [each.name for each in named]
    return next((i for i, name in enumerate(names) if name in names[:i]), 0)


def _fault(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except ValidationError as error:
        return explain(error)
    return ""


def _camera(
    frame: Frame, sections: list[dict[str, Any]], flows: list[dict[str, Any]] | None = None
) -> Camera:
    content: Mapping[str, Any] = {
        "id": frame.camera,
        "frame_size": frame.size,
        "sections": sections,
        "flows": flows or [],
    }
    return Camera.model_validate(content)


def _section(drawn: DrawnSection) -> dict[str, Any]:
    shape = "polygon" if drawn.is_area else "line"
    return {"name": drawn.name, "use": drawn.use, shape: drawn.points_px}


def _flow(drawn: DrawnFlow) -> dict[str, Any]:
    return {
        "name": drawn.name,
        "from": drawn.start,
        "to": drawn.end,
        "movement": drawn.movement,
    }
