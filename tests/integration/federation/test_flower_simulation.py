"""The same rounds under Flower's simulation engine, with a hundred virtual boxes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from common.round_ledger import verify_ledger
from common.rounds import Packing
from tests.fakes.flower_trainer import fill_learn_folder, package_with_trainer, samples_at
from tests.fakes.run_folders import make_run
from tests.integration.federation.learned_in_process import weights_after

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]

BOXES = 100


def command(name: str, run: Path, folder: Path) -> dict[str, object]:
    """What ``its-camera-ai ml federated …`` says."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join((str(folder / "pkg"), str(Path.cwd())))
    }
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from models.federated_run_commands import app; app()",
            name,
            str(run),
            "--boxes",
            str(folder / "boxes"),
            "--json",
        ],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, object] = json.loads(done.stdout[done.stdout.index("{") :])
    return answer


def test_a_hundred_virtual_boxes_learn_what_they_learn_one_after_another(tmp_path: Path) -> None:
    package_with_trainer(tmp_path / "pkg")
    clients = {f"box-{number:03d}": 2 for number in range(BOXES)}
    for number, device in enumerate(clients):
        samples = samples_at(0.7 + 0.001 * number, count=2)
        fill_learn_folder(tmp_path / "boxes" / device, samples)
    for name in ("simulated", "in-turn"):
        make_run(tmp_path / name, clients, rounds=1, packing=Packing.FP32, deadline_s=200.0)

    simulated = command("simulate", tmp_path / "simulated", tmp_path)
    in_turn = command("work", tmp_path / "in-turn", tmp_path)

    assert simulated["state"] == in_turn["state"] == "candidate"
    assert verify_ledger(tmp_path / "simulated" / "ledger.jsonl").is_intact
    learned = weights_after(tmp_path / "simulated", 1)
    assert np.allclose(learned, weights_after(tmp_path / "in-turn", 1), rtol=0, atol=1e-6)
