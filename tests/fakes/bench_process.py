"""A run folder → the real round loop in a process of its own, with devices inside it.

``python -m tests.fakes.bench_process FOLDER``: what Flower's server app does, without Flower.
``ITS_FAKE_BENCH`` names a folder: learn folders of the devices are made there, and while it
holds ``hold-before-N`` or ``hold-inside-N`` the loop waits before or inside round N, after it
touched ``at-…`` of the same name.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from models.federated.client_work import Box, work
from models.federated.collecting import ExchangeInProcess, Reply
from models.federated.orders import TrainingOrder
from models.federated.round_files import read_plan
from models.federated.round_loop import run_rounds
from tests.fakes.flower_trainer import bench, fill_learn_folder, samples_at, trainer

PLACE = "ITS_FAKE_BENCH"


class HeldExchange:
    """Waits where the test wants."""

    def __init__(self, inner: ExchangeInProcess, gate: Path) -> None:
        self._inner = inner
        self._gate = gate

    def ask(
        self, orders: Sequence[TrainingOrder], weights: bytes, *, deadline_s: float
    ) -> Iterator[Reply]:
        number = orders[0].number
        self._wait(f"before-{number}")
        for place, reply in enumerate(self._inner.ask(orders, weights, deadline_s=deadline_s)):
            yield reply
            if not place:
                self._wait(f"inside-{number}")

    def _wait(self, where: str) -> None:
        (self._gate / f"at-{where}").touch()
        pause = threading.Event()
        while (self._gate / f"hold-{where}").exists():
            pause.wait(0.05)


def main() -> None:
    folder, gate = Path(sys.argv[-1]), Path(os.environ[PLACE])
    plan = read_plan(folder)
    devices = {}
    for place, client in enumerate(plan.clients):
        learn = gate / client.device
        if not learn.exists():
            fill_learn_folder(learn, samples_at(0.2 + 0.1 * place, count=client.samples))
        box = Box(device=client.device, learn_folder=learn, trainer_for=lambda _: trainer())
        devices[client.device] = partial(work, box=box)
    run_rounds(HeldExchange(ExchangeInProcess(devices), gate), folder, bench=bench(plan, folder))


if __name__ == "__main__":
    main()
