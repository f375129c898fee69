"""Cores of a box → how many frames are looked at side by side, and with how many threads each.

Two inferences with one thread each finish 1.5 times the frames of one inference with two
threads (YOLO11n at 640x384, onnxruntime, two cores): a network of small layers loses much
of its time where threads wait for each other. What it costs is the delay of one frame.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

MOST_LANES = 4
"""More side by side would keep a live frame waiting longer than a tracker likes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuShare:
    """How one process uses its cores for inference.

    Attributes:
        lanes: Inferences at one time.
        threads: Threads of each.
    """

    lanes: int
    threads: int

    @classmethod
    def of(cls, cores: int) -> CpuShare:
        """The share for so many cores; 0 stands for all that this process may use.

        Raises:
            ValueError: A negative number.
        """
        if cores < 0:
            raise ValueError(f"{cores} cores, expected 0 or more")
        cores = cores or len(os.sched_getaffinity(0))
        lanes = min(cores, MOST_LANES)
        return cls(lanes=lanes, threads=cores // lanes)
