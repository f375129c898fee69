"""Process ids → what they use of processor and memory, from Linux's /proc."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process used since it began.

    Attributes:
        processor_s: User and system time, that of children that ended included.
        resident_mb: Memory now, in 10^6 bytes.
        peak_mb: The most it ever was.
    """

    processor_s: float
    resident_mb: float
    peak_mb: float


def usage(pid: int) -> Usage:
    """Ask the kernel."""
    status = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return Usage(
        processor_s=_processor_s(pid),
        resident_mb=_mb(status["VmRSS"]),
        peak_mb=_mb(status["VmHWM"]),
    )


def family_processor_s(pid: int) -> float:
    """Processor time of a process and of its living children, as PostgreSQL has them."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    children = {int(c) for t in tasks for c in (t / "children").read_text().split()}
    return round(_processor_s(pid) + sum(_processor_s(child) for child in children), 2)


def _processor_s(pid: int) -> float:
    # The name in brackets may hold spaces: fields are counted from after it (proc(5), stat).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return round(sum(int(fields[n]) for n in range(11, 15)) / _TICKS, 2)


def _mb(kilobytes: str) -> float:
    return round(int(kilobytes.split(maxsplit=1)[0]) * 1024 / 1e6, 1)
