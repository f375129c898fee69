"""A run folder → two rounds in seconds, and a candidate sealed as the real bench seals one.

``python -m tests.fakes.story_bench FOLDER``, with ``ITS_FAKE_BENCH`` as in ``bench_process``.
Rounds, updates and ledger are real; the network is the synthetic trainer's, and what was measured
of its candidate is made up.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.federated.client_work import Box, work
from models.federated.collecting import ExchangeInProcess
from models.federated.round_files import read_plan
from models.federated.round_loop import run_rounds
from models.federated.trainers import Conclusion, RunEnd
from tests.fakes.bench_process import PLACE
from tests.fakes.flower_trainer import (
    SyntheticBench,
    fill_learn_folder,
    layout,
    samples_at,
    trainer,
)
from tests.fakes.sealed_candidate import NAME, sealed_candidate

RUN, VERSION = "night-3", "1.1.0"
"""As the sealed candidate tells of itself."""

WEIGHTS = f"{NAME}-{VERSION}.onnx"


class SealingBench(SyntheticBench):
    """Leaves a candidate that a registry takes in."""

    def conclude(self, vector: NDArray[np.float32], end: RunEnd) -> Conclusion:
        del end
        folder = self.folder / "candidate"
        sealed_candidate(folder, version=VERSION, weights=vector.tobytes())
        return Conclusion(passed=True, candidate=folder / WEIGHTS)


def main() -> None:
    folder, place = Path(sys.argv[-1]), Path(os.environ[PLACE])
    plan = read_plan(folder)
    devices = {}
    for number, client in enumerate(plan.clients):
        learn = place / client.device
        if not learn.exists():
            fill_learn_folder(learn, samples_at(0.2 + 0.1 * number, count=client.samples))
        box = Box(device=client.device, learn_folder=learn, trainer_for=lambda _: trainer())
        devices[client.device] = partial(work, box=box)
    run_rounds(ExchangeInProcess(devices), folder, bench=SealingBench(plan, folder, layout()))


if __name__ == "__main__":
    main()
