"""A GStreamer pipeline string → a live source, for the Jetson's hardware decoders.

Untested on Jetson hardware: the pipeline builder and the refusals are tested, and
reading needs an OpenCV that was built with GStreamer, as the one from JetPack is.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from common.errors import ConfigError, UnreachableError
from common.timing import Clock
from edge.capture.clocks import LiveClock
from edge.capture.frames import Frame
from edge.capture.pixels import Bgr

OPEN_TIMEOUT_MS = 5000
READ_TIMEOUT_MS = 5000
_APPSINK = "appsink drop=true max-buffers=1 sync=false"


class JetsonCamera(StrEnum):
    """How a camera is attached to a Jetson."""

    CSI = "csi"
    USB = "usb"
    RTSP = "rtsp"


def jetson_pipeline(
    camera: JetsonCamera, address: str, *, size: tuple[int, int], rate_fps: int = 25
) -> str:
    """The pipeline string for a camera on a Jetson, scaled and decoded in hardware.

    Args:
        camera: How the camera is attached.
        address: Sensor number for CSI, device for USB, ``rtsp://`` address for RTSP.
        size: Width and height to hand on, in pixels.
        rate_fps: Frame rate to ask a CSI or USB camera for.

    Raises:
        ValueError: The address could change the pipeline (quotes, ``!`` or spaces).
    """
    if re.search(r"[\s\"'!]", address):
        raise ValueError(f"address {address!r} holds a space, quote or !, expected none")
    width, height = size
    match camera:
        case JetsonCamera.CSI:
            front = (
                f"nvarguscamerasrc sensor-id={int(address)} ! "
                f"video/x-raw(memory:NVMM),framerate={rate_fps}/1"
            )
        case JetsonCamera.USB:
            front = (
                f"v4l2src device={address} ! "
                f"image/jpeg,framerate={rate_fps}/1 ! nvv4l2decoder mjpeg=1"
            )
        case JetsonCamera.RTSP:
            front = (
                f'rtspsrc location="{address}" protocols=tcp latency=100 drop-on-latency=true ! '
                "rtph264depay ! h264parse ! nvv4l2decoder enable-max-performance=1"
            )
    # nvvidconv scales in hardware but has no BGR; videoconvert drops the fourth channel.
    return (
        f"{front} ! nvvidconv ! video/x-raw,format=BGRx,width={width},height={height} ! "
        f"videoconvert ! video/x-raw,format=BGR ! {_APPSINK}"
    )


def opencv_has_gstreamer() -> bool:
    """True when this OpenCV was built with GStreamer."""
    return bool(re.search(r"GStreamer:\s+YES", cv2.getBuildInformation()))


class GstreamerSource:
    """One run of a pipeline that ends in an appsink with BGR images."""

    def __init__(
        self,
        pipeline: str,
        *,
        camera_id: str,
        clock: Clock,
        working_size: tuple[int, int] | None = None,
    ) -> None:
        """Start the pipeline and wait for its first image.

        Raises:
            ConfigError: No appsink, or an OpenCV without GStreamer.
            UnreachableError: The pipeline gives no image.
        """
        if "appsink" not in pipeline:
            raise ConfigError(
                f"camera {camera_id}: the pipeline has no appsink, expected one at its end",
                hint=f"End it with `! videoconvert ! video/x-raw,format=BGR ! {_APPSINK}`.",
            )
        if not opencv_has_gstreamer():
            raise ConfigError(
                f"camera {camera_id} needs GStreamer, this OpenCV was built without it",
                hint="Use JetPack's OpenCV (a venv with --system-site-packages), or rtsp://.",
            )
        self._camera_id = camera_id
        self._clock = clock
        self._working_size = working_size
        self._closing = threading.Event()
        self._capture = cv2.VideoCapture(
            pipeline,
            cv2.CAP_GSTREAMER,
            [
                cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
                OPEN_TIMEOUT_MS,
                cv2.CAP_PROP_READ_TIMEOUT_MSEC,
                READ_TIMEOUT_MS,
            ],
        )
        self._times = LiveClock(opened_s=clock.monotonic_s())
        self._started_at = clock.now()
        self._first = self._read()
        height, width = self._first.shape[:2]
        self._native_size = (width, height)

    @property
    def native_size(self) -> tuple[int, int]:
        """Width and height of the images that the pipeline gives."""
        return self._native_size

    @property
    def expected_frames(self) -> None:
        """A live stream has no end."""
        return

    @property
    def is_live(self) -> bool:
        """A camera does not wait."""
        return True

    def frames(self) -> Iterator[Frame]:
        """Yield frames as they come, until closed.

        Raises:
            UnreachableError: The pipeline stopped giving images.
        """
        index = 0
        image = self._first
        try:
            while not self._closing.is_set():
                # appsink hands over no usable time in live pipelines, so arrival counts.
                captured_s = self._times.place(None, arrived_s=self._clock.monotonic_s())
                yield Frame(
                    camera_id=self._camera_id,
                    index=index,
                    captured_s=captured_s,
                    captured_at=self._started_at + timedelta(seconds=captured_s),
                    pixels=Bgr(self._scaled(image)),
                    native_size=self._native_size,
                )
                index += 1
                image = self._read()
        finally:
            self._capture.release()

    def close(self) -> None:
        """Stop; the reader releases the pipeline after the image in hand."""
        self._closing.set()

    def _read(self) -> NDArray[np.uint8]:
        has_image, image = self._capture.read()
        if not has_image:
            raise UnreachableError(
                f"camera {self._camera_id}: the pipeline gives no image",
                hint="Try the pipeline with gst-launch-1.0 and fakesink on this box.",
            )
        return cast(NDArray[np.uint8], image)

    def _scaled(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._working_size is None or self._working_size == self._native_size:
            return image
        small = cv2.resize(image, self._working_size, interpolation=cv2.INTER_AREA)
        return cast(NDArray[np.uint8], small)
