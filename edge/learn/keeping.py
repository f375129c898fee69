"""Chosen pictures → encrypted samples in the vault, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from datetime import timedelta

import structlog

from common.sample_files import SampleVault
from common.samples import LabelSource, Sample
from common.timing import Clock
from edge.learn.marks import to_boxes, to_regions
from edge.learn.pictures import to_jpeg
from edge.learn.sampler import Chosen

log = structlog.get_logger(__name__)

_MOST_WAITING = 8
"""Pictures in memory; a disk that is slower than that loses the newest, and says so."""
_LOOK_S = 0.5
_SWEEP_EVERY_S = 3600.0


class SampleKeeper:
    """Takes pictures without making the camera wait, and stores them when there is time."""

    name = "sample-keeper"

    def __init__(
        self, vault: SampleVault, *, clock: Clock, most_side_px: int, keep_days: float
    ) -> None:
        """Prepare; the vault's folder is made by the first sample."""
        self._vault = vault
        self._clock = clock
        self._most_side_px = most_side_px
        self._keep = timedelta(days=keep_days)
        self._waiting: queue.Queue[Chosen] = queue.Queue(_MOST_WAITING)

    def take(self, chosen: Chosen) -> None:
        """Called in a camera's thread; never waits."""
        try:
            self._waiting.put_nowait(chosen)
        except queue.Full:
            log.warning("sample_not_kept", camera_id=chosen.camera_id, reason="disk_too_slow")

    def run(self, stop: threading.Event) -> None:
        """Store what comes until told to stop, and then what still waits.

        Raises:
            ConfigError: The folder is somebody else's.
            UnreachableError: The disk cannot be written.
        """
        swept_s: float | None = None
        while True:
            is_last = stop.is_set()
            self.store_waiting(timeout_s=0.0 if is_last else _LOOK_S)
            now_s = self._clock.monotonic_s()
            if swept_s is None or now_s - swept_s >= _SWEEP_EVERY_S:
                swept_s = now_s
                self.sweep()
            if is_last:
                return

    def store_waiting(self, *, timeout_s: float) -> None:
        """Store everything that waits; for the first one, wait at most so long."""
        while True:
            try:
                chosen = (
                    self._waiting.get(timeout=timeout_s)
                    if timeout_s
                    else self._waiting.get(block=False)
                )
            except queue.Empty:
                return
            self._store(chosen)
            timeout_s = 0.0

    def sweep(self) -> None:
        """Forget what is older than it may become."""
        oldest = self._clock.now() - self._keep
        old = [facts.id for facts in self._vault.facts() if facts.taken_at < oldest]
        for sample_id in old:
            self._vault.remove(sample_id)
        if old:
            log.info("old_samples_removed", samples=len(old))

    def _store(self, chosen: Chosen) -> None:
        marks = chosen.marks
        sample = Sample(
            camera=chosen.camera_id,
            taken_at=chosen.taken_at,
            source=LabelSource.TRACKS if marks.sure else LabelSource.NONE,
            boxes=to_boxes(marks.sure, chosen.frame_size),
            ignore=to_regions(marks.unsure, chosen.frame_size),
            reasons=tuple(chosen.reasons),
            value=chosen.value,
            jpeg=to_jpeg(chosen.image, most_side_px=self._most_side_px),
        )
        if self._vault.add(sample):
            log.info(
                "sample_kept",
                camera_id=sample.camera,
                reasons=list(sample.reasons),
                boxes=len(sample.boxes),
                value=round(sample.value, 3),
            )
