"""A playing PyAV container → live frames on a steady clock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Protocol

from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from common.errors import ConfigError, UnreachableError
from common.timing import Clock
from edge.capture.clocks import LiveClock
from edge.capture.decoding import DecodeFaults, Picture, pictures
from edge.capture.frames import Frame


class ErrorReader(Protocol):
    """Turns the decoder's error into ours, without the password in it."""

    def __call__(self, error: FFmpegError) -> ConfigError | UnreachableError:
        """The error to raise instead."""
        ...


class LiveSource:
    """One connection to a camera; ``captured_s`` starts at 0 with the connection."""

    def __init__(
        self,
        playing: tuple[InputContainer, VideoStream],
        *,
        camera_id: str,
        clock: Clock,
        working_size: tuple[int, int] | None,
        explain: ErrorReader,
    ) -> None:
        """Wait for the first picture: only that proves that the camera works.

        Args:
            playing: The open container and its video stream; the source owns them.
            camera_id: Camera it belongs to.
            clock: Tells when frames arrive.
            working_size: Width and height of the images to hand on; native when None.
            explain: Turns the decoder's errors into ours.

        Raises:
            UnreachableError: The stream ended before its first picture.
        """
        self.faults = DecodeFaults()
        self._container, stream = playing
        self._camera_id = camera_id
        self._clock = clock
        self._explain = explain
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._is_read = False
        self._times = LiveClock(opened_s=clock.monotonic_s())
        self._started_at = clock.now()
        self._pictures = pictures(
            self._container,
            stream,
            size=working_size,
            faults=self.faults,
            closing=self._closing,
        )
        try:
            self._first = self._next_picture()
        except (ConfigError, UnreachableError):
            self._container.close()
            raise

    @property
    def native_size(self) -> tuple[int, int]:
        """Width and height of the stream in pixels."""
        return self._first.native_size

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
            UnreachableError: The camera went away or fell silent.
            ValueError: Called a second time.
        """
        with self._lock:
            if self._is_read:
                raise ValueError("this connection was read before, open the camera again")
            self._is_read = True
        index = 0
        picture = self._first
        try:
            while not self._closing.is_set():
                yield self._frame(picture, index + self.faults.total)
                index += 1
                picture = self._next_picture()
        except UnreachableError:
            if not self._closing.is_set():
                raise
        finally:
            self._container.close()

    def close(self) -> None:
        """Release the camera; a reader in another thread stops with its next packet.

        A reader that waits for a silent camera stops when its read times out.
        """
        with self._lock:
            self._closing.set()
            # PyAV must not close a container under a reader: then the reader does it.
            if not self._is_read:
                self._is_read = True
                self._container.close()

    def _next_picture(self) -> Picture:
        try:
            return next(self._pictures)
        except StopIteration:
            raise UnreachableError(
                f"camera {self._camera_id} ended its stream, expected it to go on",
                hint="Look whether the camera restarts or serves too many viewers.",
            ) from None
        except FFmpegError as error:
            # Not `from error`: its text holds the address with the password.
            raise self._explain(error) from None

    def _frame(self, picture: Picture, index: int) -> Frame:
        captured_s = self._times.place(picture.pts_s, arrived_s=self._clock.monotonic_s())
        return Frame(
            camera_id=self._camera_id,
            index=index,
            captured_s=captured_s,
            captured_at=self._started_at + timedelta(seconds=captured_s),
            pixels=picture.pixels,
            native_size=picture.native_size,
        )
