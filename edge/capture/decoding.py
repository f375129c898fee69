"""An open PyAV container → pictures with their presentation times, coloured when asked for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from av.container import InputContainer
from av.error import EOFError as AvEOFError
from av.error import InvalidDataError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from edge.capture.pixels import Decoded

USUAL_RATE_FPS = 25.0
HIGHEST_RATE_FPS = 1000.0


@dataclass(slots=True)
class DecodeFaults:
    """What a stream had that could not be used; grows while it is read.

    Attributes:
        corrupt_packets: Pieces that the decoder refused; each is usually one frame.
        damaged_frames: Frames the decoder could only guess at, left out.
        late_frames: Frames without a place on the stream clock, left out.
    """

    corrupt_packets: int = 0
    damaged_frames: int = 0
    late_frames: int = 0

    @property
    def total(self) -> int:
        """All frames that were in the stream and not handed on."""
        return self.corrupt_packets + self.damaged_frames + self.late_frames


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """One decoded image.

    Attributes:
        pts_s: Presentation time as the stream tells it, or None where it tells none.
        pixels: Still in the decoder's own format.
        native_size: Width and height before scaling.
    """

    pts_s: float | None
    pixels: Decoded
    native_size: tuple[int, int]


def video_stream(container: InputContainer, *, threads: int) -> VideoStream | None:
    """The first video stream, set to decode with ``threads`` threads, or None."""
    if not container.streams.video:
        return None
    stream = container.streams.video[0]
    stream.codec_context.thread_count = threads
    # Frame threading holds `threads` frames back, which a live stream must not pay.
    stream.thread_type = "AUTO" if threads > 1 else "SLICE"
    return stream


def rate_fps(stream: VideoStream) -> float:
    """The frame rate that the stream claims, or a usual one where the claim is absurd."""
    claimed = stream.average_rate or stream.base_rate
    rate = float(claimed) if claimed else 0.0
    return rate if 0 < rate <= HIGHEST_RATE_FPS else USUAL_RATE_FPS


def pictures(
    container: InputContainer,
    stream: VideoStream,
    *,
    size: tuple[int, int] | None,
    faults: DecodeFaults,
    closing: threading.Event,
) -> Iterator[Picture]:
    """Yield pictures until the end of the stream or until ``closing`` is set.

    All have one ``size``, width and height; without it, that of the first picture, also
    when the camera changes its resolution on the way.

    A packet that cannot be decoded is counted in ``faults`` and skipped; the
    decoder finds its way back at the next key frame.

    Raises:
        av.error.FFmpegError: Reading from the file or the network failed.
    """
    for packet in container.demux(stream):
        if closing.is_set():
            return
        try:
            frames = packet.decode()
        except InvalidDataError:
            faults.corrupt_packets += 1
            continue
        except AvEOFError:
            return  # a flush of a decoder that had already been flushed
        for frame in frames:
            if frame.is_corrupt:
                faults.damaged_frames += 1
            else:
                size = size or (frame.width, frame.height)
                yield _picture(frame, stream, size)


def _picture(frame: VideoFrame, stream: VideoStream, size: tuple[int, int]) -> Picture:
    base = frame.time_base or stream.time_base
    pts_s = None if frame.pts is None or base is None else float(frame.pts * base)
    # A display rotation in the file's side data is left alone: site files are drawn on
    # the picture as stored, and a mounted camera does not turn.
    return Picture(
        pts_s=pts_s,
        pixels=Decoded(frame, size),
        native_size=(frame.width, frame.height),
    )
