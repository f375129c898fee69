from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from common.errors import ConfigError
from common.messages import FlowLayout, SectionLayout
from common.orders import DesiredCamera, DesiredConfiguration
from common.site import Movement, Site, Use
from common.wire import PrivacyMode
from edge.deliver.twin_site import desired_site

pytestmark = pytest.mark.unit

SITE = {
    "site": "elm-and-main",
    "cameras": [
        {
            "id": "north",
            "source": "rtsp://user:${CAMERA_PASSWORD}@10.0.0.5/1",
            "frame_size": [100, 100],
            "sections": [{"name": "mid", "line": [[10, 10], [90, 90]], "allowed": "left"}],
        },
        {
            "id": "south",
            "source": "rtsp://10.0.0.6/1",
            "frame_size": [100, 100],
            "sections": [{"name": "stop", "line": [[0, 50], [100, 50]]}],
        },
    ],
}


def line(name: str, *points: tuple[float, float], is_area: bool = False) -> SectionLayout:
    use = Use.APPROACH if is_area else Use.TRAFFIC
    return SectionLayout(name=name, use=use, points_px=points, is_area=is_area)


MOVED = line("mid", (20, 20), (80, 80))


def wanted(**camera: Any) -> DesiredConfiguration:
    values = {"camera": "north", "sections": (MOVED,), **camera}
    return DesiredConfiguration(
        device="box-1",
        version=1,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        cameras=(DesiredCamera(**values),),
    )


def statistics(_camera: str) -> PrivacyMode:
    return PrivacyMode.STATISTICS


def test_sections_and_flows_are_replaced_and_everything_else_stays() -> None:
    order = wanted(
        sections=(MOVED, line("lane", (0, 0), (9, 0), (9, 9), is_area=True)),
        flows=(FlowLayout(name="round", start="mid", end="lane", movement=Movement.U_TURN),),
    )

    changed = desired_site(SITE, order, mode_of=statistics)

    site = Site.model_validate(changed)
    north, south = site.cameras
    assert north.source == SITE["cameras"][0]["source"]
    assert north.sections[0].line == ((20, 20), (80, 80))
    assert north.sections[0].allowed == "left"
    assert north.sections[1].polygon == ((0, 0), (9, 0), (9, 9))
    assert [flow.name for flow in north.flows] == ["round"]
    assert south == Site.model_validate(SITE).cameras[1]


@pytest.mark.parametrize(
    ("camera", "message"),
    [
        pytest.param({"camera": "west"}, "not of this box", id="unknown camera"),
        pytest.param({"sections": ()}, "has no sections", id="nothing to count"),
        pytest.param(
            {"sections": (line("mid", (20, 20), (800, 80)),)}, "outside the frame", id="outside"
        ),
        pytest.param({"sections": (MOVED, MOVED)}, "named 2 times", id="a name twice"),
        pytest.param(
            {"sections": (line("mid", (0, 0), (9, 9), (5, 0)),)}, "3 points", id="bent line"
        ),
        pytest.param(
            {"flows": (FlowLayout(name="f", start="mid", end="x", movement=Movement.THRU),)},
            "names the section 'x'",
            id="flow to nowhere",
        ),
        pytest.param({"mode": PrivacyMode.OPERATIONAL}, "allows statistics", id="tells more"),
    ],
)
def test_what_cannot_be_or_tells_more_is_refused(camera: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        desired_site(SITE, wanted(**camera), mode_of=statistics)


def test_a_box_that_allows_single_incidents_may_be_asked_for_them() -> None:
    order = wanted(mode=PrivacyMode.OPERATIONAL)

    assert desired_site(SITE, order, mode_of=lambda _camera: PrivacyMode.OPERATIONAL)
