"""Sensors and vault → ``readiness.json`` once a minute, and the word for the health report."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from common.messages import LearningState
from common.private_files import make_private_folder
from common.readiness_file import write_readiness
from common.sample_files import SampleVault
from common.samples import LABELLED, LabelSource
from common.timing import Clock
from edge.learn.readiness import Readiness, SampleCounts, judge
from edge.learn.settings import LearnSettings
from edge.sensors import Sensors

log = structlog.get_logger(__name__)

REFRESH_S = 60.0
_FIRST_LOAD_S = 1.0
_MOST_COUNT = 1_000_000


class ReadinessWatch:
    """Keeps the newest readiness; asked by other threads."""

    name = "readiness"

    def __init__(
        self,
        folder: Path,
        vault: SampleVault,
        settings: LearnSettings,
        *,
        clock: Clock,
        sensors: Sensors | None = None,
    ) -> None:
        """Prepare; nothing is read yet.

        Args:
            folder: The learn folder.
            vault: Asked how many samples there are.
            settings: Limits.
            clock: Says when it was.
            sensors: Of this machine unless given.
        """
        self._folder = folder
        self._vault = vault
        self._settings = settings
        self._clock = clock
        self._sensors = sensors or Sensors()
        self._newest: Readiness | None = None
        self._own_memory_mb: Callable[[], float] = lambda: 0.0

    @property
    def newest(self) -> Readiness | None:
        """As it was last looked at, None before the first look."""
        return self._newest

    def discount(self, own_memory_mb: Callable[[], float]) -> None:
        """What training itself holds does not make the box too full for the next round."""
        self._own_memory_mb = own_memory_mb

    def run(self, stop: threading.Event) -> None:
        """Look every minute until told to stop.

        Raises:
            ConfigError: The learn folder cannot be made private.
            UnreachableError: It cannot be written.
        """
        make_private_folder(self._folder)
        # A load needs two readings; the first note shall know it.
        self._sensors.load()
        wait_s = _FIRST_LOAD_S
        while not stop.wait(wait_s):
            self.look()
            wait_s = REFRESH_S

    def look(self) -> Readiness:
        """Judge now, and write the file.

        Raises:
            UnreachableError: The learn folder cannot be written.
        """
        reading = self._sensors.read()
        if reading.free_memory_mb is not None:
            held_mb = self._own_memory_mb()
            reading = replace(reading, free_memory_mb=reading.free_memory_mb + held_mb)
        readiness = judge(reading, counts(self._vault), self._settings, now=self._clock.now())
        before, self._newest = self._newest, readiness
        write_readiness(self._folder, readiness.note())
        if before is None or before.reasons != readiness.reasons:
            log.info(
                "readiness_changed",
                is_ready=readiness.is_ready,
                reasons=list(readiness.reasons),
                samples=readiness.counts.labelled,
            )
        return readiness

    def state(self) -> LearningState | None:
        """For the health report; None before the first look."""
        newest = self._newest
        if newest is None:
            return None
        return LearningState(
            samples=min(newest.counts.labelled, _MOST_COUNT),
            technician_samples=min(newest.counts.technician, _MOST_COUNT),
            is_ready=newest.is_ready,
            reasons=newest.reasons,
        )


def counts(vault: SampleVault) -> SampleCounts:
    """How much there is to train on."""
    sources = [facts.source for facts in vault.facts()]
    return SampleCounts(
        labelled=sum(source in LABELLED for source in sources),
        technician=sources.count(LabelSource.TECHNICIAN),
    )
