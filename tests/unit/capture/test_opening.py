"""Which source a text of the site file means."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.errors import ConfigError
from common.timing import Clock, SystemClock
from edge.capture.frames import FrameSource
from edge.capture.opening import open_source
from edge.capture.rtsp import without_secrets
from tests.fakes.sources import ScriptedSource

pytestmark = pytest.mark.unit


def test_a_known_scheme_is_opened_by_its_factory() -> None:
    asked: list[tuple[str, str, tuple[int, int] | None]] = []

    def simulate(
        source: str, *, camera_id: str, clock: Clock, working_size: tuple[int, int] | None
    ) -> FrameSource:
        asked.append((source, camera_id, working_size))
        return ScriptedSource(0.0, is_live=False)

    source = open_source(
        "simulate:junction?seed=7",
        camera_id="north",
        clock=SystemClock(),
        working_size=(64, 48),
        schemes={"simulate": simulate},
    )

    assert asked == [("simulate:junction?seed=7", "north", (64, 48))]
    assert not source.is_live


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        pytest.param("", "has no source", id="nothing"),
        pytest.param("  ", "has no source", id="blank"),
        pytest.param("htp://u:pw@host/x", "has the scheme 'htp', expected a file", id="typo"),
        pytest.param("simulate:x", "one of file, gst, rtsp, rtsps", id="nobody simulates"),
        pytest.param("no/such/clip.mp4", r"no/such/clip\.mp4 does not exist", id="no file"),
        pytest.param("file:///no/clip.mp4", r"/no/clip\.mp4 does not exist", id="no file by URL"),
        pytest.param("gst:videotestsrc ! fakesink", "has no appsink", id="no appsink"),
    ],
)
def test_a_source_that_means_nothing_is_refused(source: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        open_source(source, camera_id="north", clock=SystemClock())

    assert "pw" not in str(refused.value)
    assert refused.value.hint


def test_a_folder_is_not_a_video(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a file, expected a video file"):
        open_source(str(tmp_path), camera_id="north", clock=SystemClock())


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        pytest.param("rtsp://10.0.0.5/s1", "rtsp://10.0.0.5/s1", id="nothing to hide"),
        pytest.param("rtsp://u:p@10.0.0.5:554/s1", "rtsp://10.0.0.5:554/s1", id="password"),
        pytest.param("rtsp://u:p@ss@10.0.0.5/s1", "rtsp://10.0.0.5/s1", id="@ in the password"),
        pytest.param("rtsp://u:p/s@10.0.0.5/s1", "rtsp://10.0.0.5/s1", id="/ in the password"),
        pytest.param("rtsp://10.0.0.5/s1?pwd=x", "rtsp://10.0.0.5/s1", id="password in query"),
        pytest.param("rtsp://u:p?s@10.0.0.5/s1", "rtsp://…", id="? in the password"),
        pytest.param("rtsp://u:p#s@10.0.0.5/s1", "rtsp://…", id="# in the password"),
    ],
)
def test_addresses_are_shown_without_secrets(address: str, shown: str) -> None:
    assert without_secrets(address) == shown
