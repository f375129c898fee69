"""The same boxes and plan without any process of Flower → what a run ends with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.federated.client_work import Box, work
from models.federated.collecting import ExchangeInProcess, Work
from models.federated.round_loop import run_rounds
from tests.fakes import flower_trainer
from tests.fakes.flower_trainer import fill_learn_folder, samples_at
from tests.fakes.run_folders import make_run

PLACES = {"box-1": 0.7, "box-2": 0.75, "box-3": 0.8}
"""Where the cars of each box are; see ``tests.fakes.flower_trainer``."""
SAMPLES = 10


def boxes(folder: Path, places: Mapping[str, float] = PLACES) -> dict[str, Work]:
    """Boxes that work in this process."""
    found: dict[str, Work] = {}
    for device, cx in places.items():
        learn = fill_learn_folder(folder / device, samples_at(cx, count=SAMPLES))
        box = Box(device=device, learn_folder=learn, trainer_for=lambda _: flower_trainer.trainer())
        found[device] = lambda order, weights, b=box: work(order, weights, b)
    return found


def weights_after(run: Path, number: int) -> NDArray[np.float32]:
    """Global weights of a run folder."""
    return np.fromfile(run / "global" / f"round-{number:03d}.f32", dtype="<f4")


def learned_in_process(folder: Path, run: str, **settings: Any) -> NDArray[np.float32]:
    """What an undisturbed run with these settings learns."""
    plan = make_run(folder / run, dict.fromkeys(PLACES, SAMPLES), **settings)
    bench = flower_trainer.bench(plan, folder / run)
    run_rounds(ExchangeInProcess(boxes(folder)), folder / run, bench=bench)
    return weights_after(folder / run, plan.rounds)
