"""Closed bins of one camera → the store, through full disks and restarts, each exactly once."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from common.errors import UnreachableError
from common.timing import Clock
from edge.keeping.store import BinStore
from edge.measure.bins import MinuteBin

MOST_WAITING = 24 * 60
"""Bins held in memory while the disk refuses them; a day."""

RETRY_AFTER_S = 10.0
_NOT_WRITTEN = "not_written"
_REMEMBERED_MINUTES = 2 * 24 * 60 + 10


class BinKeeper:
    """Number the parts of each minute across restarts, and write them down.

    A minute that was cut by a restart has bins from two runs, both beginning with part 0.
    Those of the later run are numbered on from what the store has, so that none is lost
    and none counts twice.
    """

    def __init__(self, store: BinStore, *, camera_id: str, clock: Clock) -> None:
        self._store = store
        self._camera_id = camera_id
        self._clock = clock
        self._waiting: deque[tuple[int, MinuteBin]] = deque()
        self._lost: list[datetime] = []
        self._run = 0
        self._first_part: OrderedDict[tuple[int, datetime], int] = OrderedDict()
        self._tried_s = 0.0
        self._trouble = ""
        self._stored = 0
        self._log = structlog.get_logger(__name__).bind(camera_id=camera_id)

    @property
    def stored(self) -> int:
        """Bins written since the agent started."""
        return self._stored

    @property
    def waiting(self) -> int:
        """Bins that the disk refused and that wait for another try."""
        return len(self._waiting)

    @property
    def trouble(self) -> str:
        """Why they wait, or nothing."""
        return self._trouble

    @property
    def last_start(self) -> datetime | None:
        """Start of the camera's latest minute in the store, or None before the first.

        Raises:
            UnreachableError: The store cannot be read.
        """
        return self._store.last_start(self._camera_id)

    def begin_run(self) -> None:
        """Say that the bins that follow come from a new measurement."""
        self._run += 1

    def keep(self, bins: Sequence[MinuteBin]) -> None:
        """Write bins down; what the disk refuses is tried again with a later call."""
        for bin_ in bins:
            self._waiting.append((self._run, bin_))
        while len(self._waiting) > MOST_WAITING:
            self._lost.append(self._waiting.popleft()[1].start)
        now_s = self._clock.monotonic_s()
        if bins or (self._waiting and now_s - self._tried_s >= RETRY_AFTER_S):
            self._tried_s = now_s
            self._write()

    def _write(self) -> None:
        try:
            while self._waiting:
                run = self._waiting[0][0]
                together = [bin_ for bin_run, bin_ in self._waiting if bin_run == run]
                self._stored += self._store.add([self._numbered(run, bin_) for bin_ in together])
                for _ in together:
                    self._waiting.popleft()
            if self._lost:
                self._store.note_lost(self._camera_id, _NOT_WRITTEN, self._lost)
                self._lost.clear()
        except UnreachableError as error:
            if not self._trouble:
                self._log.error("bins_not_written", error=str(error), hint=error.hint)
            self._trouble = str(error)
        else:
            if self._trouble:
                self._log.info("bins_written_again")
            self._trouble = ""

    def _numbered(self, run: int, bin_: MinuteBin) -> MinuteBin:
        key = (run, bin_.start)
        if key not in self._first_part:
            self._first_part[key] = self._store.parts(self._camera_id, bin_.start)
            if len(self._first_part) > _REMEMBERED_MINUTES:
                self._first_part.popitem(last=False)
        first = self._first_part[key]
        return replace(bin_, part=first + bin_.part) if first else bin_
