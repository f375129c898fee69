"""The editor's rules are the box's own, and each mistake is told where it is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from common.messages import SectionLayout
from common.orders import DesiredCamera, DesiredConfiguration
from common.wire import PrivacyMode
from coordinator.dashboard.section_rules import (
    Checked,
    Drawing,
    Frame,
    Mistake,
    check_drawing,
    read_drawing,
)
from edge.deliver.twin_site import desired_site
from tests.fakes.drawn_site import CAMERA, LAYOUT

pytestmark = pytest.mark.unit

FRAME = Frame(camera=CAMERA, size=(1280, 720))


def section(name: str = "a", *points: tuple[float, float], **changes: Any) -> dict[str, Any]:
    drawn: dict[str, Any] = {"name": name, "use": "traffic", "is_area": False}
    drawn["points_px"] = points or ((0, 0), (9, 9))
    return {**drawn, **changes}


def flow(name: str = "f", *, end: str = "a", movement: str = "thru") -> dict[str, Any]:
    return {"name": name, "start": "a", "end": end, "movement": movement}


def checked(*sections: dict[str, Any], flows: tuple[dict[str, Any], ...] = ()) -> Checked:
    drawing = read_drawing(json.dumps({"sections": sections, "flows": flows}))
    assert isinstance(drawing, Drawing)
    return check_drawing(drawing, FRAME)


def area(*points: tuple[float, float], **changes: Any) -> dict[str, Any]:
    return section("b", *points, is_area=True, use="approach", **changes)


def test_what_a_box_told_can_be_sent_back() -> None:
    sections = [{"is_area": False, **each} for each in LAYOUT["sections"]]

    found = checked(*sections, flows=tuple(LAYOUT["flows"]))

    assert found.mistakes == ()
    assert [each.name for each in found.sections] == ["north leg", "east leg", "queue"]
    assert found.sections[0] == SectionLayout.model_validate(LAYOUT["sections"][0])


@pytest.mark.parametrize(
    ("sections", "flows", "where", "text"),
    [
        pytest.param((), (), "drawing", "sections is empty", id="nothing drawn"),
        pytest.param(
            (section(), section("b", (5, 5), (5, 5))), (), "sections.1", "two different points",
            id="a line without length",
        ),
        pytest.param(
            (section("a", (0, 0), (1281, 5)),), (), "sections.0", r"\[1281, 5\] outside the frame",
            id="outside the picture",
        ),
        pytest.param(
            (section("a", (0, 0), (5, 5), (9, 0)),), (), "sections.0", "line", id="a bent line"
        ),
        pytest.param(
            (section("a", use="approach"),), (), "sections.0", "use approach needs a polygon",
            id="a queue on a line",
        ),
        pytest.param(
            (section("-a"),), (), "sections.0", "name is '-a', expected 1 to 64", id="a bad name"
        ),
        pytest.param(
            (section("<script>"),), (), "sections.0", "expected 1 to 64", id="a name with tags"
        ),
        pytest.param((section("a", use="walk"),), (), "sections.0", "use is 'walk'", id="no use"),
        pytest.param(
            (area((0, 0), (5, 5)),), (), "sections.0", "polygon", id="an area of two corners"
        ),
        pytest.param(
            (area((0, 0), (5, 5), (9, 9)),), (), "sections.0", "three corners not in line",
            id="a flat area",
        ),
        pytest.param(
            (section(), section("b"), section()), (), "sections.2", "'a' is named 2 times",
            id="a name that is taken",
        ),
        pytest.param(
            (section(),), (flow(end="c"),), "flows.0", "names the section 'c', expected one of",
            id="a flow to nowhere",
        ),
        pytest.param(
            (section(),), (flow("f"), flow("f")), "flows.1", "'f' is named 2 times",
            id="a flow that is named twice",
        ),
        pytest.param(
            (section(),), (flow(movement="up"),), "flows.0", "movement is 'up'", id="no movement"
        ),
    ],
)  # fmt: skip
def test_a_mistake_names_key_value_and_expectation(
    sections: tuple[dict[str, Any], ...], flows: tuple[dict[str, Any], ...], where: str, text: str
) -> None:
    found = checked(*sections, flows=flows)

    assert found.sections == ()
    assert [each.where for each in found.mistakes] == [where]
    (mistake,) = found.mistakes
    assert re.search(text, mistake.text), mistake.text


def test_every_section_is_told_its_own_mistake() -> None:
    found = checked(section("a", (0, 0), (2000, 5)), section(), section("?"))

    assert [each.where for each in found.mistakes] == ["sections.0", "sections.2"]


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", '{"sections": 1}', '{"more": 1}', '{"sections": [{"name": "a"}]}'],
)
def test_what_is_no_drawing_is_a_mistake_and_no_crash(text: str) -> None:
    assert isinstance(read_drawing(text), Mistake)


def test_whatever_passes_here_passes_on_the_box() -> None:
    found = checked(section("a"), area((0, 0), (50, 0), (50, 50)), flows=(flow(),))
    site = {
        "site": "elm",
        "cameras": [{"id": CAMERA, "frame_size": [1280, 720], "sections": []}],
    }
    camera = DesiredCamera(camera=CAMERA, sections=found.sections, flows=found.flows)
    wanted = DesiredConfiguration.model_validate(
        {"device": "box-1", "version": 1, "at": "2026-03-01T09:00:00Z", "cameras": [camera]}
    )

    changed = desired_site(site, wanted, mode_of=lambda _camera: PrivacyMode.STATISTICS)

    assert [each["name"] for each in changed["cameras"][0]["sections"]] == ["a", "b"]
