"""Pipelines for Jetson cameras, as text."""

from __future__ import annotations

import pytest

from common.errors import ConfigError
from common.timing import SystemClock
from edge.capture.gstreamer import (
    GstreamerSource,
    JetsonCamera,
    jetson_pipeline,
    opencv_has_gstreamer,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("camera", "address", "front"),
    [
        (JetsonCamera.CSI, "0", "nvarguscamerasrc sensor-id=0 ! "),
        (JetsonCamera.USB, "/dev/video0", "v4l2src device=/dev/video0 ! "),
        (JetsonCamera.RTSP, "rtsp://c/s", 'rtspsrc location="rtsp://c/s" protocols=tcp '),
    ],
)
def test_a_jetson_pipeline_scales_in_hardware_and_keeps_only_the_newest(
    camera: JetsonCamera, address: str, front: str
) -> None:
    pipeline = jetson_pipeline(camera, address, size=(640, 360))

    assert pipeline.startswith(front)
    assert "nvvidconv ! video/x-raw,format=BGRx,width=640,height=360 ! videoconvert" in pipeline
    assert pipeline.endswith("appsink drop=true max-buffers=1 sync=false")


@pytest.mark.parametrize("address", ['x" ! filesink location=/etc/x "', "a b", "a!b"])
def test_an_address_cannot_change_the_pipeline(address: str) -> None:
    with pytest.raises(ValueError, match="holds a space, quote or !"):
        jetson_pipeline(JetsonCamera.RTSP, address, size=(640, 360))


@pytest.mark.skipif(opencv_has_gstreamer(), reason="this OpenCV was built with GStreamer")
def test_an_opencv_without_gstreamer_says_so() -> None:
    with pytest.raises(ConfigError, match="needs GStreamer, this OpenCV was built without it"):
        GstreamerSource("videotestsrc ! appsink", camera_id="north", clock=SystemClock())
