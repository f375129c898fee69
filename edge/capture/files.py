"""A video file → frames on the file's own clock; none is left out for being slow."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from common.errors import ConfigError, UnreachableError
from edge.capture.clocks import StreamClock
from edge.capture.decoding import DecodeFaults, Picture, pictures, rate_fps, video_stream
from edge.capture.frames import Frame

HINT = "Give a recording such as .mp4, .mkv, .avi or .ts with H.264, H.265 or MJPEG video."

TEXT_ART = frozenset({"ansi", "bintext", "idf", "xbin"})
"""FFmpeg draws text files as if on a terminal and calls that video."""


class FileSource:
    """One pass over a recording.

    ``captured_s`` is presentation time minus the first presentation time, so a
    variable frame rate and holes in the recording stay true. Frames that are
    damaged are left out and counted in ``faults``.
    """

    def __init__(
        self,
        path: Path,
        *,
        camera_id: str,
        working_size: tuple[int, int] | None = None,
        started_at: datetime | None = None,
        decoder_threads: int = 1,
    ) -> None:
        """Open the file and read its header.

        Args:
            path: The recording.
            camera_id: Camera that made it.
            working_size: Width and height of the images to hand on; native when None.
            started_at: When the first frame was captured; when None, the time stored in
                the file, and without one the file's modification time.
            decoder_threads: Above 1, decoding takes more cores and a little more memory.

        Raises:
            ConfigError: No such file, or not a video that can be decoded.
        """
        if started_at is not None and started_at.tzinfo is None:
            raise ValueError(f"naive start {started_at}, expected an aware datetime")
        self.faults = DecodeFaults()
        self._path = path
        self._camera_id = camera_id
        self._container, self._stream = _opened(path, threads=decoder_threads)
        # Asked now: once the container is closed, its stream points at freed memory.
        self._native_size = (self._stream.width, self._stream.height)
        self._expected_frames = _promised_frames(self._container, self._stream)
        self._working_size = working_size or self._native_size
        self._started_at = started_at or _recorded_at(self._container, path)
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._is_read = False

    @property
    def native_size(self) -> tuple[int, int]:
        """Width and height of the stream in pixels."""
        return self._native_size

    @property
    def expected_frames(self) -> int | None:
        """Frames the header promises, or None where it promises nothing."""
        return self._expected_frames

    @property
    def is_live(self) -> bool:
        """A file waits for its reader."""
        return False

    def frames(self) -> Iterator[Frame]:
        """Yield every decodable frame once, in time order.

        Raises:
            ConfigError: Not one frame could be decoded.
            UnreachableError: The file could not be read on, as on a failing disk.
            ValueError: Called a second time.
        """
        with self._lock:
            if self._is_read:
                raise ValueError(f"{self._path} was read before, open it again for another pass")
            self._is_read = True
        try:
            yield from self._decoded()
        finally:
            self._container.close()

    def close(self) -> None:
        """Release the file; a reader in another thread stops after the frame in hand."""
        with self._lock:
            self._closing.set()
            # PyAV must not close a container under a reader: then the reader does it.
            if not self._is_read:
                self._is_read = True
                self._container.close()

    def _decoded(self) -> Iterator[Frame]:
        clock = StreamClock(usual_step_s=1 / rate_fps(self._stream))
        handed_on = 0
        for picture in self._pictures():
            captured_s = clock.place(picture.pts_s)
            if captured_s is None:
                self.faults.late_frames += 1
                continue
            yield Frame(
                camera_id=self._camera_id,
                index=handed_on + self.faults.total,
                captured_s=captured_s,
                captured_at=self._started_at + timedelta(seconds=captured_s),
                pixels=picture.pixels,
                native_size=picture.native_size,
            )
            handed_on += 1
        if not handed_on and not self._closing.is_set():
            raise ConfigError(
                f"{self._path} has no frame that can be decoded, expected a recording", hint=HINT
            )

    def _pictures(self) -> Iterator[Picture]:
        try:
            yield from pictures(
                self._container,
                self._stream,
                size=self._working_size,
                faults=self.faults,
                closing=self._closing,
            )
        except FFmpegError as error:
            raise UnreachableError(
                f"{self._path} could not be read to its end: {error.strerror}",
                hint="Check the disk or copy the recording again.",
            ) from error


def _opened(path: Path, *, threads: int) -> tuple[InputContainer, VideoStream]:
    if not path.exists():
        raise ConfigError(f"{path} does not exist, expected a video file", hint=HINT)
    if not path.is_file():
        raise ConfigError(f"{path} is not a file, expected a video file", hint=HINT)
    if not path.stat().st_size:
        raise ConfigError(f"{path} is not a video: it is empty, expected a recording", hint=HINT)
    try:
        # A text file may be a playlist; it must not make us open addresses.
        container = av.open(
            str(path.resolve()), mode="r", options={"protocol_whitelist": "file,crypto,data"}
        )
    except (FFmpegError, OSError) as error:
        reason = error.strerror or str(error)
        raise ConfigError(
            f"{path} is not a video: {reason.lower()}, expected a recording", hint=HINT
        ) from error
    stream = video_stream(container, threads=threads)
    if stream is not None and stream.codec_context.name in TEXT_ART:
        container.close()
        raise ConfigError(f"{path} is not a video: it is text, expected a recording", hint=HINT)
    if stream is None or not stream.width:
        kinds = sorted({stream.type for stream in container.streams})
        container.close()
        raise ConfigError(
            f"{path} is not a video: it holds {' and '.join(kinds) or 'nothing'}, "
            "expected a video stream",
            hint=HINT,
        )
    return container, stream


def _promised_frames(container: InputContainer, stream: VideoStream) -> int | None:
    if stream.frames:
        return stream.frames
    if container.duration:
        return round(container.duration / av.time_base * rate_fps(stream))
    return None


def _recorded_at(container: InputContainer, path: Path) -> datetime:
    try:
        stored = datetime.fromisoformat(container.metadata.get("creation_time", ""))
    except ValueError:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return stored.astimezone(UTC) if stored.tzinfo else stored.replace(tzinfo=UTC)
