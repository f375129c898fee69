"""A scene → a camera: frames with a clock, as from a file or, when paced, as from a live stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from edge.capture.frames import Frame
from edge.capture.pixels import Bgr
from edge.simulate.config import SceneConfig
from edge.simulate.render import Renderer
from edge.simulate.world import World


class SimulatedSource:
    """A ``FrameSource`` that draws what it delivers; memory does not grow with time."""

    def __init__(
        self,
        config: SceneConfig,
        *,
        camera_id: str = "simulated",
        started_at: datetime | None = None,
    ) -> None:
        """Prepare a scene; nothing is drawn yet.

        Args:
            config: What to show.
            camera_id: Written on every frame.
            started_at: Wall clock of scene time 0, aware; now when not given.

        Raises:
            ValueError: ``started_at`` is naive.
        """
        if started_at is not None and started_at.tzinfo is None:
            raise ValueError(f"naive datetime {started_at}, expected an aware one")
        self.config = config
        self._camera_id = camera_id
        self._started_at = started_at
        self._closed = threading.Event()

    @property
    def native_size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.config.width_px, self.config.height_px

    @property
    def expected_frames(self) -> int | None:
        """Number of frames, or None for a scene without an end."""
        return self.config.frames

    @property
    def is_live(self) -> bool:
        """True when frames come in real time."""
        return self.config.paced

    def frames(self) -> Iterator[Frame]:
        """Draw frame after frame; when paced, frames that nobody took in time are left out."""
        world, renderer = World(self.config), Renderer(self.config)
        started_at = (self._started_at or datetime.now(UTC)).astimezone(UTC)
        began_s = time.monotonic()
        index, last = 0, self.config.frames
        while not self._closed.is_set() and (last is None or index < last):
            captured_s = index / self.config.fps
            if self.config.paced and self._closed.wait(
                max(0.0, began_s + captured_s - time.monotonic())
            ):
                return
            yield Frame(
                camera_id=self._camera_id,
                index=index,
                captured_s=captured_s,
                captured_at=started_at + timedelta(seconds=captured_s),
                pixels=Bgr(renderer.draw(world, captured_s, index)),
                native_size=self.native_size,
            )
            index += 1
            if self.config.paced:
                index = max(index, int((time.monotonic() - began_s) * self.config.fps))

    def close(self) -> None:
        """Stop after the frame in hand; safe to call twice and from another thread."""
        self._closed.set()
