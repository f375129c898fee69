from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import ConfigError
from common.geometry import Direction, Point, Polygon, Segment
from common.site import Movement, Use, load_site
from tests.unit.common.junction_site import JUNCTION, read

pytestmark = pytest.mark.unit


def test_a_site_file_becomes_geometry(tmp_path: Path) -> None:
    camera = read(tmp_path, JUNCTION).camera()

    north, south, queue = camera.sections
    assert north.segment == Segment(Point(120, 400), Point(610, 380))
    assert (north.area, north.use, north.allowed) == (None, Use.TRAFFIC, Direction.RIGHT)
    assert south.allowed is None
    assert queue.segment is None
    assert queue.area == Polygon((Point(0, 400), Point(600, 400), Point(600, 720)))
    assert queue.points == ((0, 400), (600, 400), (600, 720))


def test_flows_name_their_ends_and_their_movement(tmp_path: Path) -> None:
    thru, turn = read(tmp_path, JUNCTION).camera().flows

    assert (thru.start, thru.end, thru.movement) == ("north-leg", "south-leg", Movement.THRU)
    assert (turn.start, turn.end, turn.movement) == ("north-leg", "north-leg", Movement.U_TURN)


def test_a_calibration_becomes_metres(tmp_path: Path) -> None:
    calibration = read(tmp_path, JUNCTION).camera().calibration

    assert calibration is not None
    assert calibration.ground_plane.to_ground(Point(50, 100)) == pytest.approx((5, 10))


def test_the_smallest_site_is_one_camera_without_lines(tmp_path: Path) -> None:
    camera = read(tmp_path, "{site: s, cameras: [{id: c, frame_size: [640, 480]}]}").camera()

    assert (camera.id, camera.source, camera.sections, camera.flows) == ("c", "", (), ())


def test_points_on_the_rim_of_the_frame_are_inside(tmp_path: Path) -> None:
    text = JUNCTION.replace("[[200, 650], [1100, 660]]", "[[0, 720], [1280, 0]]")

    assert read(tmp_path, text).camera().sections[1].points == ((0, 720), (1280, 0))


def test_two_mistakes_are_answered_together(tmp_path: Path) -> None:
    text = JUNCTION.replace("site: elm-and-main", "sight: elm-and-main")

    with pytest.raises(ConfigError, match=r"site is missing; sight is not a known key$") as caught:
        read(tmp_path, text)

    assert caught.value.hint == "see docs/technician.md for every key of the site file"


def test_an_anchor_used_twice_is_no_repeated_key(tmp_path: Path) -> None:
    text = """\
site: s
cameras:
  - {id: a, frame_size: &size [640, 480]}
  - {id: b, frame_size: *size}
"""

    assert [camera.frame_size for camera in read(tmp_path, text).cameras] == [(640, 480)] * 2


def test_a_missing_file_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml does not exist") as caught:
        load_site(tmp_path / "nowhere.yaml")

    assert caught.value.hint == "give its path with --site"


def test_a_folder_is_not_a_site_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_site(tmp_path)


def test_a_picture_is_not_a_site_file(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(b"\x89PNG\r\n\xff\xfe")

    with pytest.raises(ConfigError, match="cannot be read"):
        load_site(path)


TWO_CAMERAS = "{site: s, cameras: [{id: a, frame_size: [64, 64]}, {id: b, frame_size: [64, 64]}]}"


def test_a_camera_is_found_by_its_id(tmp_path: Path) -> None:
    assert read(tmp_path, TWO_CAMERAS).camera("b").id == "b"


@pytest.mark.parametrize(
    ("camera_id", "message"),
    [
        pytest.param(None, r"has 2 cameras, expected one of \['a', 'b'\] to be named", id="none"),
        pytest.param("c", r"'c' is not in site 's', expected one of \['a', 'b'\]", id="unknown"),
    ],
)
def test_an_ambiguous_or_unknown_camera_is_refused(
    tmp_path: Path, camera_id: str | None, message: str
) -> None:
    site = read(tmp_path, TWO_CAMERAS)

    with pytest.raises(ConfigError, match=message) as caught:
        site.camera(camera_id)

    assert caught.value.hint == "name one with --camera"


@given(st.text(max_size=200))
def test_no_text_at_all_breaks_the_reader(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")

    with pytest.raises(ConfigError, match=r"any\.yaml"):
        load_site(path)
