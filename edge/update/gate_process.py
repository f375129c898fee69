"""A candidate and the model in use → the gate's figures, from a process of its own.

Another process, because a model that was signed may still crash the runtime, fill the memory
or never return: the agent goes on counting, and the gate has a lower priority.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess  # nosec B404
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from common.release import reasons
from common.release.manifest import MOST_MANIFEST_BYTES
from common.release_state import GateFigures
from common.road_users import RoadUser
from common.timing import Clock
from common.wire import Code
from edge.learn.background import ONE_THREAD, ends_with_us

log = structlog.get_logger(__name__)

_COMMAND = ("-m", "common.cli", "--log-level", "error", "edge", "release", "gate")
_LOOK_S = 0.2
_MOST_SAID = 300
_MOST_LINE = MOST_MANIFEST_BYTES


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ModelToMeasure(_Part):
    """A model and the size it looks at."""

    path: Path
    input_long_side: int


class GateOrder(_Part):
    """What the process is told.

    Attributes:
        backend: The very one that will run the model.
        classes: Of the calibration set, in the order of its indices.
    """

    backend: str
    engine_cache: Path
    candidate: ModelToMeasure
    active: ModelToMeasure
    calibration: Path
    classes: tuple[RoadUser, ...]


class GateNews(_Part):
    """A line of the process: what will run the model exists, or the end of its work."""

    is_built: bool = False
    figures: GateFigures | None = None
    reason: Code | None = None
    message: str = Field(default="", max_length=1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of the process; without either, it was stopped.

    Attributes:
        reason: Why there are no figures.
    """

    figures: GateFigures | None = None
    reason: str | None = None


class GateProcess:
    """Runs the gate; one at a time."""

    def __init__(self, *, clock: Clock, limit_s: float, niceness: int) -> None:
        """Prepare.

        Args:
            clock: Measures how long it takes.
            limit_s: Longest time; building an engine is part of it.
            niceness: 0 for a priority like ours, 19 for the lowest.
        """
        self._clock = clock
        self._limit_s = limit_s
        self._niceness = niceness

    def judge(
        self, order: GateOrder, *, is_wanted: Callable[[], bool], on_built: Callable[[], object]
    ) -> Judged:
        """Wait for the figures, as long as they are wanted."""
        process = subprocess.Popen(  # noqa: S603 - our own command line  # nosec B603
            [*ends_with_us("KILL"), sys.executable, *_COMMAND],
            env={**os.environ, **ONE_THREAD},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with suppress(OSError):
            # Before it has other threads: they inherit it (Linux: ``nice`` belongs to a thread).
            os.setpriority(os.PRIO_PROCESS, process.pid, self._niceness)
        lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        said = _Tail()
        readers = [
            threading.Thread(target=_hand_on, args=(process.stdout, lines), daemon=True),
            threading.Thread(target=said.read, args=(process.stderr,), daemon=True),
        ]
        try:
            for reader in readers:
                reader.start()
            with suppress(BrokenPipeError):
                _tell(process, order)
            judged = self._followed(lines, is_wanted=is_wanted, on_built=on_built)
        finally:
            process.kill()
            process.wait()
            for reader in readers:
                reader.join()
        if judged.reason == reasons.GATE_CRASHED:
            log.error("release_gate_crashed", exit_code=process.returncode, said=said.text)
        return judged

    def _followed(
        self,
        lines: queue.SimpleQueue[bytes | None],
        *,
        is_wanted: Callable[[], bool],
        on_built: Callable[[], object],
    ) -> Judged:
        ends_s = self._clock.monotonic_s() + self._limit_s
        while is_wanted():
            if self._clock.monotonic_s() > ends_s:
                return Judged(reason=reasons.GATE_TOO_SLOW)
            try:
                line = lines.get(timeout=_LOOK_S)
            except queue.Empty:
                continue
            news = _news(line)
            if news.is_built:
                on_built()
                continue
            if news.message:
                log.error("release_gate_failed", reason=news.reason, message=news.message)
            return Judged(figures=news.figures, reason=news.reason)
        return Judged()


def _tell(process: subprocess.Popen[bytes], order: GateOrder) -> None:
    if process.stdin is not None:
        with process.stdin:
            process.stdin.write(order.model_dump_json().encode())


def _hand_on(stream: Any, lines: queue.SimpleQueue[bytes | None]) -> None:
    with stream:
        while line := stream.readline(_MOST_LINE):
            lines.put(line)
    lines.put(None)


def _news(line: bytes | None) -> GateNews:
    with suppress(ValidationError, ValueError):
        news = GateNews.model_validate(json.loads(line)) if line is not None else GateNews()
        if news.is_built or news.figures or news.reason:
            return news
    return GateNews(reason=reasons.GATE_CRASHED)


class _Tail:
    """The last words on the error stream."""

    def __init__(self) -> None:
        self.text = ""

    def read(self, stream: Any) -> None:
        """Until its end."""
        with stream:
            while line := stream.readline(_MOST_LINE):
                self.text = line.decode("utf-8", errors="replace").strip()[:_MOST_SAID] or self.text
