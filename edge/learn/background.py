"""Slow work beside counting → the lowest priority the system has, so that counting never waits."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path

LEAST_PRIORITY = 19

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""Environment of a trainer: torch and numpy take one thread from it."""


def step_back() -> None:
    """Give this thread alone the lowest priority (Linux: ``nice`` belongs to a thread)."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LEAST_PRIORITY)


def push_back(pid: int) -> None:
    """Give a process that was just started, and all that it will start, only idle time.

    ``SCHED_IDLE`` (sched(7)) weighs 3 where a normal process weighs 1024; ``nice`` 19 weighs
    15 and is what ``/proc/stat`` books as background. A session of its own would be an
    autogroup of its own, in which neither counts (sched(7), "The autogroup feature").
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, LEAST_PRIORITY)
    with suppress(OSError):
        os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def ends_with_us(with_signal: str) -> list[str]:
    """What to write before a command, so that an agent that is killed leaves no process behind.

    See prctl(2), PR_SET_PDEATHSIG; nothing where ``setpriv`` is not installed.
    """
    program = shutil.which("setpriv")
    return [program, "--pdeathsig", with_signal, "--"] if program else []


def memory_below_mb(pid: int, proc: Path = Path("/proc")) -> float:
    """Resident memory of a process and all that it started; shared pages count twice."""
    parents: dict[int, int] = {}
    pages: dict[int, int] = {}
    for folder in proc.iterdir():
        if not folder.name.isdigit():
            continue
        with suppress(OSError, ValueError, IndexError):
            # The name of the program, in brackets, may hold anything.
            words = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            parents[int(folder.name)] = int(words[1])
            pages[int(folder.name)] = int(words[21])
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(pages.get(each, 0) for each in family) * os.sysconf("SC_PAGE_SIZE") / 1e6
