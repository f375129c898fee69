"""A camera on this machine (``/dev/video0``) → a live source over Video4Linux."""

from __future__ import annotations

import av
from av.error import FFmpegError

from common.errors import ConfigError, UnreachableError
from common.timing import Clock
from edge.capture.decoding import video_stream
from edge.capture.live import LiveSource

TIMEOUT_S = 5.0


def open_device(
    device: str,
    *,
    camera_id: str,
    clock: Clock,
    working_size: tuple[int, int] | None = None,
) -> LiveSource:
    """Open a USB camera at the size and rate it offers first.

    Raises:
        UnreachableError: Not plugged in, in use, or not allowed.
    """

    def explain(error: FFmpegError) -> ConfigError | UnreachableError:
        return _explained(error, device)

    try:
        container = av.open(device, mode="r", format="v4l2", timeout=TIMEOUT_S)
    except (FFmpegError, OSError) as error:
        raise _explained(error, device) from error
    stream = video_stream(container, threads=1)
    if stream is None:
        container.close()
        raise ConfigError(f"{device} offers no pictures, expected a camera")
    return LiveSource(
        (container, stream),
        camera_id=camera_id,
        clock=clock,
        working_size=working_size,
        explain=explain,
    )


def _explained(error: FFmpegError | OSError, device: str) -> UnreachableError:
    reason = (error.strerror or "no answer").lower()
    return UnreachableError(
        f"{device} cannot be opened: {reason}, expected a camera that nobody else uses",
        hint="Look at `v4l2-ctl --list-devices`; the agent's user needs the group video.",
    )
