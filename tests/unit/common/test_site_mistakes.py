from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import ConfigError
from tests.unit.common.junction_site import JUNCTION, read

pytestmark = pytest.mark.unit

# Pieces of the valid file; each row below replaces one of them by a mistake.
SOUTH = "name: south-leg, line: [[200, 650], [1100, 660]]"
QUEUE = "name: queue, polygon: [[0, 400], [600, 400], [600, 720]], use: approach"
FLOW = "name: N-S, from: north-leg, to: south-leg"
CAMERA = "cameras.0"
MISTAKES = [
    # the file
    pytest.param(JUNCTION, "", "file is None, input should be a valid", id="empty file"),
    pytest.param(JUNCTION, "[1, 2]", "file is [1, 2], input should be a valid", id="a list"),
    pytest.param(JUNCTION, "site: [", "is not YAML: while parsing", id="not YAML"),
    pytest.param(
        "site: elm-and-main",
        "site: elm-and-main\nsite: oak",
        "key 'site' on line 2 is already on line 1",
        id="a key twice",
    ),
    pytest.param(
        "    flows:",
        "    sections: []\n    flows:",
        "key 'sections' on line 10 is already on line 6",
        id="sections twice in one camera",
    ),
    # the site
    pytest.param("site: elm-and-main\n", "", "site is missing", id="no site name"),
    pytest.param(
        "elm-and-main",
        "Elm & Main",
        "site is 'Elm & Main', expected 1 to 64 of a-z, 0-9, - and _, "
        "with a letter or digit at both ends",
        id="site name with capitals",
    ),
    pytest.param(
        "site: elm-and-main",
        "site: elm-and-main\ncity: Springfield",
        "city is not a known key",
        id="unknown key of the site",
    ),
    pytest.param(JUNCTION, "site: s", "cameras is missing", id="no cameras"),
    pytest.param(
        JUNCTION,
        "{site: s, cameras: []}",
        "cameras is [], tuple should have at least 1 item",
        id="no camera in the list",
    ),
    pytest.param(
        JUNCTION,
        "{site: s, cameras: [{id: c, frame_size: [64, 64]}, {id: c, frame_size: [64, 64]}]}",
        "camera 'c' is named 2 times, expected once",
        id="two cameras of one id",
    ),
    # the camera
    pytest.param("- id: cam-north\n    source", "- source", f"{CAMERA}.id is missing", id="no id"),
    pytest.param(
        "id: cam-north", "id: 7", f"{CAMERA}.id is 7, input should be a valid string", id="id 7"
    ),
    pytest.param(
        "    frame_size: [1280, 720]\n", "", f"{CAMERA}.frame_size is missing", id="no frame size"
    ),
    pytest.param(
        "[1280, 720]", "[1280]", f"{CAMERA}.frame_size.1 is missing", id="half a frame size"
    ),
    pytest.param(
        "[1280, 720]",
        "[1280, 0]",
        f"{CAMERA}.frame_size.1 is 0, input should be greater than or equal to 32",
        id="no height",
    ),
    pytest.param(
        "[1280, 720]",
        "720p",
        f"{CAMERA}.frame_size is '720p', input should be a valid tuple",
        id="frame size in words",
    ),
    pytest.param(
        "source: rtsp",
        "sauce: rtsp",
        f"{CAMERA}.sauce is not a known key",
        id="misspelt key",
    ),
    # sections
    pytest.param(
        SOUTH,
        "line: [[200, 650], [1100, 660]]",
        f"{CAMERA}.sections.1.name is missing",
        id="section without a name",
    ),
    pytest.param(
        SOUTH,
        "name: no, line: [[200, 650], [1100, 660]]",
        f"{CAMERA}.sections.1.name is False, input should be a valid string",
        id="YAML reads no as false",
    ),
    pytest.param(
        SOUTH,
        "name: '!', line: [[200, 650], [1100, 660]]",
        f"{CAMERA}.sections.1.name is '!', expected 1 to 64 letters, digits",
        id="section name of signs",
    ),
    pytest.param(
        SOUTH,
        "name: south-leg",
        f"{CAMERA}.sections.1: section 'south-leg' needs either a line or a polygon",
        id="section without a shape",
    ),
    pytest.param(
        SOUTH,
        "name: south-leg, line: [[1, 1], [9, 9]], polygon: [[1, 1], [9, 9], [1, 9]]",
        f"{CAMERA}.sections.1: section 'south-leg' needs either a line or a polygon",
        id="section with two shapes",
    ),
    pytest.param(
        SOUTH,
        "name: south-leg, line: [[200, 650], [1100]]",
        f"{CAMERA}.sections.1.line.1.1 is missing",
        id="point without y",
    ),
    pytest.param(
        SOUTH,
        "name: south-leg, line: [[200, 650], [1100, low]]",
        f"{CAMERA}.sections.1.line.1.1 is 'low', input should be a valid number",
        id="y in words",
    ),
    pytest.param(
        SOUTH,
        "name: south-leg, line: [[200, 650], [1100, .nan]]",
        f"{CAMERA}.sections.1.line.1.1 is nan, input should be a finite number",
        id="y is not a number",
    ),
    pytest.param(
        SOUTH,
        "name: south-leg, line: [[200, 650], [200, 650]]",
        f"{CAMERA}.sections.1: a line needs two different points, both are (200.0, 650.0)",
        id="line without length",
    ),
    pytest.param(
        SOUTH,
        "name: south-leg, line: [[200, 650], [1300, 660]]",
        f"{CAMERA}: section 'south-leg' has the point [1300, 660] outside the frame, "
        "expected 0 to 1280 and 0 to 720",
        id="line outside the frame",
    ),
    pytest.param(
        QUEUE,
        "name: queue, polygon: [[0, 400], [600, 400], [600, -1]], use: approach",
        f"{CAMERA}: section 'queue' has the point [600, -1] outside the frame",
        id="area outside the frame",
    ),
    pytest.param(
        QUEUE,
        "name: queue, polygon: [[0, 400], [600, 400]], use: approach",
        f"{CAMERA}.sections.2.polygon is [[0, 400], [600, 400]], tuple should have at least 3",
        id="area of two corners",
    ),
    pytest.param(
        QUEUE,
        "name: queue, polygon: [[0, 0], [10, 10], [20, 20]], use: approach",
        f"{CAMERA}.sections.2: an area needs three corners not in line",
        id="area without inside",
    ),
    pytest.param(
        QUEUE,
        "name: queue, polygon: [[0, 400], [600, 400], [600, 720]], use: parking",
        f"{CAMERA}.sections.2.use is 'parking', input should be 'traffic', 'crosswalk', "
        "'approach' or 'carriageway'",
        id="unknown use",
    ),
    pytest.param(
        SOUTH,
        f"{SOUTH}, use: approach",
        f"{CAMERA}.sections.1: section 'south-leg' is a line, use approach needs a polygon",
        id="a queue on a line",
    ),
    pytest.param(
        QUEUE,
        f"{QUEUE}, allowed: left",
        f"{CAMERA}.sections.2: section 'queue': allowed belongs to a line, not to a polygon",
        id="wrong way in an area",
    ),
    pytest.param(
        "allowed: right",
        "allowed: north",
        f"{CAMERA}.sections.0.allowed is 'north', input should be 'right' or 'left'",
        id="unknown direction",
    ),
    pytest.param(
        SOUTH,
        "name: north-leg, line: [[200, 650], [1100, 660]]",
        f"{CAMERA}: section 'north-leg' is named 2 times, expected once",
        id="two sections of one name",
    ),
    # flows
    pytest.param(
        FLOW,
        "name: N-S, from: north-leg, to: sout-leg",
        f"{CAMERA}: flow 'N-S' names the section 'sout-leg', "
        "expected one of ['north-leg', 'south-leg', 'queue']",
        id="flow to nowhere",
    ),
    pytest.param(
        FLOW,
        "name: N-S, to: south-leg",
        f"{CAMERA}.flows.0.from is missing",
        id="flow from nowhere",
    ),
    pytest.param(
        FLOW,
        f"{FLOW}, movement: straight",
        f"{CAMERA}.flows.0.movement is 'straight', input should be 'thru', 'left', 'right' or "
        "'u_turn'",
        id="unknown movement",
    ),
    pytest.param(
        "name: turn back",
        "name: N-S",
        f"{CAMERA}: flow 'N-S' is named 2 times, expected once",
        id="two flows of one name",
    ),
    # calibration
    pytest.param(
        "points_m: [[0, 0], [20, 0], [20, 40], [0, 40]]",
        "points_m: [[0, 0], [20, 0], [20, 40]]",
        f"{CAMERA}.calibration.points_m is [[0, 0], [20, 0], [20, 40]], tuple should have at "
        "least 4 items",
        id="three surveyed points",
    ),
    pytest.param(
        "points_m: [[0, 0], [20, 0], [20, 40], [0, 40]]",
        "points_m: [[0, 0], [20, 0], [20, 40], [0, 40], [5, 5]]",
        f"{CAMERA}.calibration: calibration has 4 pixel and 5 ground points",
        id="one surveyed point too many",
    ),
    pytest.param(
        "[[0, 0], [20, 0], [20, 40], [0, 40]]",
        "[[0, 0], [20, 40], [20, 0], [0, 40]]",
        f"{CAMERA}.calibration: calibration points put the horizon across the road",
        id="surveyed points in another order",
    ),
    pytest.param(
        "[[0, 0], [20, 0], [20, 40], [0, 40]]",
        "[[0, 0], [20, 0], [20, 40], [0, .inf]]",
        f"{CAMERA}.calibration.points_m.3.1 is inf, input should be a finite number",
        id="a point infinitely far",
    ),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_a_mistake_is_answered_with_key_value_and_expectation(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert JUNCTION.count(old) == 1

    with pytest.raises(ConfigError) as caught:
        read(tmp_path, JUNCTION.replace(old, new))

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "site.yaml") in str(caught.value)
