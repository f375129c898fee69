"""Where the coordinator trains → a ``flower-supernode`` beside the agent, while the box is ready.

The node is a process of its own with the lowest priority. It is started when every check of
readiness holds, stopped when one that must last does not, and started again after a pause when
it ends by itself: Flower refuses the key of a node that was killed for about a minute.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess  # nosec B404
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from common.errors import ConfigError
from common.flower_processes import RESTART_DELAY_S
from edge.learn.background import ONE_THREAD, ends_with_us, memory_below_mb, push_back

log = structlog.get_logger(__name__)

_LOOK_S = 1.0
_ASK_S = 10.0
_GRACE_S = 10.0
_JITTER_S = 15.0
_MOST_LINE = 300
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOrder:
    """What to start.

    Attributes:
        command: Program and arguments.
        environment: All of it.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePauses:
    """How patient the supervision is.

    Attributes:
        restart_s: Shortest pause between an end and the next start.
        ask_s: How often it is asked whether the node may start.
    """

    restart_s: float = RESTART_DELAY_S
    ask_s: float = _ASK_S


class SuperNode:
    """Keeps the node running while it may; a service of the agent."""

    name = "supernode"

    def __init__(
        self,
        *,
        order: Callable[[], NodeOrder | None],
        may_start: Callable[[], bool],
        may_go_on: Callable[[], bool],
        pauses: NodePauses | None = None,
        push: Callable[[int], None] = push_back,
    ) -> None:
        """Prepare; nothing is started yet.

        Args:
            order: Asked before each start; None while the coordinator trains nowhere.
            may_start: The box is ready.
            may_go_on: Nothing forbids what runs.
            pauses: How patient the supervision is.
            push: Gives a process the lowest priority.
        """
        self._order = order
        self._may_start = may_start
        self._may_go_on = may_go_on
        self._pauses = pauses or NodePauses()
        self._push = push
        self._process: subprocess.Popen[bytes] | None = None
        self._chance = random.Random()  # noqa: S311 - spreads load  # nosec B311

    @property
    def pid(self) -> int | None:
        """Of the node that runs, else None."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def memory_mb(self) -> float:
        """What the node and its training hold."""
        pid = self.pid
        return memory_below_mb(pid) if pid else 0.0

    def run(self, stop: threading.Event) -> None:
        """Start and watch until told to stop.

        Raises:
            ConfigError: The program is not installed, or the identity is damaged.
        """
        while not stop.is_set():
            order = self._order() if self._may_start() else None
            if order is None:
                stop.wait(self._pauses.ask_s)
                continue
            self._run_once(order, stop)
            # A city's boxes must not all come back in one second.
            jitter_s = self._chance.random() * min(self._pauses.restart_s, _JITTER_S)
            stop.wait(self._pauses.restart_s + jitter_s)

    def _run_once(self, order: NodeOrder, stop: threading.Event) -> None:
        process = self._start(order)
        reader = threading.Thread(target=_pass_on, args=(process,), name="supernode-log")
        reader.daemon = True
        reader.start()
        try:
            while process.poll() is None and not stop.wait(_LOOK_S):
                if not self._may_go_on():
                    log.info("supernode_paused")
                    break
        finally:
            _end(process)
            reader.join(timeout=_GRACE_S)
            self._process = None
        log.info("supernode_ended", exit_code=process.returncode, is_stopping=stop.is_set())

    def _start(self, order: NodeOrder) -> subprocess.Popen[bytes]:
        if shutil.which(order.command[0]) is None:
            raise ConfigError(
                f"{Path(order.command[0]).name} is not installed, expected it to train with",
                hint="install the train extra on this box, or set learn.trains to false",
            )
        process = subprocess.Popen(  # noqa: S603 - our own command line  # nosec B603
            [*ends_with_us("TERM"), *order.command],
            env={**order.environment, **ONE_THREAD},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # A group of its own, so that all of it can be ended; not a session, see push_back.
            process_group=0,
        )
        self._push(process.pid)
        self._process = process
        log.info("supernode_started", pid=process.pid)
        return process


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the node to end, then end its whole group; also one that ended and left children."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout=_GRACE_S)
        except subprocess.TimeoutExpired:
            log.warning("supernode_did_not_end", waited_s=_GRACE_S)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _pass_on(process: subprocess.Popen[bytes]) -> None:
    """Lines of the node into our log, so that one place tells everything."""
    if process.stdout is None:
        return
    with process.stdout:
        for raw in process.stdout:
            line = _COLOUR.sub("", raw.decode("utf-8", errors="replace")).strip()
            if line:
                log.info("supernode_said", line=line[:_MOST_LINE])
