"""The source of a site file → an opened frame source of the right kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from common.errors import ConfigError
from common.timing import Clock
from edge.capture.devices import open_device
from edge.capture.files import FileSource
from edge.capture.frames import FrameSource
from edge.capture.gstreamer import GstreamerSource
from edge.capture.rtsp import open_rtsp, without_secrets

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+):", re.IGNORECASE)
_BUILT_IN = ("file", "gst", "rtsp", "rtsps")


class SourceFactory(Protocol):
    """Opens the sources of one scheme, such as ``simulate:``."""

    def __call__(
        self, source: str, *, camera_id: str, clock: Clock, working_size: tuple[int, int] | None
    ) -> FrameSource:
        """Open ``source``, scheme included.

        Raises:
            ConfigError: It will never work as written.
            UnreachableError: It may work later.
        """
        ...


NO_SCHEMES: Mapping[str, SourceFactory] = MappingProxyType({})


def open_source(
    source: str,
    *,
    camera_id: str,
    clock: Clock,
    working_size: tuple[int, int] | None = None,
    schemes: Mapping[str, SourceFactory] = NO_SCHEMES,
) -> FrameSource:
    """Open a file, ``rtsp://`` address, ``/dev/video0``, ``gst:`` pipeline or known scheme.

    Args:
        source: As written in the site file.
        camera_id: Camera it belongs to.
        clock: Tells live sources the time.
        working_size: Width and height of the images to hand on; native when None.
        schemes: Further schemes, without the colon, and who opens them.

    Raises:
        ConfigError: Unknown scheme, not a video, wrong password.
        UnreachableError: The camera did not answer.
    """
    if not source.strip():
        raise ConfigError(
            f"camera {camera_id} has no source, expected a file or an rtsp:// address",
            hint="Set `source` in the site file or name a source on the command line.",
        )
    found = _SCHEME.match(source)
    scheme = found.group(1).lower() if found else ""
    if scheme in schemes:
        return schemes[scheme](source, camera_id=camera_id, clock=clock, working_size=working_size)
    if scheme in ("rtsp", "rtsps"):
        return open_rtsp(source, camera_id=camera_id, clock=clock, working_size=working_size)
    if scheme == "gst":
        return GstreamerSource(
            source.partition(":")[2], camera_id=camera_id, clock=clock, working_size=working_size
        )
    if scheme and scheme != "file" and not Path(source).exists():
        known = sorted({*_BUILT_IN, *schemes})
        raise ConfigError(
            f"source {without_secrets(source)} has the scheme {scheme!r}, "
            f"expected a file or one of {', '.join(known)}",
            hint="Cameras are usually reached as rtsp://user:password@address/path.",
        )
    if source.startswith("/dev/video"):
        return open_device(source, camera_id=camera_id, clock=clock, working_size=working_size)
    path = Path(source.removeprefix("file://").removeprefix("file:"))
    return FileSource(path, camera_id=camera_id, working_size=working_size)
