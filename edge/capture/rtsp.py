"""An ``rtsp://`` address → a live source, or the reason why not in plain words."""

from __future__ import annotations

import re

import av
from av.error import (
    ArgumentError,
    ExitError,
    FFmpegError,
    HTTPForbiddenError,
    HTTPNotFoundError,
    HTTPUnauthorizedError,
)
from av.error import TimeoutError as AvTimeoutError

from common.errors import ConfigError, UnreachableError
from common.timing import Clock
from edge.capture.decoding import video_stream
from edge.capture.live import LiveSource
from edge.capture.outages import StalledError, WrongPasswordError, WrongStreamError

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 5.0
LOW_LATENCY = {
    # A probe of 5 s is the default, and its backlog is then played late.
    "probesize": "32",
    "analyzeduration": "0",
    "flags": "low_delay",
    # `fflags=nobuffer` is left out on purpose: it throws the probed key frame away, and
    # the picture then waits for the next one, on many cameras 2 to 10 s.
    # RTP inside the RTSP connection: passes firewalls and loses no packets.
    "rtsp_transport": "tcp",
    # An answer must not send the box to other protocols.
    "protocol_whitelist": "rtsp,rtsps,rtp,rtcp,tcp,tls,udp",
}


def open_rtsp(
    address: str,
    *,
    camera_id: str,
    clock: Clock,
    working_size: tuple[int, int] | None = None,
    read_timeout_s: float = READ_TIMEOUT_S,
) -> LiveSource:
    """Connect, and wait for the first picture.

    Args:
        address: ``rtsp://user:password@host:554/path``; special characters in user and
            password percent-encoded.
        camera_id: Camera it belongs to.
        clock: Tells when frames arrive.
        working_size: Width and height of the images to hand on; native when None.
        read_timeout_s: A camera that is silent for longer is given up.

    Raises:
        WrongPasswordError: The camera refused user or password.
        WrongStreamError: The camera has no such path, or no video in it.
        ConfigError: The address is not one.
        UnreachableError: No name, no route, nobody listens, or no picture in time.
    """
    shown = without_secrets(address)

    def explain(error: FFmpegError) -> ConfigError | UnreachableError:
        return _explained(error, shown, read_timeout_s)

    try:
        container = av.open(
            address, mode="r", options=LOW_LATENCY, timeout=(OPEN_TIMEOUT_S, read_timeout_s)
        )
    except (FFmpegError, OSError) as error:
        # Not `from error`: its text holds the address with the password.
        raise _explained(error, shown, OPEN_TIMEOUT_S) from None
    stream = video_stream(container, threads=1)
    if stream is None:
        container.close()
        raise WrongStreamError(
            f"{shown} has no video, expected a video stream",
            hint="Choose the camera's video profile.",
        )
    return LiveSource(
        (container, stream),
        camera_id=camera_id,
        clock=clock,
        working_size=working_size,
        explain=explain,
    )


def without_secrets(address: str) -> str:
    """The address without user, password and query, fit for logs and messages."""
    scheme, _, rest = address.partition("://")
    # A "?" or "#" before the "@" stands bare in a password: no telling where it ends.
    tail = rest.rpartition("@")[0]
    if "?" in tail or "#" in tail:
        return f"{scheme}://…"
    host_and_path = rest.rpartition("@")[2]
    return f"{scheme}://{re.split('[?#]', host_and_path)[0]}"


def _explained(
    error: FFmpegError | OSError, shown: str, waited_s: float
) -> ConfigError | UnreachableError:
    match error:
        case HTTPUnauthorizedError() | HTTPForbiddenError():
            return WrongPasswordError(
                f"{shown} refused user or password, expected rtsp://user:password@…",
                hint="Correct user and password in the source; write @ as %40, / as %2F, : as %3A.",
            )
        case HTTPNotFoundError():
            return WrongStreamError(
                f"{shown} answered that it has no such stream, expected a path the camera serves",
                hint="Look up the path of the stream in the camera's own settings.",
            )
        case ArgumentError():
            return ConfigError(
                f"{shown} is not an address, expected rtsp://user:password@host:554/path",
                hint="Check host and port of the source.",
            )
        case ExitError() | AvTimeoutError():
            return StalledError(
                f"{shown} sent nothing for {waited_s:g} s, expected frames",
                hint="Check cable, switch and the camera's load.",
            )
        case _:
            reason = (error.strerror or "no answer").lower()
            return UnreachableError(
                f"{shown} cannot be reached: {reason}, expected a camera that answers",
                hint="Check power, cable, address and port of the camera.",
            )
